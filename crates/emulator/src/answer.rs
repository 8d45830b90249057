//! What the relay answers to a handshake.

use std::io;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_TYPE, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use http_body_util::combinators::UnsyncBoxBody;
use hyco_protocol::{
    Rejection, TokenError,
    status::{clean_reason, error_text, standard_phrase},
};
use hyper::ext::ReasonPhrase;

use crate::{http::Body, relay::unix_now};

/// An answer; those to handshakes have empty bodies.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A request that the relay itself refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// What most likely helps; for the log, not for the answer.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what most likely helps.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The answer: the message is the reason phrase, with what helps to find the request in a log.
    pub(crate) fn into_answer(self, tracking_id: &str, system_tracker: &str) -> Answer {
        let reason = error_text(&self.message, tracking_id, system_tracker, unix_now());
        let mut answer = refusal(self.status, &reason, tracking_id);
        if self.status == StatusCode::UPGRADE_REQUIRED.as_u16() {
            answer
                .headers_mut()
                .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
}

impl Failure {
    /// The answer to an HTTP sender: JSON with a code, and no `Via`, by which it knows that no listener
    /// has answered (docs/protocol.md, 5.7).
    pub(crate) fn into_http_answer(self, tracking_id: &str, system_tracker: &str) -> Answer {
        let message = error_text(&self.message, tracking_id, system_tracker, unix_now());
        let code = match self.status {
            401 => "TokenMissingOrInvalid",
            403 => "Forbidden",
            404 => "EndpointNotFound",
            500 => "InternalServerError",
            502 => "BadGateway",
            504 => "GatewayTimeout",
            _ => "BadRequest",
        };
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        let mut answer = refusal(self.status, &message, tracking_id);
        answer.headers_mut().remove(CONNECTION);
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *answer.body_mut() = Body::from(Bytes::from(body.to_string())).boxed();
        answer
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

/// The 101 that ends a handshake well.
pub(crate) fn switching_protocols(
    accept_key: &str,
    tracking_id: &str,
    protocol: Option<HeaderValue>,
    extensions: Option<HeaderValue>,
) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, value(accept_key));
    headers.insert(TRACKING_ID, value(tracking_id));
    if let Some(protocol) = protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    if let Some(extensions) = extensions {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    answer
}

/// The listener's refusal, for its sender: its status and its words, nothing added.
///
/// A status below 200 would leave the sender waiting for another one, so it becomes 400.
pub(crate) fn rejected(rejection: &Rejection, tracking_id: &str) -> Answer {
    let reason = rejection
        .description
        .as_deref()
        .unwrap_or_else(|| standard_phrase(rejection.status));
    let status = if rejection.status < 200 {
        400
    } else {
        rejection.status
    };
    refusal(status, &clean_reason(reason), tracking_id)
}

/// An answer after which the connection ends.
pub(crate) fn refusal(status: u16, reason: &str, tracking_id: &str) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes()) {
        answer.extensions_mut().insert(reason);
    }
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer.headers_mut().insert(TRACKING_ID, value(tracking_id));
    answer
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(&clean_reason(text)).unwrap_or(HeaderValue::from_static(""))
}

const TRACKING_ID: HeaderName = HeaderName::from_static("trackingid");
