//! HTTP requests on their way through JavaScript's server.
//!
//! An exchange is one request and its answer; its number is never used twice. To JavaScript it looks
//! like a connection of an HTTP server:
//!
//! | way | how |
//! |---|---|
//! | to JavaScript | a binary message of the listener's link: number, kind, what is known of the request, bytes |
//! | to JavaScript, without bytes | a record of the kind [`kind::EXCHANGE`](crate::kind::EXCHANGE): the number, and a `Signal` |
//! | from JavaScript | commands in a ring of their own, and large writes alone; one wake for all of a turn |
//!
//! What JavaScript has not consumed is bounded by a window for each exchange, and what it writes by the
//! answers of `Signal::Taken`.

mod pipe;
mod state;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    task::Poll,
};

use atomic_waker::AtomicWaker;
use bytes::Bytes;
use hyco_client::http::Chunk;

use crate::HubInbox;
use state::{End, Piece, State};

pub use pipe::Gateway;

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
    Write(u32, Chunk),
}

impl Exchanges {
    /// Takes commands out of JavaScript's ring.
    pub fn say(&self, ring: &[u8], inbox: &HubInbox) {
        self.push(Said::Ring(ring.to_vec()), inbox);
    }

    /// Takes a large write.
    pub fn write(&self, number: u32, bytes: &[u8], inbox: &HubInbox) {
        let chunk = Chunk::copied(bytes, &inbox.buffers);
        self.push(Said::Write(number, chunk), inbox);
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
                    Said::Write(number, chunk) => {
                        self.with(number, |state| state.wrote(Piece::Chunk(chunk)));
                    }
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
                    self.with(number, |state| {
                        state.wrote(Piece::Ring(ring.slice(at..end)))
                    });
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanges")
            .field("open", &lock(&self.open).len())
            .finish_non_exhaustive()
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
