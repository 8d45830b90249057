//! Reading the head of a WebSocket handshake.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Version,
    header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyco_protocol::{Headers, Target, names, status::WEB_SOCKET_ONLY};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::answer::Failure;

/// A WebSocket request that has been read.
pub(crate) struct Handshake {
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) accept_key: String,
    /// The client's tracking id with the relay's suffix.
    pub(crate) tracking_id: String,
}

/// Whether the request asks for a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_word(headers, UPGRADE, "websocket")
}

/// Checks a WebSocket handshake; gives the value of `Sec-WebSocket-Accept`.
pub(crate) fn accept_key<B>(request: &Request<B>) -> Result<String, Failure> {
    let headers = request.headers();
    if request.method() != Method::GET || !is_upgrade(headers) {
        return Err(Failure::new(400, WEB_SOCKET_ONLY));
    }
    if request.version() < Version::HTTP_11 || !has_word(headers, CONNECTION, "upgrade") {
        return Err(Failure::new(
            400,
            "The handshake lacks 'Connection: Upgrade'.",
        ));
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(Failure::new(
            426,
            "Only version 13 of the WebSocket protocol is spoken.",
        ));
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if key.len() != KEY_LENGTH || BASE64_STANDARD.decode(key).is_err() {
        return Err(Failure::new(
            400,
            "The handshake has no valid Sec-WebSocket-Key.",
        ));
    }
    Ok(derive_accept_key(key))
}

/// The first value of a header, if it is text and not blank.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

/// The ids in a list header, if there is one.
pub(crate) fn ids<'a>(headers: &'a HeaderMap, name: &str) -> Option<Vec<&'a str>> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let ids = values.iter().filter_map(|value| value.to_str().ok());
    (!values.is_empty()).then(|| {
        ids.flat_map(|ids| ids.split(','))
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .collect()
    })
}

/// The headers for a listener: all but the token and what is for the relay alone, with the names in
/// their usual capitals, since some listeners compare them letter by letter.
pub(crate) fn connect_headers(headers: &HeaderMap) -> Headers {
    let for_relay = [
        names::AUTHORIZATION_HEADER,
        names::ALLOWED_LISTENERS_HEADER,
        names::DISALLOWED_LISTENERS_HEADER,
    ];
    let forwarded = headers
        .iter()
        .filter(|(name, _)| {
            !for_relay
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name.as_str()))
        })
        .map(|(name, value)| (capitalized(name), latin1(value)));
    Headers(forwarded.collect())
}

fn capitalized(name: &HeaderName) -> String {
    let word = |word: &str| match word {
        "websocket" => "WebSocket".to_owned(),
        word => {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    };
    name.as_str()
        .split('-')
        .map(word)
        .collect::<Vec<_>>()
        .join("-")
}

/// Header bytes beyond ASCII mean Latin-1 to Node and to .NET.
fn latin1(value: &HeaderValue) -> String {
    value
        .as_bytes()
        .iter()
        .map(|&byte| char::from(byte))
        .collect()
}

fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name);
    let mut words = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// 16 bytes in base64.
const KEY_LENGTH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_get_their_usual_capitals_e19() {
        for name in [
            "Sec-WebSocket-Key",
            "Host",
            "User-Agent",
            "X-Forwarded-For",
            "Cookie",
        ] {
            let lower: HeaderName = name.parse().unwrap();
            assert_eq!(capitalized(&lower), name);
        }
    }

    #[test]
    fn the_relays_own_headers_are_not_forwarded_e19_e21() {
        let mut headers = HeaderMap::new();
        for name in [
            "servicebusauthorization",
            "microsoft-relay-allowedlisteners",
            "authorization",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let forwarded = connect_headers(&headers);
        assert_eq!(forwarded.0, [("Authorization".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn header_values_are_text_whatever_their_bytes_e19() {
        let mut headers = HeaderMap::new();
        headers.append("x-name", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(connect_headers(&headers).get("X-Name"), Some("café"));
    }
}
