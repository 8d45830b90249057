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
use hyco_protocol::{Rule, status::ENDPOINT_DOES_NOT_EXIST, tracking::bare_id};
use tokio::sync::{mpsc, watch};

use crate::{answer::Failure, error::Error, options::HybridConnectionOptions, valid};

/// A named meeting point.
pub(crate) struct HybridConnection {
    pub(crate) path: String,
    pub(crate) requires_client_authorization: bool,
    pub(crate) created: SystemTime,
    rules: RwLock<Vec<Rule>>,
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// Tells those who wait here that there is nothing to wait for.
    dismissal: watch::Sender<Dismissal>,
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

/// What has become of a hybrid connection while somebody waits at it.
#[derive(Clone, Copy, Default)]
struct Dismissal {
    deleted: bool,
    /// How often the relay was reset.
    resets: u64,
}

/// A sender's view of the hybrid connection at which it waits.
pub(crate) struct Dismissed {
    now: watch::Receiver<Dismissal>,
    /// How often the relay had been reset when it began to wait.
    resets: u64,
}

/// Keeps a listener registered; dropping it makes its place free.
pub(crate) struct Registration {
    connection: Arc<HybridConnection>,
    pub(crate) serial: u64,
    pub(crate) orders: watch::Receiver<Orders>,
}

/// Why a listener is not registered.
#[derive(Debug)]
pub(crate) enum Unregistered {
    /// As many are registered as may be.
    TooMany,
    /// The hybrid connection has just been deleted.
    Deleted,
}

impl HybridConnection {
    pub(crate) fn new(options: HybridConnectionOptions) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidOption {
            option: "hybridConnections",
            reason,
        };
        let path = valid::path(&options.path).map_err(invalid)?;
        valid::rules(&options.rules).map_err(invalid)?;
        Ok(Self {
            path,
            requires_client_authorization: options.requires_client_authorization,
            created: SystemTime::now(),
            rules: RwLock::new(options.rules),
            listeners: Mutex::default(),
            dismissal: watch::Sender::default(),
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
    ) -> Result<Registration, Unregistered> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (orders, ordered) = watch::channel(Orders::default());
        let mut listeners = self.lock();
        // Whoever deletes it says so first, and then ends the listeners of this list.
        if self.is_deleted() {
            return Err(Unregistered::Deleted);
        }
        if listeners.len() >= most {
            return Err(Unregistered::TooMany);
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

    /// It is no more; whoever still holds it finds out here, and those who wait hear it.
    pub(crate) fn delete(&self) {
        self.dismissal
            .send_modify(|dismissal| dismissal.deleted = true);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.dismissal.borrow().deleted
    }

    /// Sends those away who wait now.
    pub(crate) fn dismiss(&self) {
        self.dismissal
            .send_modify(|dismissal| dismissal.resets += 1);
    }

    /// What a sender watches while it waits.
    pub(crate) fn dismissed(&self) -> Dismissed {
        let now = self.dismissal.subscribe();
        let resets = now.borrow().resets;
        Dismissed { now, resets }
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

impl Dismissed {
    /// Resolves when there is nothing to wait for any more, with what the sender hears.
    pub(crate) async fn failure(mut self) -> Failure {
        let resets = self.resets;
        let over = |now: &Dismissal| now.deleted || now.resets != resets;
        match self.now.wait_for(over).await {
            Ok(now) if !now.deleted => Failure::new(502, "The relay was reset."),
            _ => Failure::new(404, ENDPOINT_DOES_NOT_EXIST)
                .with_hint("the hybrid connection was deleted while the sender waited"),
        }
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

    /// Whether its control channel has been told to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.orders.borrow().end.is_some()
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
