//! From a URI to the resource that a token is signed for (docs/protocol.md, 2.3).

use crate::{
    address::{split_authority, strip_hybrid},
    encoding::encode_illegal,
    error::Error,
    names::HYBRID_SEGMENT,
};

/// The canonical form: `http`, host in lower case, no port, no `/$hc`, a slash at the end.
pub(crate) fn canonical(uri: &str) -> Result<String, Error> {
    let (host, path) = host_and_path(uri)?;
    Ok(canonical_of(&host, path))
}

/// The host, in lower case and without port, and the path of a URI.
pub(crate) fn host_and_path(uri: &str) -> Result<(String, &str), Error> {
    let uri = uri.trim();
    let (authority, path) = split(&uri[..path_end(uri)])?;
    let (host, _) = split_authority(authority)?;
    Ok((host, if path.is_empty() { "/" } else { path }))
}

/// As [`canonical`], of a host and a path that were taken apart already.
pub(crate) fn canonical_of(host: &str, path: &str) -> String {
    let path = encode_illegal(strip_hybrid(path).0);
    let slash = if path.ends_with('/') { "" } else { "/" };
    format!("http://{host}{path}{slash}")
}

/// What `hyco-ws` signs: Node's legacy `url.parse`, scheme `http`, the first `$hc/` removed, and
/// `url.format`, which keeps the port and the path as written. Two differences: user info is
/// dropped, and a namespace without a path gets one under every scheme.
pub(crate) fn drop_in(uri: &str) -> Result<String, Error> {
    // What String.prototype.trim would leave, and what browsers make of a backslash.
    let uri = uri.trim_matches(|c: char| c <= ' ' || c == '\u{a0}' || c == '\u{feff}');
    let uri = uri[..path_end(uri)].replace('\\', "/");
    let (authority, path) = split(&uri)?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let authority = legacy_authority(authority)?;
    let mut escaped = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '\t' | '\n' | '\r' | ' ' | '"' | '\'' | '<' | '>' | '^' | '`' | '{' | '|' | '}' => {
                escaped.push_str(&format!("%{:02X}", u32::from(c)));
            }
            _ => escaped.push(c),
        }
    }
    let path = escaped.replacen(&format!("{HYBRID_SEGMENT}/"), "", 1);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("http://{authority}{slash}{path}"))
}

/// Authority and the rest of a URI. Without a scheme the text starts with the authority.
fn split(uri: &str) -> Result<(&str, &str), Error> {
    let rest = match uri.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(is_scheme_byte) => rest,
        _ => uri.strip_prefix("//").unwrap_or(uri),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match end {
        0 => Err(Error::InvalidAddress("it has no host")),
        _ => Ok(rest.split_at(end)),
    }
}

/// Host in lower case and port as written; a host that is not ASCII becomes Punycode.
fn legacy_authority(authority: &str) -> Result<String, Error> {
    let (host, _) = split_authority(authority)?;
    if !authority.is_ascii() {
        let port = authority
            .rsplit_once(':')
            .map(|(_, port)| port)
            .filter(|p| !p.is_empty());
        return Ok(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")));
    }
    Ok(authority
        .strip_suffix(':')
        .unwrap_or(authority)
        .to_ascii_lowercase())
}

fn path_end(uri: &str) -> usize {
    uri.find(['?', '#']).unwrap_or(uri.len())
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
