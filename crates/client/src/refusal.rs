//! An answer by which a peer refuses a handshake.

use hyco_protocol::tracking::{bare_id, extract_tracking_id};

use crate::answer::Answer;

/// An HTTP answer to a handshake that was not 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The reason phrase, each byte one character; may be empty.
    pub reason: String,
    /// From the header `TrackingId`, else from the reason phrase.
    pub tracking_id: Option<String>,
    /// The answer itself, where it was asked for.
    pub answer: Option<Box<Answer>>,
}

/// Who refused a handshake. Where neither is said, it may also be a proxy or another server on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// The listener, whose answer the relay passed on.
    Listener,
    /// The relay itself: its answers carry a tracking id.
    Relay,
}

impl RefusedBy {
    /// `listener` or `relay`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Relay => "relay",
        }
    }
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: String, tracking_id: Option<String>) -> Self {
        let tracking_id =
            tracking_id.or_else(|| extract_tracking_id(&reason).map(ToOwned::to_owned));
        Self {
            status,
            reason,
            tracking_id,
            answer: None,
        }
    }

    /// The service signs its own texts with a tracking id; a listener's text comes as it was given.
    pub(crate) fn is_from_service(&self) -> bool {
        extract_tracking_id(&self.reason).is_some_and(|id| !bare_id(id).is_empty())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason.is_empty() {
            true => write!(f, "{}", self.status),
            false => write!(f, "{} {}", self.status, self.reason),
        }
    }
}
