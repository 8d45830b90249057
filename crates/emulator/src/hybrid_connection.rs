//! A hybrid connection and the listeners that wait at it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use hyco_protocol::{Rule, tracking::bare_id};
use tokio::sync::{mpsc, watch};

use crate::{error::Error, options::HybridConnectionOptions};

/// A named meeting point.
pub(crate) struct HybridConnection {
    pub(crate) path: String,
    pub(crate) requires_client_authorization: bool,
    pub(crate) created: SystemTime,
    rules: RwLock<Vec<Rule>>,
    listeners: Mutex<Vec<Arc<Listener>>>,
    deleted: AtomicBool,
    /// Its frames go into the journal.
    recorded: AtomicBool,
}

/// A listener whose control channel is up.
pub(crate) struct Listener {
    pub(crate) serial: u64,
    /// The part of its tracking id by which senders ask for it or exclude it.
    pub(crate) id: String,
    /// Scheme, host and port by which it reaches the relay.
    pub(crate) base: String,
    pub(crate) remote: SocketAddr,
    pub(crate) since: SystemTime,
    /// How many senders it has been told of.
    pub(crate) announced: AtomicU64,
    /// Takes the commands for its control channel.
    pub(crate) commands: mpsc::Sender<Outgoing>,
    /// Tells its control channel what the relay wants of it.
    orders: watch::Sender<Orders>,
}

/// A command for a listener, and the body of the request right behind it (docs/protocol.md, 3.3).
pub(crate) type Outgoing = (String, Option<Bytes>);

/// What the relay wants of a control channel.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// To close it with a code and a reason, or without either to drop it.
    pub(crate) end: Option<Option<(u16, String)>>,
}

/// Keeps a listener registered; dropping it makes its place free.
pub(crate) struct Registration {
    connection: Arc<HybridConnection>,
    pub(crate) serial: u64,
    pub(crate) orders: watch::Receiver<Orders>,
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
            created: SystemTime::now(),
            rules: RwLock::new(options.rules),
            listeners: Mutex::default(),
            deleted: AtomicBool::new(false),
            recorded: AtomicBool::new(false),
        })
    }

    /// Registers a listener until the registration is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        id: &str,
        base: String,
        remote: SocketAddr,
        commands: mpsc::Sender<Outgoing>,
        most: usize,
    ) -> Result<Registration, TooManyListeners> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (orders, ordered) = watch::channel(Orders::default());
        let mut listeners = self.lock();
        if listeners.len() >= most {
            return Err(TooManyListeners);
        }
        listeners.push(Arc::new(Listener {
            serial,
            id: bare_id(id).to_owned(),
            base,
            remote,
            since: SystemTime::now(),
            announced: AtomicU64::new(0),
            commands,
            orders,
        }));
        Ok(Registration {
            connection: Arc::clone(self),
            serial,
            orders: ordered,
        })
    }

    /// The listeners that are connected now.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        self.lock().clone()
    }

    /// Whether a listener is connected that came after the one with that number.
    pub(crate) fn has_listener_since(&self, serial: u64) -> bool {
        self.lock().iter().any(|listener| listener.serial > serial)
    }

    /// Its own rules.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives it other rules.
    pub(crate) fn set_rules(&self, rules: Vec<Rule>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// It is no more; whoever still holds it finds out here.
    pub(crate) fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recorded(&self, recorded: bool) {
        self.recorded.store(recorded, Ordering::Relaxed);
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

    /// Ends its control channel: with a code and a reason, or without a close frame. The first order
    /// stands.
    pub(crate) fn end(&self, closing: Option<(u16, String)>) {
        self.orders.send_modify(|orders| {
            orders.end.get_or_insert(closing);
        });
    }

    /// Lets its control channel look at the faults again.
    pub(crate) fn faults_changed(&self) {
        self.orders.send_modify(|_| {});
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connection
            .lock()
            .retain(|listener| listener.serial != self.serial);
    }
}

static SERIAL: AtomicU64 = AtomicU64::new(1);
