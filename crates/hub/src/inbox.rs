//! The way from the I/O thread to JavaScript: read steps in slabs, and the queue that they fill.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use hyco_client::connection::{BufferPool, Connection, Inbox, Signal};

use crate::{Handle, Queue, Slab, SlabPool, Turns, batch::HubBatch, record::kind};

/// The inbox of an environment.
#[derive(Debug)]
pub struct HubInbox {
    reading: Mutex<Reading>,
    queue: Mutex<Queue>,
    /// When the two threads wake each other.
    pub turns: Turns,
    /// Memory of large messages, in both directions.
    pub buffers: Arc<BufferPool>,
    slabs: Arc<SlabPool>,
}

/// What only the I/O thread uses; the lock is never contended.
#[derive(Debug)]
struct Reading {
    /// The slab that is being filled, and how far it is.
    slab: Option<(Arc<Slab>, usize)>,
    batch: HubBatch,
    /// Read steps so far.
    steps: u32,
}

impl HubInbox {
    /// An inbox in which nothing waits.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let buffers = Arc::new(BufferPool::default());
        Arc::new(Self {
            reading: Mutex::new(Reading {
                slab: None,
                batch: HubBatch::new(Arc::clone(&buffers)),
                steps: 0,
            }),
            queue: Mutex::default(),
            turns: Turns::default(),
            buffers,
            slabs: Arc::default(),
        })
    }

    /// Announces an open connection and what is known of it.
    pub fn opened(&self, handle: Handle, connection: Arc<Connection>, event: String) {
        let mut queue = self.queue();
        queue.opened.push((handle, connection));
        queue.push_event(handle.number, event);
        drop(queue);
        self.turns.wake();
    }

    /// Sends an event; `connection` is 0 where it is about a listener.
    pub fn event(&self, connection: u32, event: String) {
        self.queue().push_event(connection, event);
        self.turns.wake();
    }

    /// Sends a line of the log, unless JavaScript is behind already: a log must not fill the memory.
    pub fn log(&self, line: String) {
        let mut queue = self.queue();
        if queue.is_full() {
            return;
        }
        queue.push_event(0, line);
        drop(queue);
        self.turns.wake();
    }

    /// Tells what happened to an HTTP exchange of a listener's link.
    pub(crate) fn signal_exchange(&self, link: u32, exchange: u32, word: u32) {
        self.queue().push_exchange(link, exchange, word);
        self.turns.wake_after_turn();
    }

    /// Nothing is delivered from now on.
    pub fn revoke(&self) {
        self.turns.revoke();
    }

    /// Takes all that waits, leaving `empty` in its place, and lets stalled readers go on.
    pub fn take(&self, empty: Queue) -> Queue {
        let mut taken = mem::replace(&mut *self.queue(), empty);
        if taken.wake_stalled() {
            self.turns.give_errand();
        }
        taken
    }

    /// Whether nothing waits; if so the next record wakes JavaScript again.
    pub fn rest(&self) -> bool {
        let queue = self.queue();
        if !queue.records.is_empty() {
            return false;
        }
        self.turns.rest();
        drop(queue);
        self.turns.end_nap();
        true
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for HubInbox {
    type Batch = HubBatch;

    fn poll_lend<R>(
        &self,
        waker: &Waker,
        connection: u32,
        need: usize,
        step: impl FnOnce(&mut [u8], &mut HubBatch) -> Poll<R>,
    ) -> Poll<R> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Reading { slab, batch, steps } = &mut *reading;
        *steps = steps.wrapping_add(1);
        if steps.is_multiple_of(STEPS_A_LOOK) {
            self.turns.wake_if_late();
        }
        {
            let mut queue = self.queue();
            if queue.is_full() {
                queue.stall(connection, waker);
                return Poll::Pending;
            }
        }
        slab.take_if(|(_, used)| Slab::SIZE - *used < need);
        let (slab, used) = slab.get_or_insert_with(|| (Slab::new(&self.slabs), 0));

        batch.begin(connection, *used);
        #[expect(unsafe_code, reason = "lends the unused end of the slab")]
        // SAFETY: this runs on the I/O thread under the lock of `reading`, and records only
        // describe bytes before `used`.
        let space = unsafe { slab.space(*used) };
        let outcome = step(space, batch);
        if batch.is_empty() {
            return outcome;
        }

        *used += batch.used();
        let mut queue = self.queue();
        queue.append(batch, slab);
        let much = queue.is_much();
        drop(queue);
        self.turns.count_read();
        if much {
            self.turns.wake();
        } else {
            self.turns.wake_after_turn();
        }
        outcome
    }

    fn signal(&self, connection: u32, signal: Signal) {
        let (kind, length) = match signal {
            Signal::Acknowledged(count) => (kind::ACKNOWLEDGED, count),
            Signal::Finished => (kind::FINISHED, 0),
            Signal::Closed => (kind::CLOSED, 0),
        };
        self.queue().push(connection, kind, length);
        self.turns.wake_after_turn();
    }
}

/// Read steps between two looks at the clock.
const STEPS_A_LOOK: u32 = 16;
