//! A hybrid connection and the listeners that wait at it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use hyco_protocol::{Rule, tracking::bare_id};
use tokio::sync::mpsc;

use crate::{error::Error, options::HybridConnectionOptions};

/// A named meeting point.
pub(crate) struct HybridConnection {
    pub(crate) path: String,
    pub(crate) requires_client_authorization: bool,
    pub(crate) rules: Vec<Rule>,
    listeners: Mutex<Vec<Arc<Listener>>>,
}

/// A listener whose control channel is up.
pub(crate) struct Listener {
    serial: u64,
    /// The part of its tracking id by which senders ask for it or exclude it.
    id: String,
    /// Scheme, host and port by which it reaches the relay.
    pub(crate) base: String,
    /// Takes the commands for its control channel.
    pub(crate) commands: mpsc::Sender<String>,
}

/// Keeps a listener registered; dropping it makes its place free.
pub(crate) struct Registration {
    connection: Arc<HybridConnection>,
    serial: u64,
}

/// As many listeners are registered as may be.
#[derive(Debug)]
pub(crate) struct TooManyListeners;

impl HybridConnection {
    pub(crate) fn new(options: HybridConnectionOptions) -> Result<Self, Error> {
        let path = options.path.trim_matches('/').to_owned();
        if path.is_empty() || path.split('/').any(str::is_empty) || path.contains(['?', '#']) {
            return Err(Error::InvalidOption {
                option: "hybridConnections",
                reason: format!("'{}' is not a path", options.path),
            });
        }
        Ok(Self {
            path,
            requires_client_authorization: options.requires_client_authorization,
            rules: options.rules,
            listeners: Mutex::default(),
        })
    }

    /// Registers a listener until the registration is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        id: &str,
        base: String,
        commands: mpsc::Sender<String>,
        most: usize,
    ) -> Result<Registration, TooManyListeners> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut listeners = self.lock();
        if listeners.len() >= most {
            return Err(TooManyListeners);
        }
        listeners.push(Arc::new(Listener {
            serial,
            id: bare_id(id).to_owned(),
            base,
            commands,
        }));
        Ok(Registration {
            connection: Arc::clone(self),
            serial,
        })
    }

    /// The listeners that are connected now.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Listener>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Whether one of the ids is this listener's; ids are compared by their GUID, in any case.
    pub(crate) fn is_named_in(&self, ids: &[&str]) -> bool {
        ids.iter()
            .any(|id| bare_id(id).eq_ignore_ascii_case(&self.id))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connection
            .lock()
            .retain(|listener| listener.serial != self.serial);
    }
}

static SERIAL: AtomicU64 = AtomicU64::new(0);
