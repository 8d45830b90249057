//! A sender that waits for an answer, and may leave without one.

use std::net::SocketAddr;

use tokio::time::Instant;

use crate::{
    events::{EventKind, shown},
    relay::Relay,
};

/// Tells, when it is dropped before the sender was answered, that the sender has left: nothing else would.
pub(crate) struct Waiting<'a> {
    relay: &'a Relay,
    remote: SocketAddr,
    path: &'a str,
    id: &'a str,
    since: Instant,
    answered: bool,
}

impl<'a> Waiting<'a> {
    /// A sender begins to wait.
    pub(crate) fn new(relay: &'a Relay, remote: SocketAddr, path: &'a str, id: &'a str) -> Self {
        Self {
            relay,
            remote,
            path,
            id,
            since: Instant::now(),
            answered: false,
        }
    }

    /// It is answered, whatever the answer is.
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // The end of the relay is no sender's doing.
        if self.answered || *self.relay.stop.borrow() {
            return;
        }
        let (path, waited) = (shown(self.path), self.since.elapsed().as_millis());
        self.relay.events.tell(EventKind::Warning {
            message: format!(
                "the sender {} at {path} left after {waited} ms, before a listener had answered it",
                self.remote
            ),
            tracking_id: Some(self.id.to_owned()),
        });
    }
}
