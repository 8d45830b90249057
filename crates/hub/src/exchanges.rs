//! HTTP requests on their way through JavaScript's server.
//!
//! An exchange is one request and its answer; its number is never used twice. To JavaScript it looks
//! like a connection of an HTTP server:
//!
//! | way | how |
//! |---|---|
//! | to JavaScript | a binary message of the listener's link: number, kind, what is known of the request, bytes |
//! | to JavaScript, without bytes | a record of the kind [`kind::EXCHANGE`](crate::kind::EXCHANGE): the number, and a [`Signal`] |
//! | from JavaScript | commands in a ring of their own, and large writes alone; one wake for all of a turn |
//!
//! What JavaScript has not consumed is bounded by a window for each exchange, and what it writes by the
//! answers of [`Signal::Taken`].

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use atomic_waker::AtomicWaker;
use bytes::{Buf, Bytes};
use hyco_client::{
    connection::Inbox,
    http::{HandlerFailed, NotServed, Opening, Outcome, RequestInfo, Service, Transport},
};
use hyco_websocket::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::HubInbox;

/// The exchanges of one environment.
#[derive(Default)]
pub struct Exchanges {
    /// What JavaScript has said and nobody has read yet.
    said: Mutex<Vec<Said>>,
    waker: AtomicWaker,
    open: Mutex<HashMap<u32, Arc<Mutex<State>>>>,
    last: AtomicU32,
}

/// What JavaScript says.
enum Said {
    /// Commands as they lie in the ring.
    Ring(Vec<u8>),
    /// A large write.
    Write(u32, Bytes),
}

/// What JavaScript is told without bytes; `lib/http/gateway.js` has the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Signal {
    /// So many bytes of what was written have been taken.
    Taken = 1,
    /// The sender has ended its side, which only upgraded connections know.
    Ended = 2,
    /// The exchange is over: an [`Outcome`].
    Closed = 3,
}

/// What an exchange's two threads share.
#[derive(Default)]
struct State {
    written: VecDeque<Bytes>,
    end: Option<End>,
    /// Bytes that JavaScript has got and not consumed.
    unconsumed: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How JavaScript ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Finished,
    Destroyed,
    Threw,
    NotServed,
}

impl Exchanges {
    /// Takes commands out of JavaScript's ring.
    pub fn say(&self, ring: &[u8], inbox: &HubInbox) {
        self.push(Said::Ring(ring.to_vec()), inbox);
    }

    /// Takes a large write.
    pub fn write(&self, number: u32, bytes: &[u8], inbox: &HubInbox) {
        self.push(Said::Write(number, Bytes::copy_from_slice(bytes)), inbox);
    }

    fn push(&self, said: Said, inbox: &HubInbox) {
        lock(&self.said).push(said);
        self.waker.wake();
        inbox.turns.give_errand();
    }

    /// Obeys what JavaScript says, for ever. For the I/O thread.
    pub async fn attend(self: Arc<Self>) {
        std::future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            let said = std::mem::take(&mut *lock(&self.said));
            for said in said {
                match said {
                    Said::Ring(bytes) => self.obey(&bytes.into()),
                    Said::Write(number, bytes) => self.with(number, |state| state.wrote(bytes)),
                }
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Commands: a word with the number, a word with a kind (bits 28-31) and a length or a value, and
    /// the bytes of a write, padded to a word.
    fn obey(&self, ring: &Bytes) {
        let mut at = 0;
        while let Some(words) = ring.get(at..at + 8) {
            let word = |at: usize| {
                u32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]])
            };
            let (number, value) = (word(0), word(4) & VALUE);
            at += 8;
            match word(4) >> KIND_SHIFT {
                WRITE => {
                    let end = at + value as usize;
                    if end > ring.len() {
                        return;
                    }
                    self.with(number, |state| state.wrote(ring.slice(at..end)));
                    at = end.next_multiple_of(4);
                }
                CONSUMED => self.with(number, |state| state.consumed(value as usize)),
                FINISH => self.with(number, |state| state.ended(End::Finished)),
                DESTROY => self.with(number, |state| state.ended(End::Destroyed)),
                NOT_SERVED => self.with(number, |state| state.ended(End::NotServed)),
                THREW => self.with(number, |state| state.ended(End::Threw)),
                _ => return,
            }
        }
    }

    fn with(&self, number: u32, act: impl FnOnce(&mut State)) {
        let state = lock(&self.open).get(&number).cloned();
        if let Some(state) = state {
            act(&mut lock(&state));
        }
    }
}

impl State {
    fn wrote(&mut self, bytes: Bytes) {
        self.written.push_back(bytes);
        self.wake_reader();
    }

