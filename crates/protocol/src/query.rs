//! Query strings: reading parameters, and taking out those of the relay.

use crate::{encoding::decode_plus, names::PREFIX};

/// Removes the relay's parameters from a query and leaves the rest as it stands (docs/protocol.md, 1.4).
///
/// The query comes and goes without its `?`. A parameter goes when its name starts with `sb-hc-`, in
/// any case, and a `=` follows it; a name without `=` stays, as it does at the service.
pub fn strip_query(query: &str) -> String {
    let mut kept = String::new();
    for (place, part) in query.split('&').filter(|part| !is_relays(part)).enumerate() {
        if place > 0 {
            kept.push('&');
        }
        kept.push_str(part);
    }
    kept
}

/// The decoded value of the first parameter of that name; names are compared without regard to case.
/// A blank may be written as `+` or `%20`. A name without `=` has no value.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    raw_parameter(query, name).map(decode_plus)
}

/// The parameters that have a value, in order and as they stand.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|part| part.split_once('='))
}

/// As [`parameter`], but not decoded.
pub(crate) fn raw_parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    pairs(query)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Adds a parameter at the end of a query.
pub(crate) fn push(query: &mut String, name: &str, encoded: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    query.push_str(encoded);
}

/// Puts a parameter's value where the parameter stands, or adds it at the end.
pub(crate) fn set(query: &str, name: &str, encoded: &str) -> String {
    let mut found = false;
    let mut parts = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some((key, _)) if key.eq_ignore_ascii_case(name) => {
                if !found {
                    parts.push(format!("{key}={encoded}"));
                }
                found = true;
            }
            _ => parts.push(part.to_owned()),
        }
    }
    let mut query = parts.join("&");
    if !found {
        push(&mut query, name, encoded);
    }
    query
}

/// Takes every parameter of that name out.
pub(crate) fn remove(query: &str, name: &str) -> String {
    let named = |part: &&str| {
        part.split_once('=')
            .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let kept: Vec<&str> = query.split('&').filter(|part| !named(part)).collect();
    kept.join("&")
}

fn is_relays(part: &str) -> bool {
    let start = part.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) && part.contains('=')
}
