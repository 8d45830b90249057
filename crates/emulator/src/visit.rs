//! One client's connection while its requests are answered, and what it becomes afterwards.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, header::HOST};
use hyco_protocol::Target;
use tokio::sync::oneshot;

use crate::{
    accept::Rendezvous,
    bridge::Joined,
    control::ControlChannel,
    handshake,
    http::{self as relayed, Kept},
    relay::Relay,
};

/// What one connection's requests share.
pub(crate) struct Visit {
    pub(crate) relay: Arc<Relay>,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) secure: bool,
    /// Whether its place is one that only listeners' dials may have.
    pub(crate) for_dial: bool,
    next: Mutex<Option<Next>>,
    /// A rendezvous that waits for this sender's next request.
    kept: Mutex<Option<Kept>>,
}

/// What becomes of a connection after its 101.
pub(crate) enum Next {
    /// A listener's control channel.
    Control(Box<ControlChannel>),
    /// A sender's end of a relayed connection; it goes to the listener's task.
    Sender(oneshot::Sender<Joined>),
    /// A listener's end of a relayed connection; it waits for the sender's.
    Listener(Rendezvous),
    /// A listener's rendezvous for an HTTP request.
    Request(Box<relayed::Rendezvous>),
}

impl Visit {
    pub(crate) fn new(
        relay: Arc<Relay>,
        remote: SocketAddr,
        local: SocketAddr,
        secure: bool,
        for_dial: bool,
    ) -> Self {
        Self {
            relay,
            remote,
            local,
            secure,
            for_dial,
            next: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// Says what the connection becomes after the 101 that is being answered.
    pub(crate) fn becomes(&self, next: Next) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    /// Keeps a rendezvous for the next request.
    pub(crate) fn keep(&self, kept: Option<Kept>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// The rendezvous that was kept.
    pub(crate) fn take_kept(&self) -> Option<Kept> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// What the connection has become.
    pub(crate) fn take_next(&self) -> Option<Next> {
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Scheme, host and port by which this client reaches the relay.
    pub(crate) fn base(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.relay.public_url {
            return url.clone();
        }
        let scheme = if self.secure { "wss" } else { "ws" };
        match handshake::text(headers, HOST.as_str()) {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}", self.local),
        }
    }

    /// Where a request went, as error texts say it.
    pub(crate) fn system_tracker(&self, headers: &HeaderMap, target: &Target) -> String {
        let local = self.local.to_string();
        let host = handshake::text(headers, HOST.as_str()).unwrap_or(&local);
        format!("sb://{host}{}", target.path)
    }
}
