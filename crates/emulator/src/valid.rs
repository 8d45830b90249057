//! What names and addresses may be, for every way in which they are given.

use std::collections::HashSet;

use hyco_protocol::{Address, Rights, Rule, Scheme};

use crate::options::HybridConnectionOptions;

/// The path of a hybrid connection, without slashes around it.
pub(crate) fn path(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    let bad = |segment: &str| segment.is_empty() || segment.chars().any(char::is_control);
    if path.split('/').any(bad) || path.contains(['?', '#']) {
        return Err(format!("'{text}' is not a path"));
    }
    let first = path.split('/').next().unwrap_or_default();
    match RESERVED.iter().any(|name| name.eq_ignore_ascii_case(first)) {
        true => Err(format!(
            "'{text}' cannot be a path, since {first} is reserved"
        )),
        false => Ok(path.to_owned()),
    }
}

/// A host name, lower case, an IPv6 address in brackets.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let bare = text.trim_matches(['[', ']']);
    let host = match bare.contains(':') {
        true => format!("[{bare}]"),
        false => bare.to_owned(),
    };
    let wrong = |_| format!("'{text}' is no host name and no IP address");
    if host.contains(['/', '?', '#', '@']) {
        return Err(wrong(()));
    }
    let address = Address::parse(&format!("sb://{host}/")).map_err(|_| wrong(()))?;
    Ok(address.host().to_owned())
}

/// Scheme, host and port in the addresses that listeners dial.
pub(crate) fn public_url(text: &str) -> Result<Address, String> {
    let wrong =
        |what: &str| format!("{what}: write it as wss://relay.example or ws://10.0.0.1:9400");
    let address = Address::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(address.scheme(), Scheme::Ws | Scheme::Wss) {
        return Err(wrong("its scheme is neither ws nor wss"));
    }
    if address.path() != "/" || address.query().is_some() || text.contains(['@', '#']) {
        return Err(wrong("it may have a scheme, a host and a port alone"));
    }
    Ok(address)
}

/// Says which hybrid connection is there twice, if one is.
pub(crate) fn distinct_paths(all: &[HybridConnectionOptions]) -> Result<(), String> {
    let paths = all.iter().map(|one| one.path.trim_matches('/'));
    distinct("hybrid connections", paths)
}

/// Says what is wrong with the rules of one level, if anything is.
pub(crate) fn rules(all: &[Rule]) -> Result<(), String> {
    for rule in all {
        rights(rule.rights()).map_err(|message| format!("{}: {message}", rule.name()))?;
    }
    distinct("rules", all.iter().map(Rule::name))
}

/// The rights of a rule: without any it would only be in the way.
pub(crate) fn rights(rights: Rights) -> Result<Rights, String> {
    match rights.listen || rights.send || rights.manage {
        true => Ok(rights),
        false => Err("a rule needs at least one of Listen, Send and Manage".to_owned()),
    }
}

/// Says which name is there twice, in whatever case, if one is.
pub(crate) fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut known = HashSet::new();
    for name in names {
        if !known.insert(name.to_ascii_lowercase()) {
            return Err(format!("there are two {what} of the name '{name}'"));
        }
    }
    Ok(())
}

/// First segments that lead elsewhere: to WebSockets, and to the administration.
const RESERVED: [&str; 2] = ["$hc", "$admin"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_hybrid_connection_and_nowhere_else() {
        assert_eq!(path("/team/chat/").as_deref(), Ok("team/chat"));
        for wrong in ["", "/", "a//b", "a?b", "a#b", "a\nb"] {
            assert!(path(wrong).expect_err(wrong).contains("is not a path"));
        }
        for reserved in ["$admin", "$ADMIN/x", "/$hc/hyco"] {
            assert!(path(reserved).expect_err(reserved).contains("reserved"));
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        assert_eq!(host("Relay.Example").as_deref(), Ok("relay.example"));
        assert_eq!(host("::1").as_deref(), Ok("[::1]"));
        for wrong in ["", "a b", "a/b", "me@a", "1:2"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_url_has_nothing_that_would_be_lost() {
        assert!(public_url("wss://relay.example:444/").is_ok());
        for wrong in [
            "relay.example",
            "https://relay.example",
            "wss://relay.example/below",
            "wss://relay.example?x=1",
            "wss://me@relay.example",
            "wss://relay.example#x",
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }
}
