//! The `X-Forwarded-` lines of a request.

use hyco_protocol::{Headers, RemoteEndpoint};

/// Tells a server behind a proxy who has sent a request, and how.
pub(super) fn append_forwarded(
    headers: &mut Headers,
    secure: bool,
    remote: Option<&RemoteEndpoint>,
) {
    let proto = if secure { "https" } else { "http" };
    headers
        .0
        .push(("X-Forwarded-Proto".to_owned(), proto.to_owned()));
    if let Some(remote) = remote {
        headers
            .0
            .push(("X-Forwarded-For".to_owned(), remote.address.clone()));
    }
}
