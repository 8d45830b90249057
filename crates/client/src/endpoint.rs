//! The parts of an address that a dial needs.

use std::{fmt, net::Ipv4Addr};

use crate::{
    error::{Error, Result},
    tcp::peer,
};

/// Where to connect and what to ask for there.
///
/// The text is cut, not normalised: the path and query of a rendezvous address must reach the relay as
/// the relay wrote them (docs/protocol.md, 4.1).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `wss:` rather than `ws:`.
    pub(crate) secure: bool,
    /// The host without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// The port, given or of the scheme.
    pub(crate) port: u16,
    /// What the header `Host` says: the port is left out when it is the one of the scheme.
    pub(crate) authority: String,
    /// Path and query; characters that no request line can hold are percent-encoded.
    pub(crate) target: String,
}

impl Endpoint {
    /// Cuts an address of the form `ws[s]://host[:port][/path][?query]`.
    pub(crate) fn parse(address: &str) -> Result<Self> {
        let (scheme, rest) = address.split_once("://").ok_or(NO_SCHEME)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" | "sb" => true,
            _ => return Err(NO_SCHEME),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let (host, port) = split_port(authority)?;
        let usual = if secure { 443 } else { 80 };
        let port = port.unwrap_or(usual);
        let name = canonical(host)?;
        Ok(Self {
            secure,
            authority: match port == usual {
                true => name.clone(),
                false => format!("{name}:{port}"),
            },
            host: name.trim_matches(['[', ']']).to_owned(),
            port,
            target: match target.starts_with('/') {
                true => escape(target),
                false => format!("/{}", escape(target)),
            },
        })
    }

    /// Host and port, for messages.
    pub(crate) fn peer(&self) -> String {
        peer(&self.host, self.port)
    }
}

impl fmt::Debug for Endpoint {
    /// Leaves out path and query, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.peer())
    }
}

/// A host as it is dialled and named.
fn canonical(host: &str) -> Result<String> {
    // As a relay writes it for every sender. Anything else is what a URL makes of it.
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(host.to_owned());
    }
    let parsed = url::Host::parse(host).map_err(|_| Error::InvalidAddress("bad host"))?;
    Ok(parsed.to_string())
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if host.is_empty() {
        return Err(Error::InvalidAddress("no host"));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(Error::InvalidAddress("bad port")),
    }
}

/// Encodes what cannot stand in a request line; everything else, escapes too, stays as it is.
fn escape(target: &str) -> String {
    if target.bytes().all(can_stand) {
        return target.to_owned();
    }
    let mut escaped = String::with_capacity(target.len());
    for byte in target.bytes() {
        match can_stand(byte) {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn can_stand(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'`')
}

const NO_SCHEME: Error = Error::InvalidAddress("not a ws: or wss: URL");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_and_not_normalised_c27() {
        let address = "wss://G17.servicebus.windows.net/$hc/a%2fb/../c?x=%c3&sb-hc-action=accept&sb-hc-id=1_G1";
        let endpoint = Endpoint::parse(address).unwrap();
        assert_eq!(endpoint.host, "g17.servicebus.windows.net");
        assert_eq!(endpoint.authority, "g17.servicebus.windows.net");
        assert_eq!((endpoint.port, endpoint.secure), (443, true));
        assert_eq!(
            endpoint.target,
            "/$hc/a%2fb/../c?x=%c3&sb-hc-action=accept&sb-hc-id=1_G1"
        );
    }

    #[test]
    fn ports_and_ip_literals_are_understood() {
        let parse = |address| Endpoint::parse(address).unwrap();
        assert_eq!(parse("ws://localhost:9400/x").authority, "localhost:9400");
        assert_eq!(parse("wss://localhost:443").authority, "localhost");
        assert_eq!(parse("ws://[::1]:8080/").host, "::1");
        assert_eq!(parse("ws://[::1]:8080/").authority, "[::1]:8080");
        assert_eq!(parse("ws://[::1]").port, 80);
        assert_eq!(parse("ws://user:pass@host?x#y").target, "/?x");
    }

    #[test]
    fn illegal_characters_are_escaped() {
        let endpoint = Endpoint::parse("ws://host/a b\"é?<x>\r\n").unwrap();
        assert_eq!(endpoint.target, "/a%20b%22%C3%A9?%3Cx%3E%0D%0A");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in [
            "",
            "host",
            "ftp://host",
            "ws://",
            "ws://:80",
            "ws://host:0",
            "ws://h:x",
            "ws://[::1",
            "ws://a b/",
        ] {
            let error = Endpoint::parse(address).unwrap_err();
            assert_eq!(error.code(), "HYCO_ERR_INVALID_ADDRESS", "{address}");
        }
    }

    #[test]
    fn debugging_shows_no_query() {
        let endpoint = Endpoint::parse("ws://host/x?sb-hc-token=secret").unwrap();
        assert_eq!(format!("{endpoint:?}"), "host:80");
    }
}
