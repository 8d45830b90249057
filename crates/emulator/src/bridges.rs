//! The relayed connections that are open: what is known of each, and how each is reached.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::SystemTime,
};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use crate::{events::Traffic, hybrid_connection::HybridConnection};

/// The relayed connections that are open.
#[derive(Default)]
pub(crate) struct Bridges(Mutex<Open>);

#[derive(Default)]
struct Open {
    serial: u64,
    ended: bool,
    open: BTreeMap<u64, Arc<Span>>,
}

/// A relayed connection, as the rest of the relay knows it.
pub(crate) struct Span {
    pub(crate) serial: u64,
    pub(crate) id: String,
    pub(crate) connection: Arc<HybridConnection>,
    pub(crate) sender: SocketAddr,
    pub(crate) listener: SocketAddr,
    pub(crate) opened: SystemTime,
    pub(crate) since: Instant,
    pub(crate) to_listener: Counter,
    pub(crate) to_sender: Counter,
    /// The relay's wish, and whether there is a new one or other faults.
    order: Mutex<Option<Order>>,
    changed: AtomicBool,
    waker: AtomicWaker,
}

/// How the relay ends a relayed connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Both sides get a close frame.
    Close(u16, String),
    /// Both connections are lost.
    Drop,
}

/// Counts what goes one way.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    pub(crate) fn set(&self, messages: u64, bytes: u64) {
        self.messages.store(messages, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Keeps a relayed connection known; dropping it says that the connection has ended.
pub(crate) struct Crossing<'a> {
    bridges: &'a Bridges,
    pub(crate) span: Arc<Span>,
}

impl Bridges {
    /// Makes a relayed connection known.
    pub(crate) fn enter(
        &self,
        id: &str,
        connection: &Arc<HybridConnection>,
        sender: SocketAddr,
        listener: SocketAddr,
    ) -> Crossing<'_> {
        let mut state = self.lock();
        state.serial += 1;
        // One that comes too late for the end of all finds its order waiting.
        let late = state.ended || connection.is_deleted();
        let span = Arc::new(Span {
            serial: state.serial,
            id: id.to_owned(),
            connection: Arc::clone(connection),
            sender,
            listener,
            opened: SystemTime::now(),
            since: Instant::now(),
            to_listener: Counter::default(),
            to_sender: Counter::default(),
            order: Mutex::new(late.then(shut_down)),
            changed: AtomicBool::new(true),
            waker: AtomicWaker::new(),
        });
        state.open.insert(span.serial, Arc::clone(&span));
        Crossing {
            bridges: self,
            span,
        }
    }

    /// Those that are open, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Span>> {
        self.lock().open.values().cloned().collect()
    }

    /// Ends them all, and those that come.
    pub(crate) fn end_all(&self) {
        self.lock().ended = true;
        for span in self.list() {
            span.order(shut_down());
        }
    }

    /// Lets all look at the faults again.
    pub(crate) fn faults_changed(&self) {
        for span in self.list() {
            span.touch();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    /// Orders the end. The first order stands.
    pub(crate) fn order(&self, order: Order) {
        self.lock().get_or_insert(order);
        self.touch();
    }

    fn touch(&self) {
        self.changed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether there is something new; `waker` is woken when there is again.
    pub(crate) fn take_changed(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.changed.load(Ordering::Acquire) && self.changed.swap(false, Ordering::AcqRel)
    }

    /// The relay's wish.
    pub(crate) fn take_order(&self) -> Option<Order> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crossing<'_> {
    fn drop(&mut self) {
        self.bridges.lock().open.remove(&self.span.serial);
    }
}

fn shut_down() -> Order {
    Order::Close(1001, "the relay is shutting down".to_owned())
}
