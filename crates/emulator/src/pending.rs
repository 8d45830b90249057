//! The senders that wait for a listener's decision.
//!
//! | state | event | next |
//! |---|---|---|
//! | – | a sender is announced to a listener | pending |
//! | pending | the listener dials the address | decided |
//! | pending | the listener dials with a status that is none | taken; the sender waits for its deadline |
//! | pending, taken | the deadline passes, or the sender leaves | – |
//!
//! An address works once: whoever dials it takes the sender out of here (docs/protocol.md, 4.5).

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::HeaderValue;
use hyco_protocol::{Rejection, tracking::bare_id};
use tokio::{sync::oneshot, time::Instant};

use crate::{bridge::Joined, hybrid_connection::HybridConnection};

/// What a listener decided about a sender.
pub(crate) enum Decision {
    /// To meet it.
    Accept(Acceptance),
    /// To send it away.
    Reject(Rejection),
}

/// How a listener meets a sender.
pub(crate) struct Acceptance {
    /// The subprotocol for the sender's handshake.
    pub(crate) protocol: Option<HeaderValue>,
    /// The extensions for the sender's handshake.
    pub(crate) extensions: Option<HeaderValue>,
    /// Takes the sender's connection after its handshake.
    pub(crate) sender: oneshot::Sender<Joined>,
}

/// The senders that wait, by id.
#[derive(Default)]
pub(crate) struct Pending(Mutex<State>);

#[derive(Default)]
struct State {
    serial: u64,
    waiting: HashMap<String, Waiting>,
}

struct Waiting {
    serial: u64,
    connection: Arc<HybridConnection>,
    since: Instant,
    claimed: Claimed,
}

/// A sender that a listener has taken out.
pub(crate) struct Claimed {
    /// Where the listener's decision goes.
    pub(crate) decision: oneshot::Sender<Decision>,
    /// The extensions that the sender offered.
    pub(crate) offered: Option<String>,
}

/// A sender's place; dropping it makes the address worthless.
pub(crate) struct Place<'a> {
    pending: &'a Pending,
    id: String,
    serial: u64,
}

/// A sender of the same id waits already.
#[derive(Debug)]
pub(crate) struct DuplicateId;

impl Pending {
    /// Lets a sender wait; gives its place and where its decision arrives.
    pub(crate) fn enter(
        &self,
        id: &str,
        connection: &Arc<HybridConnection>,
        offered: Option<String>,
    ) -> Result<(Place<'_>, oneshot::Receiver<Decision>), DuplicateId> {
        let id = bare_id(id).to_ascii_lowercase();
        let mut state = self.lock();
        state.serial += 1;
        let serial = state.serial;
        let Entry::Vacant(vacant) = state.waiting.entry(id.clone()) else {
            return Err(DuplicateId);
        };
        let (decision, decided) = oneshot::channel();
        vacant.insert(Waiting {
            serial,
            connection: Arc::clone(connection),
            since: Instant::now(),
            claimed: Claimed { decision, offered },
        });
        Ok((
            Place {
                pending: self,
                id,
                serial,
            },
            decided,
        ))
    }

    /// Takes the sender of that id out.
    pub(crate) fn claim(&self, id: &str, connection: &Arc<HybridConnection>) -> Option<Claimed> {
        let mut state = self.lock();
        let Entry::Occupied(waiting) = state.waiting.entry(bare_id(id).to_ascii_lowercase()) else {
            return None;
        };
        Arc::ptr_eq(&waiting.get().connection, connection).then(|| waiting.remove().claimed)
    }

    /// How many senders wait.
    pub(crate) fn count(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Those that wait: their ids, and where.
    pub(crate) fn list(&self) -> Vec<(String, Arc<HybridConnection>, Instant)> {
        let state = self.lock();
        let mut waiting: Vec<_> = state
            .waiting
            .iter()
            .map(|(id, waiting)| (id.clone(), Arc::clone(&waiting.connection), waiting.since))
            .collect();
        waiting.sort_unstable_by_key(|&(.., since)| since);
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pending.lock();
        if let Entry::Occupied(waiting) = state.waiting.entry(std::mem::take(&mut self.id))
            && waiting.get().serial == self.serial
        {
            waiting.remove();
        }
    }
}
