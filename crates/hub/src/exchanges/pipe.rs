//! The I/O thread's end of an exchange, which is the transport of its request.

use std::{
    fmt,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll, ready},
};

use hyco_client::{
    connection::Inbox,
    http::{Opening, Outcome, RequestInfo, Service, Transport, Written},
};
use hyco_websocket::{Assembled, Sink};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    Exchanges, KIND_SHIFT, VALUE, lock,
    state::{End, Piece, State},
};
use crate::HubInbox;

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

    /// Counts what was taken. Gives what JavaScript should be told: below a window it does not wait, and
    /// has not to be woken.
    fn taken(&mut self, state: &mut State, count: usize) -> usize {
        self.taken += count;
        if state.untold <= WRITTEN_WINDOW || self.taken < TOLD {
            return 0;
        }
        state.untold -= self.taken;
        mem::take(&mut self.taken)
    }

    fn tell(&self, taken: usize) {
        if taken > 0 {
            self.signal(Signal::Taken, taken as u32);
        }
    }
}

/// Gives the first `count` bytes of the slices, piece by piece.
fn each(slices: &[IoSlice<'_>], mut count: usize, mut piece: impl FnMut(&[u8])) {
    for slice in slices {
        let length = slice.len().min(count);
        piece(&slice[..length]);
        count -= length;
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// One message for all of it. A large one has memory of its own, which a handler may keep.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
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
        let mut head = Vec::with_capacity(128);
        head.extend_from_slice(&this.number.to_le_bytes());
        match &this.info {
            Some(info) => append_info(&mut head, info, is_head_alone(slices)),
            None => head.push(BODY),
        }
        let count = slices
            .iter()
            .map(|slice| slice.len())
            .sum::<usize>()
            .min(PIECE);
        let length = head.len() + count;
        let is_large = count >= LARGE;
        let need = if is_large { 0 } else { length };
        let sent = this
            .inbox
            .poll_lend(cx.waker(), this.link, need, |space, batch| {
                if is_large {
                    let mut bytes = batch.buffer(length);
                    bytes.extend_from_slice(&head);
                    each(slices, count, |piece| bytes.extend_from_slice(piece));
                    let fragments = Vec::new();
                    batch.large(false, Assembled { bytes, fragments });
                } else {
                    let (start, mut rest) = space.split_at_mut(head.len());
                    start.copy_from_slice(&head);
                    each(slices, count, |piece| {
                        let (place, behind) = mem::take(&mut rest).split_at_mut(piece.len());
                        place.copy_from_slice(piece);
                        rest = behind;
                    });
                    batch.message(false, 0..length);
                }
                Poll::Ready(())
            });
        if sent.is_pending() {
            return Poll::Pending;
        }
        // What comes with the head is read at once and is not acknowledged, which saves a command for
        // each small request.
        if this.info.take().is_none() {
            lock(&this.state).unconsumed += count;
        }
        Poll::Ready(Ok(count))
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
        let shared = Arc::clone(&this.state);
        let mut state = lock(&shared);
        let before = space.filled().len();
        while space.remaining() > 0
            && let Some(first) = state.written.front_mut()
        {
            let count = first.bytes().len().min(space.remaining());
            space.put_slice(&first.bytes()[..count]);
            first.advance(count);
            if first.bytes().is_empty() {
                state.written.pop_front();
            }
        }
        let count = space.filled().len() - before;
        if count == 0 {
            ready!(state.poll_end(cx))?;
        }
        let told = this.taken(&mut state, count);
        drop(state);
        this.tell(told);
        Poll::Ready(Ok(()))
    }
}

impl Transport for Pipe {
    fn finish(mut self: Box<Self>, outcome: Outcome) {
        self.outcome = outcome;
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(Written<'_>),
    ) -> Poll<io::Result<()>> {
        let shared = Arc::clone(&self.state);
        let mut state = lock(&shared);
        let first = state.written.pop_front();
        if first.is_none() {
            ready!(state.poll_end(cx))?;
        }
        let told = self.taken(
            &mut state,
            first.as_ref().map_or(0, |piece| piece.bytes().len()),
        );
        drop(state);
        match first {
            None => take(Written::Here(&[])),
            Some(Piece::Ring(bytes)) => take(Written::Here(&bytes)),
            Some(Piece::Chunk(chunk)) => take(Written::Own(chunk)),
        }
        self.tell(told);
        Poll::Ready(Ok(()))
    }

    fn is_given_up(&self) -> bool {
        lock(&self.state).end == Some(End::Destroyed)
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

/// Whether the first bytes of a request are its head and nothing else: the blank line comes once, at the
/// end. Of an upgrade the handler gets what lies behind the head, so that is none of these.
fn is_head_alone(slices: &[IoSlice<'_>]) -> bool {
    let [head] = slices else {
        return false;
    };
    head.len() <= PIECE
        && head.ends_with(PLAIN_END)
        && head
            .windows(BLANK_LINE.len())
            .position(|bytes| bytes == BLANK_LINE)
            == Some(head.len() - BLANK_LINE.len())
}

/// A kind, flags, the port, then tracking id and address, each behind its length.
fn append_info(out: &mut Vec<u8>, info: &RequestInfo, is_head_alone: bool) {
    let address = info.remote_address.as_deref().unwrap_or_default();
    let secure = if info.secure { SECURE } else { 0 };
    let alone = if is_head_alone { HEAD_ALONE } else { 0 };
    out.push(OPEN | secure | alone);
    out.extend_from_slice(&info.remote_port.unwrap_or_default().to_le_bytes());
    for text in [info.tracking_id.as_str(), address] {
        let bytes = &text.as_bytes()[..text.len().min(LONGEST_TEXT)];
        out.push(bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
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

/// Messages; `lib/http/gateway.js` has the same list.
const OPEN: u8 = 1;
const BODY: u8 = 2;
const SECURE: u8 = 0x80;
const HEAD_ALONE: u8 = 0x40;

/// How the head of a request ends that is no upgrade, as it is written for a server of JavaScript.
const PLAIN_END: &[u8] = b"\r\nConnection: close\r\n\r\n";
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// How much one message carries: what one read of a rendezvous brings, and the size of its chunk.
const PIECE: usize = 65 * 1024;
/// A message from this size on has memory of its own: to copy it costs more.
const LARGE: usize = 16 * 1024;
/// How much of a body JavaScript may have without having consumed it.
const WINDOW: usize = 128 * 1024;
/// Above this JavaScript waits until what it has written was taken; `lib/http/exchange.js` has the same.
const WRITTEN_WINDOW: usize = 128 * 1024;
/// How much is taken before JavaScript is told.
const TOLD: usize = 64 * 1024;
/// An id is a GUID with suffixes, an address has 45 characters.
const LONGEST_TEXT: usize = 255;