    fn consumed(&mut self, count: usize) {
        self.unconsumed = self.unconsumed.saturating_sub(count);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    fn ended(&mut self, end: End) {
        // A socket is destroyed after it has finished; its answer is whole all the same.
        self.end.get_or_insert(end);
        self.wake_reader();
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Serves the requests of one listener by JavaScript's server.
pub struct Gateway {
    exchanges: Arc<Exchanges>,
    inbox: Arc<HubInbox>,
    /// The number of the listener's link.
    link: u32,
}

impl Gateway {
    /// Requests become messages of that link.
    pub fn new(exchanges: Arc<Exchanges>, inbox: Arc<HubInbox>, link: u32) -> Self {
        Self {
            exchanges,
            inbox,
            link,
        }
    }
}

impl Service for Gateway {
    fn open(&self, info: RequestInfo) -> Opening {
        let number = self
            .exchanges
            .last
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        let state = Arc::default();
        lock(&self.exchanges.open).insert(number, Arc::clone(&state));
        let pipe = Pipe {
            exchanges: Arc::clone(&self.exchanges),
            inbox: Arc::clone(&self.inbox),
            link: self.link,
            number,
            state,
            info: Some(info),
            taken: 0,
            told_end: false,
            outcome: Outcome::SenderGone,
        };
        Box::pin(async move { Ok(Box::new(pipe) as Box<dyn Transport>) })
    }
}

/// The I/O thread's end of an exchange.
struct Pipe {
    exchanges: Arc<Exchanges>,
    inbox: Arc<HubInbox>,
    link: u32,
    number: u32,
    state: Arc<Mutex<State>>,
    /// Goes with the first bytes.
    info: Option<RequestInfo>,
    /// What was taken and not told yet.
    taken: usize,
    told_end: bool,
    outcome: Outcome,
}

impl Pipe {
    fn signal(&self, signal: Signal, value: u32) {
        let value = (signal as u32) << KIND_SHIFT | value & VALUE;
        self.inbox.signal_exchange(self.link, self.number, value);
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        {
            let mut state = lock(&this.state);
            if state.end.is_some() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.unconsumed >= WINDOW {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let bytes = &bytes[..bytes.len().min(PIECE)];
        let mut head = Vec::with_capacity(128);
        head.extend_from_slice(&this.number.to_le_bytes());
        match &this.info {
            Some(info) => append_info(&mut head, info),
            None => head.push(BODY),
        }
        let length = head.len() + bytes.len();
        let sent = this
            .inbox
            .poll_lend(cx.waker(), this.link, length, |space, batch| {
                space[..head.len()].copy_from_slice(&head);
                space[head.len()..length].copy_from_slice(bytes);
                batch.message(false, 0..length);
                Poll::Ready(())
            });
        if sent.is_pending() {
            return Poll::Pending;
        }
        // What comes with the head is read at once and is not acknowledged, which saves a command for
        // each small request.
        if this.info.take().is_none() {
            lock(&this.state).unconsumed += bytes.len();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.told_end {
            this.told_end = true;
            this.signal(Signal::Ended, 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut state = lock(&this.state);
        match state.end {
            Some(End::NotServed) => return Poll::Ready(Err(io::Error::other(NotServed))),
            Some(End::Threw) => return Poll::Ready(Err(io::Error::other(HandlerFailed))),
            Some(End::Destroyed) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(End::Finished) | None => {}
        }
        let before = space.filled().len();
        while space.remaining() > 0
            && let Some(first) = state.written.front_mut()
        {
            let count = first.len().min(space.remaining());
            space.put_slice(&first[..count]);
            first.advance(count);
            if first.is_empty() {
                state.written.pop_front();
            }
        }
        let count = space.filled().len() - before;
        if count == 0 && state.end.is_none() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(state);
        this.taken += count;
        if this.taken >= TOLD {
            this.signal(Signal::Taken, this.taken as u32);
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl Transport for Pipe {
    fn finish(mut self: Box<Self>, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pipe {
    /// JavaScript hears of the end however it comes.
    fn drop(&mut self) {
        lock(&self.exchanges.open).remove(&self.number);
        // A request of which JavaScript has heard nothing has no end there.
        if self.info.is_none() {
            let outcome = match self.outcome {
                Outcome::Answered { .. } => 0,
                Outcome::SenderGone => 1,
                Outcome::TimedOut => 2,
                Outcome::Failed => 3,
            };
            self.signal(Signal::Closed, outcome);
        }
    }
}

/// A kind, flags, the port, then tracking id and address, each behind its length.
fn append_info(out: &mut Vec<u8>, info: &RequestInfo) {
    let address = info.remote_address.as_deref().unwrap_or_default();
    out.push(if info.secure { OPEN | SECURE } else { OPEN });
    out.extend_from_slice(&info.remote_port.unwrap_or_default().to_le_bytes());
    for text in [info.tracking_id.as_str(), address] {
        let bytes = &text.as_bytes()[..text.len().min(LONGEST_TEXT)];
        out.push(bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanges").finish_non_exhaustive()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// Commands; `lib/http/outgoing.js` has the same list.
const WRITE: u32 = 1;
const CONSUMED: u32 = 2;
const FINISH: u32 = 3;
const DESTROY: u32 = 4;
const THREW: u32 = 5;
const NOT_SERVED: u32 = 6;
const KIND_SHIFT: u32 = 28;
const VALUE: u32 = (1 << KIND_SHIFT) - 1;

/// Messages; `lib/http/gateway.js` has the same list.
const OPEN: u8 = 1;
const BODY: u8 = 2;
const SECURE: u8 = 0x80;

/// How much one message carries.
const PIECE: usize = 32 * 1024;
/// How much of a body JavaScript may have without having consumed it.
const WINDOW: usize = 128 * 1024;
/// How much is taken before JavaScript is told. It waits above 64 KiB.
const TOLD: usize = 32 * 1024;
/// An id is a GUID with suffixes, an address has 45 characters.
const LONGEST_TEXT: usize = 255;
