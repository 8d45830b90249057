//! From a URI to the resource that a token is signed for (docs/protocol.md, 2.3).

use crate::{
    address::{split_authority, strip_hybrid},
    encoding::encode_illegal,
    error::Error,
};

/// The canonical form: `http`, host in lower case, no port, no `/$hc`, a slash at the end.
pub(crate) fn canonical(uri: &str) -> Result<String, Error> {
    let (host, path) = host_and_path(uri)?;
    Ok(canonical_of(&host, path))
}

/// As [`canonical`], of a host and a path that were taken apart already.
pub(crate) fn canonical_of(host: &str, path: &str) -> String {
    let path = encode_illegal(strip_hybrid(path).0);
    let slash = if path.ends_with('/') { "" } else { "/" };
    format!("http://{host}{path}{slash}")
}

/// The host, in lower case and without port, and the path of a URI. The scheme may be missing.
pub(crate) fn host_and_path(uri: &str) -> Result<(String, &str), Error> {
    let uri = uri.trim();
    let uri = &uri[..uri.find(['?', '#']).unwrap_or(uri.len())];
    let rest = match uri.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest,
        _ => uri,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, _) = split_authority(authority)?;
    Ok((host, if path.is_empty() { "/" } else { path }))
}
