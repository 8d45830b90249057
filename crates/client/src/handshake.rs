//! The two ends of a WebSocket handshake as HTTP: the request to send, the answer to judge.

use http::{
    HeaderName, HeaderValue, Request, Response,
    header::{
        CONNECTION, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyco_protocol::{Secrets, names::TRACKING_ID_HEADER};
use tokio_tungstenite::tungstenite::{
    self,
    error::{ProtocolError, SubProtocolError},
    handshake::client::generate_key,
};

use crate::{
    endpoint::Endpoint,
    error::{Error, Refusal, Result},
};

/// The request for a WebSocket at that endpoint.
pub(crate) fn request(
    endpoint: &Endpoint,
    headers: &[(String, String)],
    protocols: &[String],
) -> Result<Request<()>> {
    let scheme = if endpoint.secure { "wss" } else { "ws" };
    let uri = format!("{scheme}://{}{}", endpoint.authority, endpoint.target);
    let mut request = Request::get(uri)
        .body(())
        .map_err(|_| Error::InvalidAddress("the path and query cannot be sent"))?;

    let own = request.headers_mut();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::InvalidHeader(name.clone()))?;
        if !HANDSHAKE_HEADERS.contains(&name) {
            let value = header_value(&name, value)?;
            own.append(name, value);
        }
    }
    if !own.contains_key(HOST) {
        own.insert(HOST, header_value(&HOST, &endpoint.authority)?);
    }
    own.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    own.insert(UPGRADE, HeaderValue::from_static("websocket"));
    own.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    own.insert(
        SEC_WEBSOCKET_KEY,
        header_value(&SEC_WEBSOCKET_KEY, &generate_key())?,
    );
    if !protocols.is_empty() {
        let offer = header_value(&SEC_WEBSOCKET_PROTOCOL, &protocols.join(","))?;
        own.insert(SEC_WEBSOCKET_PROTOCOL, offer);
    }
    Ok(request)
}

/// Checks what tungstenite leaves open in an answer of 101.
pub(crate) fn check(response: &tungstenite::handshake::client::Response) -> Result<()> {
    if response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        let text = "Server sent a Sec-WebSocket-Extensions header but no extension was requested";
        return Err(Error::Protocol(text.to_owned()));
    }
    Ok(())
}

/// What a failed handshake means; the texts of protocol errors are those of npm `ws`.
pub(crate) fn failure(error: tungstenite::Error, reason: &str, secrets: &Secrets) -> Error {
    let text = match error {
        tungstenite::Error::Http(response) => {
            let tracking_id = header(&response, TRACKING_ID_HEADER).map(|id| secrets.hide(&id));
            let status = response.status().as_u16();
            return Error::refused(Refusal::new(status, secrets.hide(reason), tracking_id));
        }
        tungstenite::Error::Io(error) => return Error::Handshake(error),
        tungstenite::Error::Protocol(error) => match error {
            ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingConnectionUpgradeHeader => "Invalid Upgrade header".to_owned(),
            ProtocolError::SecWebSocketAcceptKeyMismatch => {
                "Invalid Sec-WebSocket-Accept header".to_owned()
            }
            ProtocolError::SecWebSocketSubProtocolError(error) => sub_protocol(error).to_owned(),
            other => other.to_string(),
        },
        other => other.to_string(),
    };
    Error::Protocol(secrets.hide(&text))
}

/// The first header of that name, each byte one character.
pub(crate) fn header<T>(response: &Response<T>, name: &str) -> Option<String> {
    response.headers().get(name).map(text)
}

fn text(value: &HeaderValue) -> String {
    value
        .as_bytes()
        .iter()
        .map(|&byte| char::from(byte))
        .collect()
}

/// Node writes header values as Latin-1, so one character is one byte.
fn header_value(name: &HeaderName, value: &str) -> Result<HeaderValue> {
    let invalid = || Error::InvalidHeader(name.to_string());
    if value.is_ascii() {
        return HeaderValue::from_str(value).map_err(|_| invalid());
    }
    let bytes: std::result::Result<Vec<u8>, _> = value
        .chars()
        .map(|char| u8::try_from(u32::from(char)))
        .collect();
    HeaderValue::from_bytes(&bytes.map_err(|_| invalid())?).map_err(|_| invalid())
}

fn sub_protocol(error: SubProtocolError) -> &'static str {
    match error {
        SubProtocolError::ServerSentSubProtocolNoneRequested => {
            "Server sent a subprotocol but none was requested"
        }
        SubProtocolError::InvalidSubProtocol => "Server sent an invalid subprotocol",
        SubProtocolError::NoSubProtocol => "Server sent no subprotocol",
    }
}

/// What the handshake itself sets. An extension must never be offered: the relay would take the offer
/// of a listener for the answer to the sender (docs/protocol.md, 4.2).
const HANDSHAKE_HEADERS: [HeaderName; 6] = [
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
];
