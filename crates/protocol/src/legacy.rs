//! URIs as Node's legacy `url.parse` and `url.format` treat them, on which `hyco-ws` builds.
//!
//! Callers compare tokens and addresses as texts, so the drop-in functions have to come to the same
//! characters. What that parser makes of input that cannot reach a relay anyway is left out.

use crate::{address::split_authority, error::Error, names::HYBRID_SEGMENT};

/// A URI, taken apart and normalised.
#[derive(Debug)]
pub(crate) struct Legacy {
    /// In lower case, with `://`; empty if there is none.
    scheme: String,
    /// With its `@`; empty if there is none.
    user_info: String,
    /// Host in lower case, and the port as written.
    authority: String,
    /// Escaped; starts with a slash, or is empty.
    path: String,
    /// With its `?`; empty if there is none.
    search: String,
    /// With its `#`; empty if there is none.
    hash: String,
}

impl Legacy {
    /// Reads a URI. Without a scheme the text starts with the host.
    pub(crate) fn parse(uri: &str) -> Result<Self, Error> {
        let uri = uri.trim_matches(|c: char| c <= ' ' || c == '\u{a0}' || c == '\u{feff}');
        let (front, hash) = uri.split_at(uri.find('#').unwrap_or(uri.len()));
        let (front, search) = front.split_at(front.find('?').unwrap_or(front.len()));
        let front = front.replace('\\', "/");
        let (scheme, rest) = match front.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(is_scheme_byte) => {
                (format!("{}://", scheme.to_ascii_lowercase()), rest)
            }
            _ => (String::new(), front.strip_prefix("//").unwrap_or(&front)),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user_info, authority) =
            authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self {
            scheme,
            user_info: user_info.to_owned(),
            authority: normalise(authority)?,
            path: escape(path),
            search: escape(search),
            hash: escape(hash),
        })
    }

    /// What `createRelayToken` signs: scheme `http`, no query, the first `$hc/` removed. Two things are
    /// better here: user info is not signed, and a host without a path gets one under every scheme.
    pub(crate) fn resource(&self) -> String {
        let path = self.path.replacen(&format!("{HYBRID_SEGMENT}/"), "", 1);
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("http://{}{slash}{path}", self.authority)
    }

    /// The URI with one more parameter, which is correct without a query, too.
    pub(crate) fn with_parameter(&self, name: &str, encoded: &str) -> String {
        let Self {
            scheme,
            user_info,
            authority,
            path,
            search,
            hash,
        } = self;
        // A path is added where the old parser adds one: under the schemes it knows.
        let slash = match scheme.as_str() {
            "ws://" | "wss://" | "http://" | "https://" if path.is_empty() => "/",
            _ => "",
        };
        let mark = if search.is_empty() { '?' } else { '&' };
        format!("{scheme}{user_info}{authority}{path}{slash}{search}{mark}{name}={encoded}{hash}")
    }
}

/// Host in lower case and port as written; a host that is not ASCII becomes Punycode.
fn normalise(authority: &str) -> Result<String, Error> {
    let (host, _) = split_authority(authority)?;
    if authority.is_ascii() {
        return Ok(authority
            .strip_suffix(':')
            .unwrap_or(authority)
            .to_ascii_lowercase());
    }
    let port = authority
        .rsplit_once(':')
        .map(|(_, port)| port)
        .filter(|port| !port.is_empty());
    Ok(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' | ' ' | '"' | '\'' | '<' | '>' | '\\' | '^' | '`' | '{' | '|'
            | '}' => escaped.push_str(&format!("%{:02X}", u32::from(c))),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
