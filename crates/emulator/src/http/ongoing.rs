//! The HTTP requests that a listener has been told of and that have not ended.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::{sync::oneshot, time::Instant};

use super::Body;
use crate::{events::EventKind, hybrid_connection::HybridConnection, relay::Relay};

/// The requests that have not ended.
#[derive(Default)]
pub(crate) struct Requests(Mutex<State>);

#[derive(Default)]
struct State {
    serial: u64,
    open: BTreeMap<u64, Arc<Record>>,
}

/// A request, as the rest of the relay knows it.
pub(crate) struct Record {
    pub(crate) serial: u64,
    pub(crate) id: String,
    pub(crate) connection: Arc<HybridConnection>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) remote: SocketAddr,
    pub(crate) opened: SystemTime,
    since: Instant,
    status: AtomicU16,
    to_listener: AtomicU64,
    to_sender: AtomicU64,
    end: Mutex<Option<oneshot::Sender<()>>>,
}

/// What a request says of itself.
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: String,
    pub(crate) remote: SocketAddr,
}

/// Keeps a request known; dropping it says that the request has ended.
pub(crate) struct Ongoing {
    relay: Arc<Relay>,
    record: Arc<Record>,
    ended: oneshot::Receiver<()>,
    whole: bool,
}

impl Requests {
    /// Those that have not ended, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Record>> {
        self.lock().open.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// The status of its answer, when that has come.
    pub(crate) fn status(&self) -> Option<u16> {
        let status = self.status.load(Ordering::Relaxed);
        (status != 0).then_some(status)
    }

    /// Counts bytes of its body.
    pub(crate) fn sent(&self, bytes: usize) {
        self.to_listener.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of its body and of its answer's.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.to_listener), read(&self.to_sender))
    }

    /// Ends it: its sender gets 502, or sees its answer break off.
    pub(crate) fn end(&self) {
        let end = self
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // It may have ended by itself.
        let _ = end.map(|end| end.send(()));
    }
}

impl Ongoing {
    /// Makes a request known.
    pub(crate) fn new(
        relay: &Arc<Relay>,
        connection: &Arc<HybridConnection>,
        head: Head<'_>,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        let mut state = relay.requests.lock();
        state.serial += 1;
        let record = Arc::new(Record {
            serial: state.serial,
            id: head.id.to_owned(),
            connection: Arc::clone(connection),
            method: head.method.to_owned(),
            path: head.path,
            remote: head.remote,
            opened: SystemTime::now(),
            since: Instant::now(),
            status: AtomicU16::new(0),
            to_listener: AtomicU64::new(0),
            to_sender: AtomicU64::new(0),
            end: Mutex::new(Some(end)),
        });
        state.open.insert(record.serial, Arc::clone(&record));
        drop(state);
        // Whoever deletes the hybrid connection says so first, and then ends the requests of this table.
        if connection.is_deleted() {
            record.end();
        }
        Self {
            relay: Arc::clone(relay),
            record,
            ended,
            whole: false,
        }
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Resolves when the request is to end.
    pub(crate) async fn ended(&mut self) {
        // The sender is in the record, which is here.
        let _ = (&mut self.ended).await;
    }

    /// The body of its answer, with which it ends.
    pub(crate) fn answered(mut self, status: u16, body: Body) -> UnsyncBoxBody<Bytes, io::Error> {
        self.record.status.store(status, Ordering::Relaxed);
        // An empty one is not asked for.
        self.whole = body.is_end_stream();
        UnsyncBoxBody::new(Answering {
            body,
            ongoing: self,
        })
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let record = &self.record;
        self.relay.requests.lock().open.remove(&record.serial);
        let (to_listener, to_sender) = record.bytes();
        self.relay.metrics.request_ended(to_listener, to_sender);
        // Without an answer it was refused, which is told elsewhere, or its sender has left.
        let Some(status) = record.status() else {
            return;
        };
        self.relay.events.tell(EventKind::Answered {
            request: record.serial,
            hybrid_connection: record.connection.path.clone(),
            method: record.method.clone(),
            path: record.path.clone(),
            remote: record.remote.to_string(),
            tracking_id: record.id.clone(),
            status,
            whole: self.whole,
            duration: record.since.elapsed().as_millis() as u64,
            to_listener,
            to_sender,
        });
    }
}

/// The body of an answer, counted.
struct Answering {
    body: Body,
    ongoing: Ongoing,
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if Pin::new(&mut this.ongoing.ended).poll(cx).is_ready() {
            let error = io::Error::other("the request was ended at the relay");
            return Poll::Ready(Some(Err(error)));
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                let record = &this.ongoing.record;
                record.to_sender.fetch_add(length, Ordering::Relaxed);
                // hyper does not ask again where the length is known.
                this.ongoing.whole |= this.body.is_end_stream();
            }
            Poll::Ready(None) => this.ongoing.whole = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
