//! What all connections of one emulator share.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyco_protocol::{Rule, status::CLOSE_GOING_AWAY, target::find_entity};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::{
    bridges::{Bridges, Order},
    events::{EventKind, Events, shown},
    faults::{Fault, Faults},
    http::{Exchanges, Requests},
    hybrid_connection::HybridConnection,
    metrics::Metrics,
    options::Timing,
    pending::Pending,
    places::Places,
};

/// The namespace and everything that goes on in it.
pub(crate) struct Relay {
    /// The names that tokens may be signed for.
    pub(crate) hosts: Vec<String>,
    pub(crate) public_url: Option<String>,
    rules: RwLock<Vec<Rule>>,
    hybrid_connections: RwLock<Vec<Arc<HybridConnection>>>,
    pub(crate) pending: Pending,
    /// The HTTP requests that wait for an answer.
    pub(crate) exchanges: Exchanges,
    /// The HTTP requests that have not ended.
    pub(crate) requests: Requests,
    pub(crate) bridges: Bridges,
    pub(crate) events: Events,
    pub(crate) faults: Faults,
    /// Wakes those who wait for a time to end, which may be another now.
    retimed: Notify,
    pub(crate) metrics: Metrics,
    /// One for each connection that may be open.
    pub(crate) places: Places,
    pub(crate) max_listeners: usize,
    pub(crate) clock_skew: u64,
    /// The longest frame that is passed on whole.
    pub(crate) max_frame: u64,
    pub(crate) accept_jwt: bool,
    pub(crate) remote_admin: bool,
    pub(crate) page: bool,
    /// Plain and TLS: what clients on this machine connect to.
    pub(crate) bases: Bases,
    /// Whether a request keeps its `Host`.
    pub(crate) forward_host: bool,
    /// Whether a rendezvous serves further requests of its sender.
    pub(crate) reuse_rendezvous: bool,
    timing: Timing,
    /// Turns true when the emulator closes.
    pub(crate) stop: watch::Sender<bool>,
    /// Every task holds the relay; when the last one ends, so does this channel.
    _alive: mpsc::Sender<Infallible>,
}

/// What a relay is made of.
pub(crate) struct Parts {
    pub(crate) hosts: Vec<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hybrid_connections: Vec<Arc<HybridConnection>>,
    pub(crate) max_connections: usize,
    pub(crate) max_listeners: usize,
    pub(crate) clock_skew: u64,
    pub(crate) max_frame: u64,
    pub(crate) accept_jwt: bool,
    pub(crate) remote_admin: bool,
    pub(crate) page: bool,
    pub(crate) bases: Bases,
    pub(crate) forward_host: bool,
    pub(crate) reuse_rendezvous: bool,
    pub(crate) timing: Timing,
    pub(crate) alive: mpsc::Sender<Infallible>,
}

/// Host and port by which clients on this machine reach the relay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases {
    pub(crate) plain: Option<String>,
    pub(crate) tls: Option<String>,
}

impl Bases {
    /// A connection string with a rule, for a hybrid connection or for all: plain, or over TLS.
    ///
    /// The plain one says `UseDevelopmentEmulator=true`, which the official clients do not know; they
    /// speak TLS only.
    pub(crate) fn connection_string(
        &self,
        rule: &Rule,
        entity: Option<&str>,
        secure: bool,
    ) -> Option<String> {
        let base = if secure { &self.tls } else { &self.plain };
        let authority = base.as_ref()?;
        let (name, key) = (rule.name(), rule.primary_key());
        let mut text =
            format!("Endpoint=sb://{authority}/;SharedAccessKeyName={name};SharedAccessKey={key}");
        if let Some(path) = entity {
            text.push_str(&format!(";EntityPath={path}"));
        }
        if !secure {
            text.push_str(";UseDevelopmentEmulator=true");
        }
        Some(text)
    }
}

