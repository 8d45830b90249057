//! Reaching a running relay from other threads.

use std::sync::{Arc, Weak};

use http::Method;
use tokio::sync::broadcast;

use crate::{
    admin::{self, AdminAnswer},
    events::Event,
    relay::Relay,
};

/// A running relay, seen from any thread. It does not keep the relay alive.
#[derive(Clone)]
pub struct Handle(Weak<Relay>);

impl Handle {
    pub(crate) fn new(relay: &Arc<Relay>) -> Self {
        Self(Arc::downgrade(relay))
    }

    /// Does what the administration over HTTP does for a method and a path below its own, as
    /// `GET listeners`; docs/emulator.md lists them. None when the relay has ended.
    pub fn request(&self, method: &str, target: &str, body: &[u8]) -> Option<AdminAnswer> {
        let relay = self.0.upgrade()?;
        let method = method.parse().unwrap_or(Method::OPTIONS);
        Some(admin::answer(&relay, &method, target, body))
    }

    /// What happens from now on; a receiver that is too slow misses some. None when the relay has ended.
    pub fn subscribe(&self) -> Option<broadcast::Receiver<Event>> {
        Some(self.0.upgrade()?.events.subscribe())
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}
