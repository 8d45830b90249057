//! NO_PROXY: the hosts that are dialled directly.
//!
//! Nobody has specified its grammar. This takes what curl, Node and Go take: names, which stand for the
//! names below them too and may begin with `.` or `*.`, IP addresses, networks (`10.0.0.0/8`) and ranges
//! (`10.0.0.1-10.0.0.9`), each but the last two also with a port; `*` means every host. Commas and blanks
//! divide them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether a list such as NO_PROXY says that this host is dialled directly.
pub fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    Exceptions::parse(list).has(host, port)
}

/// A list that was read.
#[derive(Debug)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Debug)]
struct Exception {
    hosts: Hosts,
    /// None means every port.
    port: Option<u16>,
}

#[derive(Debug)]
enum Hosts {
    All,
    Name(String),
    Network(IpNet),
    Range(IpAddr, IpAddr),
}

impl Exceptions {
    /// Reads a list. What is none of the above excepts nothing.
    pub(super) fn parse(list: &str) -> Self {
        let parts = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(parts.filter_map(Exception::parse).collect())
    }

    /// Whether that host is among them; an IPv6 address may have its brackets.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = unbracketed(host).trim_end_matches('.').to_ascii_lowercase();
        let address = address(&host);
        self.0.iter().any(|exception| {
            exception.port.is_none_or(|only| only == port) && exception.hosts.have(&host, address)
        })
    }
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // Else the colon is one of an IPv6 address.
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (text, None),
        };
        let hosts = Hosts::parse(unbracketed(host))?;
        Some(Self { hosts, port })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(one) = address(text) {
            return Some(Self::Network(one.into()));
        }
        if let Ok(network) = text.parse() {
            return Some(Self::Network(network));
        }
        if let Some((first, last)) = text.split_once('-')
            && let (Some(first), Some(last)) = (address(first), address(last))
        {
            return Some(Self::Range(first, last));
        }
        let name = text.trim_start_matches('*').trim_start_matches('.');
        let name = url::Host::parse(name.trim_end_matches('.')).ok()?;
        Some(Self::Name(name.to_string()))
    }

    fn have(&self, host: &str, address: Option<IpAddr>) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => host
                .strip_suffix(name.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Self::Range(first, last) => {
                address.is_some_and(|address| *first <= address && address <= *last)
            }
        }
    }
}

/// An IP address; one of IPv4 that is written as one of IPv6 is what it stands for.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn unbracketed(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_entry_excepts_what_it_says() {
        for (entry, inside, outside) in [
            ("example.org", "example.org", "notexample.org"),
            ("example.org", "a.example.org", "example.com"),
            (".example.org", "a.example.org", "notexample.org"),
            (".example.org", "example.org", "org"),
            ("*.example.org", "a.b.example.org", "example.com"),
            ("EXAMPLE.org.", "Example.ORG", "example.org.net"),
            ("größe.example", "xn--gre-6ka8i.example", "grosse.example"),
            ("localhost", "localhost", "127.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.5-10.0.1.5", "10.0.1.0", "10.0.1.6"),
            ("::1", "[::1]", "::2"),
            ("[::1]", "::1", "::2"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.2"),
        ] {
            assert!(is_excepted(entry, inside, 443), "{entry} {inside}");
            assert!(!is_excepted(entry, outside, 443), "{entry} {outside}");
        }
    }

    #[test]
    fn a_port_limits_an_entry_to_itself() {
        for (entry, host) in [
            ("example.org:8443", "a.example.org"),
            ("10.1.2.3:8443", "10.1.2.3"),
            ("[::1]:8443", "::1"),
            ("*:8443", "example.org"),
        ] {
            assert!(is_excepted(entry, host, 8443), "{entry}");
            assert!(!is_excepted(entry, host, 443), "{entry}");
        }
    }

    #[test]
    fn entries_are_divided_by_commas_and_blanks() {
        for list in [
            "a.example,b.example",
            " a.example , b.example ",
            "a.example b.example,",
        ] {
            for host in ["a.example", "b.example"] {
                assert!(is_excepted(list, host, 443), "{list}");
            }
            assert!(!is_excepted(list, "c.example", 443));
        }
        assert!(is_excepted("*", "example.org", 443));
        assert!(is_excepted("a.example,*", "example.org", 443));
    }

    #[test]
    fn what_is_no_entry_excepts_nothing() {
        for entry in [
            "",
            ",",
            ".",
            "*.",
            "10.0.0.0/99",
            "a:b",
            "[::1",
            "a.example:99999",
            "http://a",
        ] {
            for host in ["a", "a.example", "::1", "10.0.0.1", "localhost"] {
                assert!(!is_excepted(entry, host, 443), "{entry} {host}");
            }
        }
    }
}
