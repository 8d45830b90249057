//! What a listener tells the application.

use std::{sync::Arc, time::Duration};

use crate::{error::Error, http::RequestInfo};

/// Where a listener's events go. It is called on the listener's thread and must not block.
pub type Events = Arc<dyn Fn(ListenerEvent) + Send + Sync>;

/// Something happened to a listener.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenerEvent {
    /// A control channel is being opened.
    Connecting {
        /// Attempts since the listener was online last, this one included.
        attempt: u32,
    },
    /// The control channel is up: senders can connect.
    Online {
        /// The service's id of the control channel.
        tracking_id: Option<String>,
    },
    /// The control channel is down, or could not be opened.
    Offline {
        /// Attempts since the listener was online last; 0 when it was online just now.
        attempt: u32,
        /// How long it waits before the next attempt.
        delay: Duration,
        /// There is no next attempt; [`Closed`](Self::Closed) follows.
        is_final: bool,
        /// It was never online, and trying again cannot be expected to help.
        is_fatal: bool,
        /// Why.
        error: Arc<Error>,
    },
    /// A token is wanted; answer with [`Listener::provide_token`](crate::Listener::provide_token).
    TokenNeeded {
        /// The number of the question.
        request: u32,
    },
    /// The token was renewed on the open control channel.
    Renewed,
    /// A token could not be renewed; it is tried again, and the control channel is still up.
    RenewalFailed {
        /// Why.
        error: Arc<Error>,
    },
    /// A token that cannot be renewed is about to end; told once.
    TokenExpiring {
        /// What is left of its life.
        left: Duration,
    },
    /// The control channel is down: come back? Answer with
    /// [`Listener::decide_reconnect`](crate::Listener::decide_reconnect).
    ReconnectDecision {
        /// The number of the question.
        request: u32,
        /// As in [`Offline`](Self::Offline), which follows the answer.
        attempt: u32,
        /// The pause that the schedule proposes.
        delay: Duration,
        /// Why.
        error: Arc<Error>,
    },
    /// A sender wants to connect; take it with [`Listener::accept`](crate::Listener::accept) or refuse
    /// it with [`Listener::reject`](crate::Listener::reject) within 30 s.
    Accept(AcceptRequest),
    /// An HTTP request was not served, or not to its end; the sender has been told where that was
    /// possible.
    RequestFailed {
        /// The request; empty when it was not understood.
        info: RequestInfo,
        /// Why.
        error: Arc<Error>,
    },
    /// An HTTP request was answered; reported only after
    /// [`Listener::report_served`](crate::Listener::report_served).
    Served {
        /// The method.
        method: String,
        /// Path and query as the relay gave them.
        target: String,
        /// The status; 0 if the sender left before its answer.
        status: u16,
        /// How long it took.
        duration: Duration,
    },
    /// The listener is down for good; nothing follows.
    Closed,
}

/// A sender that wants to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptRequest {
    /// The number by which the application refers to it.
    pub accept: u32,
    /// The tracking id of the connection.
    pub id: String,
    /// Where to meet the sender.
    pub address: String,
    /// The headers of the sender's handshake.
    pub headers: Vec<(String, String)>,
    /// The sender's IP address as the relay saw it; may be empty.
    pub remote_address: String,
    /// The sender's port; may be 0.
    pub remote_port: u16,
}
