//! The way from the I/O thread to JavaScript: read steps in slabs, and the queue that they fill.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Instant,
};

use hyco_client::connection::{BufferPool, Connection, Driver, Home, Inbox, Signal};

use crate::{
    Handle, Homes, Queue, Slab, SlabPool, Stay, Turns, batch::HubBatch, record::kind,
    speakers::Speakers,
};

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
    homes: Homes,
    speakers: Speakers,
}

/// What one home reads with; the lock around it is never contended.
#[derive(Debug)]
struct Reading {
    /// The slab that is being filled, and how far it is.
    slab: Option<(Arc<Slab>, usize)>,
    batch: HubBatch,
    /// Read steps so far.
    steps: u32,
    /// Whether no more may be read for now.
    is_full: fn(&Queue) -> bool,
}

/// The way of the connections that live on the loop of JavaScript. It wakes nobody: whoever reads
/// there delivers afterwards.
#[derive(Debug)]
pub struct LoopInbox {
    inbox: Arc<HubInbox>,
    reading: Mutex<Reading>,
}

/// Drives a connection on the I/O thread until it is gone or leaves for the loop.
pub async fn live(driver: Driver<HubInbox>, inbox: Arc<HubInbox>) {
    if let Some(driver) = driver.on_thread().await {
        inbox.moved(driver);
    }
}

impl HubInbox {
    /// An inbox in which nothing waits, whose connections live with the I/O thread.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_homes(Homes::Thread)
    }

    /// An inbox in which nothing waits, whose connections live where `homes` says.
    #[must_use]
    pub fn with_homes(homes: Homes) -> Arc<Self> {
        let buffers = Arc::new(BufferPool::default());
        Arc::new(Self {
            reading: Mutex::new(Reading::new(&buffers, Queue::is_full)),
            homes,
            speakers: Speakers::default(),
            queue: Mutex::default(),
            turns: Turns::default(),
            buffers,
            slabs: Arc::default(),
        })
    }

    /// A connection was read from, `now`; returns how many are, these milliseconds. Only the rule asks.
    #[must_use]
    pub fn speakers(&self, stay: &mut Stay, now: impl FnOnce() -> Instant) -> usize {
        match self.homes {
            Homes::Rule => self.speakers.count(&mut stay.counted, now()),
            Homes::Thread | Homes::Loop | Homes::Roam => 0,
        }
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

    /// Hands a connection over to the loop.
    fn moved(&self, driver: Driver<Self>) {
        self.queue().moved.push(driver);
        self.turns.wake_after_turn();
    }

    /// Nothing is delivered from now on.
    pub fn revoke(&self) {
        self.turns.revoke();
    }

    /// Ends the connections that are on their way to the loop. They hold this inbox, which must not
    /// hold itself when the environment is gone.
    pub fn clear(&self) {
        let moved = mem::take(&mut self.queue().moved);
        drop(moved);
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
        if !queue.records.is_empty() || !queue.moved.is_empty() {
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
        reading.steps = reading.steps.wrapping_add(1);
        if reading.steps.is_multiple_of(STEPS_A_LOOK) {
            self.turns.wake_if_late();
        }
        let (outcome, queued) = reading.lend(self, waker, connection, need, step);
        match queued {
            Queued::Nothing => return outcome,
            Queued::Some => self.turns.wake_after_turn(),
            Queued::Much => self.turns.wake(),
        }
        self.turns.count_read();
        outcome
    }

    fn signal(&self, connection: u32, signal: Signal) {
        self.push(connection, signal);
        self.turns.wake_after_turn();
    }
}

impl Home for HubInbox {
    type Stay = Stay;

    fn leaves_thread(&self, stay: &mut Stay, bytes: usize) -> bool {
        let speakers = self.speakers(stay, Instant::now);
        self.homes.leaves_thread(stay, speakers, bytes)
    }
}

impl LoopInbox {
    /// The way into the same queue.
    #[must_use]
    pub fn new(inbox: &Arc<HubInbox>) -> Self {
        Self {
            inbox: Arc::clone(inbox),
            reading: Mutex::new(Reading::new(&inbox.buffers, Queue::is_full_for_loop)),
        }
    }

    /// Whether something waits for JavaScript.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.inbox.queue().records.is_empty()
    }
}

impl Inbox for LoopInbox {
    type Batch = HubBatch;

    fn poll_lend<R>(
        &self,
        waker: &Waker,
        connection: u32,
        need: usize,
        step: impl FnOnce(&mut [u8], &mut HubBatch) -> Poll<R>,
    ) -> Poll<R> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.lend(&self.inbox, waker, connection, need, step).0
    }

    fn signal(&self, connection: u32, signal: Signal) {
        self.inbox.push(connection, signal);
    }
}

/// What a read step has put into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queued {
    Nothing,
    Some,
    /// More than should wait for the end of a turn.
    Much,
}

impl Reading {
    fn new(buffers: &Arc<BufferPool>, is_full: fn(&Queue) -> bool) -> Self {
        Self {
            slab: None,
            batch: HubBatch::new(Arc::clone(buffers)),
            steps: 0,
            is_full,
        }
    }

    fn lend<R>(
        &mut self,
        inbox: &HubInbox,
        waker: &Waker,
        connection: u32,
        need: usize,
        step: impl FnOnce(&mut [u8], &mut HubBatch) -> Poll<R>,
    ) -> (Poll<R>, Queued) {
        let Self {
            slab,
            batch,
            is_full,
            ..
        } = self;
        {
            let mut queue = inbox.queue();
            if is_full(&queue) {
                queue.stall(waker);
                return (Poll::Pending, Queued::Nothing);
            }
        }
        slab.take_if(|(_, used)| Slab::SIZE - *used < need);
        let (slab, used) = slab.get_or_insert_with(|| (Slab::new(&inbox.slabs), 0));

        batch.begin(connection, *used);
        #[expect(unsafe_code, reason = "lends the unused end of the slab")]
        // SAFETY: nobody else fills this slab, which `self` holds exclusively, and records only
        // describe bytes before `used`.
        let space = unsafe { slab.space(*used) };
        let outcome = step(space, batch);
        if batch.is_empty() {
            return (outcome, Queued::Nothing);
        }

        *used += batch.used();
        let mut queue = inbox.queue();
        queue.append(batch, slab, waker);
        let queued = if queue.is_much() {
            Queued::Much
        } else {
            Queued::Some
        };
        (outcome, queued)
    }
}

impl HubInbox {
    fn push(&self, connection: u32, signal: Signal) {
        let (kind, length) = match signal {
            Signal::Acknowledged(count) => (kind::ACKNOWLEDGED, count),
            Signal::Finished => (kind::FINISHED, 0),
            Signal::Closed => (kind::CLOSED, 0),
        };
        self.queue().push(connection, kind, length);
    }
}

/// Read steps between two looks at the clock.
const STEPS_A_LOOK: u32 = 16;
