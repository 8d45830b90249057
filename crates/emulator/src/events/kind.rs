//! What can happen in a relay.

use serde::Serialize;

use super::cut;

/// What has happened. Tokens and keys are in none of the texts.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum EventKind {
    /// A handshake ended well.
    Handshake {
        /// `listen`, `connect` or `accept`.
        action: &'static str,
        /// The path of the request.
        path: String,
        /// The client's address.
        remote: String,
        /// The id under which the relay knows the request.
        tracking_id: String,
        /// How long it took, in milliseconds.
        duration: u64,
    },
    /// A request was refused, by the relay or by a listener.
    Refused {
        /// `listen`, `connect`, `accept` or `http`.
        action: &'static str,
        /// The path of the request.
        path: String,
        /// The client's address.
        remote: String,
        /// The id under which the relay knows the request.
        tracking_id: String,
        /// The status of the answer.
        status: u16,
        /// Why.
        reason: String,
        /// What most likely helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// How long it took, in milliseconds.
        duration: u64,
    },
    /// Requests were refused, or warnings given, in such a number that they are counted only.
    Suppressed {
        /// How many refusals.
        refusals: u64,
        /// How many warnings.
        warnings: u64,
    },
    /// An HTTP request that a listener has answered has ended.
    Answered {
        /// The number of the request.
        request: u64,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The method.
        method: String,
        /// The path of the request.
        path: String,
        /// The sender's address.
        remote: String,
        /// The id under which the relay and the listener know the request.
        tracking_id: String,
        /// The status of the answer.
        status: u16,
        /// Whether the sender got the whole answer.
        whole: bool,
        /// How long it took, in milliseconds.
        duration: u64,
        /// Bytes of the request's body.
        to_listener: u64,
        /// Bytes of the answer's body.
        to_sender: u64,
    },
    /// A sender and a listener have met.
    Paired {
        /// The number of the relayed connection.
        connection: u64,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The id under which the relay knows the connection.
        tracking_id: String,
        /// The sender's address.
        sender: String,
        /// The listener's address.
        listener: String,
    },
    /// A listener's control channel, or a relayed connection, has ended.
    Closed {
        /// `listener` or `connection`.
        what: &'static str,
        /// The number of the relayed connection.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection: Option<u64>,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The id under which the relay knows it.
        tracking_id: String,
        /// How it ended.
        reason: String,
        /// How long it lasted, in milliseconds.
        duration: u64,
        /// What went to the listener.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_listener: Option<Traffic>,
        /// What went to the sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_sender: Option<Traffic>,
    },
    /// A fault that was asked for has struck.
    Fault {
        /// The number of the fault.
        fault: u64,
        /// Its kind.
        kind: &'static str,
        /// What it struck: a path, or an id.
        target: String,
    },
    /// The namespace has changed.
    Changed {
        /// What was done, as "created the hybrid connection hyco".
        what: String,
    },
    /// Something that deserves attention, and stops nothing.
    Warning {
        /// What.
        message: String,
        /// The id under which the relay knows the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        tracking_id: Option<String>,
    },
    /// A frame that came while its hybrid connection was recorded.
    Frame {
        /// The number of the relayed connection.
        connection: u64,
        /// `listener` or `sender`: where it goes.
        to: &'static str,
        /// Its kind: `text`, `binary`, `continuation`, `ping`, `pong` or `close`.
        kind: &'static str,
        /// Whether it is the last one of its message.
        fin: bool,
        /// The length of its payload, in bytes.
        length: u64,
        /// The first bytes of its payload, in base64.
        start: String,
    },
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl EventKind {
    /// The texts whose length clients decide, as far as nothing else has limited them.
    pub(super) fn shorten(&mut self) {
        match self {
            Self::Answered {
                method,
                tracking_id,
                ..
            } => {
                cut(method);
                cut(tracking_id);
            }
            Self::Handshake { tracking_id, .. }
            | Self::Refused { tracking_id, .. }
            | Self::Paired { tracking_id, .. }
            | Self::Closed { tracking_id, .. }
            | Self::Fault {
                target: tracking_id,
                ..
            }
            | Self::Warning {
                tracking_id: Some(tracking_id),
                ..
            } => cut(tracking_id),
            _ => {}
        }
    }

    /// What the event takes in the journal.
    pub(super) fn size(&self) -> usize {
        let texts = match self {
            Self::Handshake {
                path, tracking_id, ..
            } => path.len() + tracking_id.len(),
            Self::Refused {
                path,
                tracking_id,
                reason,
                hint,
                ..
            } => {
                let hint = hint.as_ref().map_or(0, String::len);
                path.len() + tracking_id.len() + reason.len() + hint
            }
            Self::Suppressed { .. } => 0,
            Self::Answered {
                hybrid_connection,
                method,
                path,
                tracking_id,
                ..
            } => hybrid_connection.len() + method.len() + path.len() + tracking_id.len(),
            Self::Paired {
                hybrid_connection,
                tracking_id,
                ..
            } => hybrid_connection.len() + tracking_id.len(),
            Self::Closed {
                hybrid_connection,
                tracking_id,
                reason,
                ..
            } => hybrid_connection.len() + tracking_id.len() + reason.len(),
            Self::Fault { target, .. } => target.len(),
            Self::Changed { what } => what.len(),
            Self::Warning {
                message,
                tracking_id,
            } => message.len() + tracking_id.as_ref().map_or(0, String::len),
            Self::Frame { start, .. } => start.len(),
        };
        FIXED_SIZE + texts
    }
}

/// What an event takes beside its texts.
const FIXED_SIZE: usize = 512;
