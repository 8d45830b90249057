//! The JSON that is spoken on a control channel, one object with a single key per text message.
//!
//! From the relay to the listener ([`Command`]):
//!
//! ```json
//! {"accept":{"address":"wss://…/$hc/hyco?sb-hc-action=accept&sb-hc-id=…","id":"…","connectHeaders":{"Host":"…"},"remoteEndpoint":{"address":"73.83.210.109","port":62917}}}
//! {"request":{"address":"wss://…","id":"…","requestTarget":"/hyco","method":"POST","requestHeaders":{},"body":true}}
//! {"request":{"address":"wss://…"}}
//! ```
//!
//! From the listener to the relay ([`Reply`]):
//!
//! ```json
//! {"renewToken":{"token":"SharedAccessSignature …"}}
//! {"response":{"requestId":"…","statusCode":200,"statusDescription":"OK","responseHeaders":{},"body":false}}
//! ```
//!
//! Readers are liberal: unknown keys and members are ignored, a missing member takes its default, a status
//! may be a string. Writers write known members only, since Java's client refuses others.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    wire::{parse, port, response_headers, status_code, write},
};

/// The longest JSON of a command: .NET reads into a buffer of this size, Java refuses more.
pub const MAX_COMMAND: usize = 64 * 1024;

/// The longest HTTP body that travels on the control channel.
pub const MAX_CONTROL_BODY: usize = 64 * 1024;

/// Names and values of headers, in order. On the wire an object; a repeated name is joined by `, `.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of that name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A sender's address as the relay saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteEndpoint {
    /// The IP address.
    pub address: String,
    /// The port; 0 where the relay tells none that could be one.
    #[serde(deserialize_with = "port")]
    pub port: u16,
}

/// What the relay says to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// A sender wants to connect.
    Accept(Accept),
    /// An HTTP request wants an answer.
    Request(Request),
    /// Something else, by its key; to be ignored.
    Unknown(String),
}

/// A sender wants to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accept {
    /// Where to meet the sender; dial it as it stands.
    pub address: String,
    /// The tracking id of the connection.
    #[serde(default)]
    pub id: String,
    /// The headers of the sender's handshake.
    #[serde(default)]
    pub connect_headers: Headers,
    /// The sender's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_endpoint: Option<RemoteEndpoint>,
}

/// An HTTP request wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The request itself lies at this address: its body is too large for the control channel.
    Pointer {
        /// Where to fetch the request and to answer it.
        address: String,
    },
    /// The request. If it has a body, a binary message with it follows.
    Full(FullRequest),
}

/// An HTTP request without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FullRequest {
    /// Where the response may be sent instead of the control channel.
    pub address: String,
    /// The id that the response names.
    pub id: String,
    /// Path and query, without the relay's parameters.
    pub request_target: String,
    /// The method.
    pub method: String,
    /// The sender's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_endpoint: Option<RemoteEndpoint>,
    /// The headers.
    pub request_headers: Headers,
    /// Whether a binary message with the body follows.
    pub body: bool,
}

/// What a listener says to the relay.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The token that from now on authorizes the control channel.
    RenewToken(String),
    /// The answer to an HTTP request.
    Response(Response),
    /// Something else, by its key; to be ignored.
    Unknown(String),
}

/// The answer to an HTTP request, without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The id of the request; compare by [`bare_id`](crate::tracking::bare_id).
    pub request_id: String,
    /// The status.
    #[serde(deserialize_with = "status_code")]
    pub status_code: u16,
    /// The reason phrase; none means the standard one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_description: Option<String>,
    /// The headers. On the wire a repeated name is joined by `, `, but for `Set-Cookie`: in the same
    /// letters it becomes an array, in others it stands by itself.
    #[serde(default, serialize_with = "response_headers")]
    pub response_headers: Headers,
    /// Whether a binary message with the body follows.
    #[serde(default)]
    pub body: bool,
}

impl Command {
    /// Reads a text message of a control channel or a rendezvous.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse(text)
    }

    /// The text message.
    pub fn to_json(&self) -> String {
        match self {
            Self::Accept(accept) => write("accept", accept),
            Self::Request(Request::Full(request)) => write("request", request),
            Self::Request(Request::Pointer { address }) => {
                write("request", &serde_json::json!({ "address": address }))
            }
            Self::Unknown(key) => write(key, &serde_json::json!({})),
        }
    }
}

impl Reply {
    /// Reads a text message of a control channel or a rendezvous.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse(text)
    }

    /// The text message.
    pub fn to_json(&self) -> String {
        match self {
            Self::RenewToken(token) => write("renewToken", &serde_json::json!({ "token": token })),
            Self::Response(response) => write("response", response),
            Self::Unknown(key) => write(key, &serde_json::json!({})),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RenewToken(_) => f.write_str("RenewToken(***)"),
            Self::Response(response) => f.debug_tuple("Response").field(response).finish(),
            Self::Unknown(key) => f.debug_tuple("Unknown").field(key).finish(),
        }
    }
}
