//! How a control channel ends.

use std::fmt;

use futures_util::SinkExt;
use hyco_protocol::status::clean_reason;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Utf8Bytes, error::ProtocolError, protocol::CloseFrame},
};

use super::MAX_MESSAGE;
use crate::{
    faults::Ending,
    linger::{LINGER, linger},
    stream::Stream,
};

/// Why a channel ends.
#[derive(Debug)]
pub(super) enum End {
    /// The relay ends it, with code and reason.
    Close(u16, String),
    /// The listener has sent a close frame.
    ByListener,
    /// The connection has failed.
    Lost(Error),
    /// The relay drops it, as it was asked to.
    Dropped,
}

impl End {
    /// Tells the listener, if it can be told.
    pub(super) async fn conclude(self, socket: WebSocketStream<Stream>) {
        match self {
            Self::Close(code, reason) => close(socket, code, &reason).await,
            Self::ByListener => answer_close(socket).await,
            Self::Lost(_) | Self::Dropped => {}
        }
    }
}

impl From<Ending> for End {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Close(code, reason) => Self::Close(code, reason),
            Ending::Drop => Self::Dropped,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(code, reason) => write!(f, "closed by the relay with {code}: {reason}"),
            Self::ByListener => f.write_str("closed by the listener"),
            Self::Lost(error) => write!(f, "lost: {error}"),
            Self::Dropped => f.write_str("dropped by the relay, as it was asked to"),
        }
    }
}

/// What breaks the protocol is told why; what fails is lost.
impl From<Error> for End {
    fn from(error: Error) -> Self {
        match &error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost(error),
            Error::Protocol(violation) => Self::Close(1002, violation.to_string()),
            Error::Utf8(_) => Self::Close(1007, "The text is not valid UTF-8.".to_owned()),
            Error::Capacity(_) => {
                let reason = format!("A message has at most {MAX_MESSAGE} bytes.");
                Self::Close(1009, reason)
            }
            _ => Self::Lost(error),
        }
    }
}

/// Answers the listener's close frame.
async fn answer_close(mut socket: WebSocketStream<Stream>) {
    let _ = timeout(LINGER, socket.flush()).await;
    linger(socket.into_inner()).await;
}

/// Sends a close frame and waits for the listener's end.
async fn close(mut socket: WebSocketStream<Stream>, code: u16, reason: &str) {
    let reason = clean_reason(reason);
    let reason: Utf8Bytes = reason[..reason.len().min(LONGEST_REASON)].into();
    let frame = CloseFrame {
        code: code.into(),
        reason,
    };
    if let Ok(Ok(())) = timeout(LINGER, socket.close(Some(frame))).await {
        linger(socket.into_inner()).await;
    }
}

/// What fits into a close frame beside its code.
const LONGEST_REASON: usize = 123;
