//! The HTTP requests that wait for an answer.
//!
//! | state | event | next |
//! |---|---|---|
//! | – | a request is given to a listener | waiting |
//! | waiting | a listener dials its address | fetched |
//! | waiting, fetched | its answer comes, by any control channel or rendezvous of the hybrid connection | – |
//! | waiting, fetched | its body breaks off while it is fetched | –, 400 |
//! | fetched | the rendezvous where its body is fetched ends without an answer | –, 502 |
//! | waiting | the control channel of its listener is lost, and no listener comes back in time | –, 502 |
//! | waiting, fetched | the deadline passes, or the sender leaves | –, 504 |
//!
//! A listener that says goodbye may still answer by a rendezvous, so only the loss of one counts. An
//! answer to a request that does not wait is ignored.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyco_protocol::{Response, tracking::bare_id};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Given, body::Body, ongoing::Record};
use crate::{answer::Failure, hybrid_connection::HybridConnection};

/// An answer.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) body: Body,
    /// Takes the next request of the same sender, if its rendezvous is kept for that.
    pub(crate) kept: Option<Kept>,
}

/// Takes the next request of a sender to the rendezvous of its last one.
pub(crate) type Kept = mpsc::Sender<Upload>;

/// A request to be fetched at its address.
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) json: String,
    pub(crate) body: Given,
    /// Counts the body.
    pub(crate) record: Arc<Record>,
}

/// The requests that wait, by id.
#[derive(Default)]
pub(crate) struct Exchanges(Mutex<HashMap<String, Waiting>>);

/// What becomes of a request: its answer, or why there is none.
pub(crate) type Outcome = Result<Answered, Failure>;

struct Waiting {
    connection: Arc<HybridConnection>,
    answer: oneshot::Sender<Outcome>,
    upload: Option<Upload>,
    here: watch::Receiver<()>,
    /// The listener that was told of it.
    listener: Option<u64>,
    /// A listener has dialled its address.
    is_fetched: bool,
}

/// A request's place; dropping it makes its address and its answer worthless.
pub(crate) struct Place<'a> {
    exchanges: &'a Exchanges,
    id: String,
    /// Rendezvous see when it is dropped.
    _here: watch::Sender<()>,
}

/// What a listener finds at the address of a request.
pub(crate) struct Found {
    /// The request, unless the listener got it by its control channel.
    pub(crate) upload: Option<Upload>,
    /// Ends when the request no longer waits.
    pub(crate) here: watch::Receiver<()>,
}

impl Exchanges {
    /// Lets a request wait for its answer.
    pub(crate) fn enter(
        &self,
        id: &str,
        connection: &Arc<HybridConnection>,
    ) -> (Place<'_>, oneshot::Receiver<Outcome>) {
        let id = key(id);
        let (answer, answered) = oneshot::channel();
        let (here, watched) = watch::channel(());
        let waiting = Waiting {
            connection: Arc::clone(connection),
            answer,
            upload: None,
            here: watched,
            listener: None,
            is_fetched: false,
        };
        self.lock().insert(id.clone(), waiting);
        let place = Place {
            exchanges: self,
            id,
            _here: here,
        };
        (place, answered)
    }

    /// Takes what lies at the address of a request; the request waits on.
    pub(crate) fn find(&self, id: &str, connection: &Arc<HybridConnection>) -> Option<Found> {
        let mut waiting = self.lock();
        let waiting = waiting.get_mut(&key(id))?;
        if !Arc::ptr_eq(&waiting.connection, connection) {
            return None;
        }
        waiting.is_fetched = true;
        Some(Found {
            upload: waiting.upload.take(),
            here: waiting.here.clone(),
        })
    }

    /// Takes a request out that is being answered; gives where the answer goes.
    pub(crate) fn claim(
        &self,
        id: &str,
        connection: &Arc<HybridConnection>,
    ) -> Option<oneshot::Sender<Outcome>> {
        let mut waiting = self.lock();
        let key = key(id);
        let belongs = Arc::ptr_eq(&waiting.get(&key)?.connection, connection);
        belongs
            .then(|| waiting.remove(&key))?
            .map(|waiting| waiting.answer)
    }

    /// Gives a request up.
    pub(crate) fn fail(&self, id: &str, connection: &Arc<HybridConnection>, failure: Failure) {
        if let Some(sender) = self.claim(id, connection) {
            // The sender may have left just now.
            let _ = sender.send(Err(failure));
        }
    }

    /// Gives up the requests that a lost listener was told of, and that nobody fetches.
    pub(crate) fn abandon(&self, listener: u64) {
        let mut waiting = self.lock();
        let abandoned =
            waiting.extract_if(|_, one| one.listener == Some(listener) && !one.is_fetched);
        for (_, one) in abandoned {
            let failure = Failure::new(502, "The listener went away before it had answered.");
            let hint = "the listener that got the request was lost, and none has come back";
            let _ = one.answer.send(Err(failure.with_hint(hint)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Says which listener is told of the request.
    pub(crate) fn given_to(&self, listener: u64) {
        if let Some(waiting) = self.exchanges.lock().get_mut(&self.id) {
            waiting.listener = Some(listener);
        }
    }

    /// Lays the request down at its address.
    pub(crate) fn put(&self, upload: Upload) {
        if let Some(waiting) = self.exchanges.lock().get_mut(&self.id) {
            waiting.upload = Some(upload);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.exchanges.lock().remove(&self.id);
    }
}

/// Ids are the same by their GUID, in any case.
fn key(id: &str) -> String {
    bare_id(id).to_ascii_lowercase()
}
