//! What an exchange's two threads share.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use hyco_client::http::{Chunk, HandlerFailed, NotServed};

/// What an exchange's two threads share.
#[derive(Default)]
pub(super) struct State {
    pub(super) written: VecDeque<Piece>,
    /// Bytes that were written, and of which JavaScript was not told that they have been taken.
    pub(super) untold: usize,
    pub(super) end: Option<End>,
    /// Bytes that JavaScript has got and not consumed.
    pub(super) unconsumed: usize,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// What JavaScript has written by one call.
pub(super) enum Piece {
    /// A stretch of its ring.
    Ring(Bytes),
    /// A large one.
    Chunk(Chunk),
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Ring(bytes) => bytes,
            Self::Chunk(chunk) => chunk.bytes(),
        }
    }

    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Ring(bytes) => bytes.advance(count),
            Self::Chunk(chunk) => chunk.advance(count),
        }
    }
}

/// How JavaScript ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Destroyed,
    Threw,
    NotServed,
}

impl State {
    pub(super) fn wrote(&mut self, piece: Piece) {
        self.untold += piece.bytes().len();
        self.written.push_back(piece);
        self.wake_reader();
    }

    pub(super) fn consumed(&mut self, count: usize) {
        self.unconsumed = self.unconsumed.saturating_sub(count);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Waits for more when nothing is left of what was written; an error where JavaScript gave up.
    pub(super) fn poll_end(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.end {
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(End::NotServed) => Poll::Ready(Err(io::Error::other(NotServed))),
            Some(End::Threw) => Poll::Ready(Err(io::Error::other(HandlerFailed))),
            // As over TCP: what was written before is sent, and then the stream ends.
            Some(End::Destroyed | End::Finished) => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn ended(&mut self, end: End) {
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
