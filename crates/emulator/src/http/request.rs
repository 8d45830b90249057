//! A sender's request as its listener is told of it.

use http::{HeaderMap, request::Parts};
use hyco_protocol::{
    FullRequest, Headers, RemoteEndpoint, Target, http::without_hop_by_hop, uri::request_address,
};

use crate::{
    handshake::{connect_headers, text},
    visit::Visit,
};

/// What the sender's head has in bytes, all in all.
pub(super) fn head_length(parts: &Parts) -> usize {
    let headers = parts.headers.iter();
    headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// The command for a listener that reaches the relay at `base`.
pub(super) fn describe(
    visit: &Visit,
    target: &Target,
    parts: &Parts,
    id: &str,
    base: &str,
    body: bool,
    uses_authorization: bool,
) -> FullRequest {
    let mark = if target.query.is_empty() { "" } else { "?" };
    FullRequest {
        address: request_address(base, &target.path, &target.query, id),
        id: id.to_owned(),
        request_target: format!("{}{mark}{}", target.path, target.query),
        method: parts.method.to_string(),
        remote_endpoint: Some(RemoteEndpoint {
            address: visit.remote.ip().to_canonical().to_string(),
            port: visit.remote.port(),
        }),
        request_headers: headers(visit, &parts.headers, uses_authorization),
        body,
    }
}

/// The sender's headers without those of its connection and those that were for the relay, and with
/// the relay in `Via` (docs/protocol.md, 5.3).
fn headers(visit: &Visit, sent: &HeaderMap, uses_authorization: bool) -> Headers {
    let all = connect_headers(sent);
    let mut kept: Vec<(String, String)> = without_hop_by_hop(&all)
        .filter(|(name, _)| {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let is_used = is("authorization") && uses_authorization;
            let is_host = is("host") && !visit.relay.forward_host;
            !(is("expect") || is("via") || is_used || is_host)
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    kept.push(("Via".to_owned(), via(visit, sent, sent)));
    Headers(kept)
}

/// `Via` with the relay behind those that a message has passed already; its name is the request's host.
pub(super) fn via(visit: &Visit, request: &HeaderMap, passed: &HeaderMap) -> String {
    let local = visit.local.ip().to_string();
    let host = text(request, "host").unwrap_or(&local);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let mut vias: Vec<&str> = passed
        .get_all("via")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let own = format!("1.1 {host}");
    vias.push(&own);
    vias.join(", ")
}
