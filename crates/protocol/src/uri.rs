//! Building addresses from their parts, as `hyco-ws` does and as the relay does.

use crate::{
    action::Action,
    address::{origin_form, strip_hybrid},
    encoding::{encode, encode_component, encode_illegal},
    error::Error,
    legacy::Legacy,
    names::{self, HYBRID_SEGMENT},
    query::{push, strip_query},
    status::is_clean_reason,
};

/// `wss://{namespace}:443/$hc/{path}`.
///
/// A namespace may also carry a scheme and a port: `ws://localhost:9400`, `localhost:9400`,
/// `sb://contoso.servicebus.windows.net/`. A leading slash of the path is dropped, characters that are
/// illegal in a URI are percent-encoded; all else stands as given.
pub fn base_uri(namespace: &str, path: &str) -> String {
    let (scheme, authority) = match namespace.trim().split_once("://") {
        Some((scheme, rest)) => (websocket_scheme(scheme), rest),
        None => ("wss", namespace.trim()),
    };
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = encode_illegal(authority);
    let port = match (has_port(&authority), scheme) {
        (true, _) => "",
        (false, "ws") => ":80",
        (false, _) => ":443",
    };
    // A fragment would swallow the action.
    let path = encode_illegal(path.strip_prefix('/').unwrap_or(path)).replace('#', "%23");
    format!("{scheme}://{authority}{port}/{HYBRID_SEGMENT}/{path}")
}

/// The address at which a listener opens its control channel.
pub fn listen_uri(namespace: &str, path: &str, token: Option<&str>, id: Option<&str>) -> String {
    action_uri(Action::Listen, namespace, path, token, id)
}

/// The address to which a sender connects.
pub fn send_uri(namespace: &str, path: &str, token: Option<&str>, id: Option<&str>) -> String {
    action_uri(Action::Connect, namespace, path, token, id)
}

/// Adds `sb-hc-token` to a URI, after its query and before its fragment.
///
/// The URI is normalised as `appendRelayToken` of `hyco-ws` does, and may lack a query.
pub fn append_token(uri: &str, token: &str) -> Result<String, Error> {
    Ok(Legacy::parse(uri)?.with_parameter(names::TOKEN, &encode_component(token)))
}

/// What an application may see of a relay address: path and query without `/$hc` and `sb-hc-*`.
///
/// It always starts with a slash and is always a valid request target: what is illegal in a URI is
/// percent-encoded, and nothing is decoded.
pub fn application_url(address: &str) -> String {
    let rest = origin_form(address).split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = encode_illegal(strip_hybrid(path).0);
    let query = strip_query(query);
    let query = encode_illegal(&query);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{slash}{path}{mark}{query}")
}

/// The address that tells the relay to answer a sender with a status instead of a connection.
///
/// The relay answers such a request with 410, which is its success. Without a description the sender
/// gets the standard phrase of the status.
pub fn reject_address(
    address: &str,
    status: u16,
    description: Option<&str>,
) -> Result<String, Error> {
    if !(100..=999).contains(&status) {
        return Err(Error::InvalidRejection(
            "the status must be from 100 to 999",
        ));
    }
    if description.is_some_and(|text| !is_clean_reason(text)) {
        return Err(Error::InvalidRejection(
            "the description must be printable ASCII",
        ));
    }
    let mark = if address.contains('?') { '&' } else { '?' };
    let mut rejection = format!("{address}{mark}{}={status}", names::STATUS_CODE);
    if let Some(description) = description {
        push(
            &mut rejection,
            names::STATUS_DESCRIPTION,
            &encode(description),
        );
    }
    Ok(rejection)
}

/// The address at which a listener meets a sender; `base` is scheme and authority, `path` the sender's
/// path without `/$hc`, `query` what [`strip_query`] left of its query.
pub fn accept_address(base: &str, path: &str, query: &str, id: &str) -> String {
    rendezvous_address(Action::Accept, base, path, query, id)
}

/// The address at which a listener fetches or answers an HTTP request; as [`accept_address`].
pub fn request_address(base: &str, path: &str, query: &str, id: &str) -> String {
    rendezvous_address(Action::Request, base, path, query, id)
}

fn rendezvous_address(action: Action, base: &str, path: &str, query: &str, id: &str) -> String {
    let mut query = encode_illegal(query).into_owned();
    push(&mut query, names::ACTION, action.as_str());
    push(&mut query, names::ID, &encode(id));
    let (base, path) = (base.trim_end_matches('/'), encode_illegal(path));
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{base}/{HYBRID_SEGMENT}{slash}{path}?{query}")
}

fn action_uri(
    action: Action,
    namespace: &str,
    path: &str,
    token: Option<&str>,
    id: Option<&str>,
) -> String {
    let mut uri = base_uri(namespace, path);
    uri.push(if uri.contains('?') { '&' } else { '?' });
    uri.push_str(&format!("{}={action}", names::ACTION));
    for (name, value) in [(names::TOKEN, token), (names::ID, id)] {
        if let Some(value) = value {
            push(&mut uri, name, &encode_component(value));
        }
    }
    uri
}

fn websocket_scheme(scheme: &str) -> &'static str {
    match scheme.eq_ignore_ascii_case("ws") || scheme.eq_ignore_ascii_case("http") {
        true => "ws",
        false => "wss",
    }
}

fn has_port(authority: &str) -> bool {
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'))
}