impl Relay {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            hosts: parts.hosts,
            public_url: parts.public_url,
            rules: RwLock::new(parts.rules),
            hybrid_connections: RwLock::new(parts.hybrid_connections),
            pending: Pending::default(),
            exchanges: Exchanges::default(),
            requests: Requests::default(),
            bridges: Bridges::default(),
            events: Events::default(),
            faults: Faults::default(),
            retimed: Notify::new(),
            metrics: Metrics::default(),
            places: Places::new(parts.max_connections),
            max_listeners: parts.max_listeners,
            clock_skew: parts.clock_skew,
            max_frame: parts.max_frame,
            accept_jwt: parts.accept_jwt,
            remote_admin: parts.remote_admin,
            page: parts.page,
            bases: parts.bases,
            forward_host: parts.forward_host,
            reuse_rendezvous: parts.reuse_rendezvous,
            timing: parts.timing,
            stop: watch::Sender::new(false),
            _alive: parts.alive,
        }
    }

    /// Resolves when the emulator closes.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The channel cannot end before the relay does.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// The hybrid connection that a request's path means.
    pub(crate) fn find(&self, path: &str) -> Option<Arc<HybridConnection>> {
        let connections = self.read();
        let names = connections
            .iter()
            .map(|connection| connection.path.as_str());
        let (name, _) = find_entity(path, names)?;
        let found = connections
            .iter()
            .find(|connection| connection.path == name);
        found.cloned()
    }

    /// The hybrid connection of exactly that path, in any case.
    pub(crate) fn named(&self, path: &str) -> Option<Arc<HybridConnection>> {
        let path = path.trim_matches('/');
        let connections = self.read();
        let found = connections
            .iter()
            .find(|connection| connection.path.eq_ignore_ascii_case(path));
        found.cloned()
    }

    pub(crate) fn hybrid_connections(&self) -> Vec<Arc<HybridConnection>> {
        self.read().clone()
    }

    /// Adds a hybrid connection, unless there is one of that path; gives whether it did.
    pub(crate) fn create(&self, connection: HybridConnection) -> bool {
        let mut connections = self.write();
        let taken = connections
            .iter()
            .any(|known| known.path.eq_ignore_ascii_case(&connection.path));
        if taken {
            return false;
        }
        let what = format!("created the hybrid connection {}", connection.path);
        connections.push(Arc::new(connection));
        drop(connections);
        self.events.tell(EventKind::Changed { what });
        true
    }

    /// Deletes a hybrid connection: its control channels and relayed connections end with 1001, and the
    /// senders that wait at it hear 404.
    pub(crate) fn delete(&self, path: &str) -> bool {
        let Some(connection) = self.named(path) else {
            return false;
        };
        self.write()
            .retain(|known| !Arc::ptr_eq(known, &connection));
        connection.delete();
        let reason = "the hybrid connection was deleted";
        for listener in connection.listeners() {
            listener.end(Some((CLOSE_GOING_AWAY, reason.to_owned())));
        }
        for span in self.bridges.list() {
            if Arc::ptr_eq(&span.connection, &connection) {
                span.order(Order::Close(CLOSE_GOING_AWAY, reason.to_owned()));
            }
        }
        for request in self.requests.list() {
            if Arc::ptr_eq(&request.connection, &connection) {
                request.end();
            }
        }
        let what = format!("deleted the hybrid connection {}", connection.path);
        self.events.tell(EventKind::Changed { what });
        true
    }

    /// The rules of the namespace.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives the namespace other rules.
    pub(crate) fn set_rules(&self, rules: Vec<Rule>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Sets a fault; gives its number.
    pub(crate) fn set_fault(&self, fault: Fault) -> Result<u64, String> {
        let unknown = fault.hybrid_connection.clone();
        let id = self.faults.set(fault)?;
        if let Some(path) = unknown.filter(|path| self.named(path).is_none()) {
            self.events.tell(EventKind::Warning {
                message: format!(
                    "the fault {id} strikes nothing yet: there is no hybrid connection '{}'",
                    shown(&path)
                ),
                tracking_id: None,
            });
        }
        self.faults_changed();
        Ok(id)
    }

    /// Removes a fault; gives whether there was one.
    pub(crate) fn remove_fault(&self, id: u64) -> bool {
        let removed = self.faults.remove(id);
        self.faults_changed();
        removed
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        self.faults.clear();
        self.faults_changed();
    }

    fn faults_changed(&self) {
        self.retimed.notify_waiters();
        self.bridges.faults_changed();
        for connection in self.hybrid_connections() {
            for listener in connection.listeners() {
                listener.faults_changed();
            }
        }
    }

    /// Lets the frames of a hybrid connection go into the journal, or no more.
    pub(crate) fn record(&self, connection: &Arc<HybridConnection>, recorded: bool) {
        connection.set_recorded(recorded);
        self.bridges.faults_changed();
    }

    /// The hybrid connections that are recorded.
    pub(crate) fn recordings(&self) -> Vec<String> {
        self.read()
            .iter()
            .filter(|connection| connection.is_recorded())
            .map(|connection| connection.path.clone())
            .collect()
    }

    /// How long things may take, at present.
    pub(crate) fn timing(&self) -> Timing {
        self.timing.scaled(self.faults.factor())
    }

    /// Waits for something as long as it may take; none if it took longer. A fault that changes the times
    /// also changes those that run.
    pub(crate) async fn within<T>(
        &self,
        limit: impl Fn(&Timing) -> Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let since = Instant::now();
        let mut work = pin!(work);
        loop {
            let retimed = self.retimed.notified();
            let end = since + limit(&self.timing());
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = sleep_until(end) => return None,
                () = retimed => {}
            }
        }
    }

    /// The time that tokens are checked with, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        self.clock().as_secs()
    }

    /// The same as the time since 1970, with its part of a second.
    pub(crate) fn clock(&self) -> Duration {
        let ahead = self.faults.clock();
        let shift = Duration::from_secs(ahead.unsigned_abs());
        match ahead < 0 {
            true => since_1970().saturating_sub(shift),
            false => since_1970().saturating_add(shift),
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<HybridConnection>>> {
        self.hybrid_connections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<HybridConnection>>> {
        self.hybrid_connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time in Unix seconds.
pub(crate) fn unix_now() -> u64 {
    since_1970().as_secs()
}

fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
