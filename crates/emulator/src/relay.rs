//! What all connections of one emulator share.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use hyco_protocol::{Rule, target::find_entity};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{hybrid_connection::HybridConnection, options::Timing, pending::Pending};

/// The namespace and everything that goes on in it.
pub(crate) struct Relay {
    /// The names that tokens may be signed for.
    pub(crate) hosts: Vec<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hybrid_connections: Vec<Arc<HybridConnection>>,
    pub(crate) pending: Pending,
    pub(crate) bridges: Bridges,
    pub(crate) max_listeners: usize,
    pub(crate) clock_skew: u64,
    /// The longest frame that is passed on whole.
    pub(crate) max_frame: u64,
    pub(crate) timing: Timing,
    /// Turns true when the emulator closes.
    pub(crate) stop: watch::Sender<bool>,
    /// Every task holds the relay; when the last one ends, so does this channel.
    pub(crate) _alive: mpsc::Sender<Infallible>,
}

impl Relay {
    /// Resolves when the emulator closes.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The channel cannot end before the relay does.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// The hybrid connection that a request's path means, and what follows it in the path.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<HybridConnection>> {
        let names = self
            .hybrid_connections
            .iter()
            .map(|connection| connection.path.as_str());
        let (name, _) = find_entity(path, names)?;
        self.hybrid_connections
            .iter()
            .find(|connection| connection.path == name)
    }
}

/// The relayed connections that are open, so that the relay can end them.
#[derive(Default)]
pub(crate) struct Bridges(Mutex<Open>);

#[derive(Default)]
struct Open {
    serial: u64,
    ended: bool,
    endings: HashMap<u64, oneshot::Sender<()>>,
}

/// Keeps a relayed connection known; dropping it says that the connection has ended.
pub(crate) struct Crossing<'a> {
    bridges: &'a Bridges,
    serial: u64,
}

impl Bridges {
    /// Makes a relayed connection known; the receiver resolves when it has to end.
    pub(crate) fn enter(&self) -> (Crossing<'_>, oneshot::Receiver<()>) {
        let (ending, ended) = oneshot::channel();
        let mut open = self.lock();
        open.serial += 1;
        let serial = open.serial;
        if !open.ended {
            open.endings.insert(serial, ending);
        }
        (
            Crossing {
                bridges: self,
                serial,
            },
            ended,
        )
    }

    /// Ends them all, and those that come.
    pub(crate) fn end_all(&self) {
        let mut open = self.lock();
        open.ended = true;
        // A receiver resolves when its sender is gone.
        open.endings.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crossing<'_> {
    fn drop(&mut self) {
        self.bridges.lock().endings.remove(&self.serial);
    }
}

/// The time in Unix seconds.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
