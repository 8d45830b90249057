//! The queue from the I/O thread to JavaScript: records, and what they refer to.

use std::{
    mem,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use hyco_client::connection::{Batch, BufferPool, Connection, Inbox, Signal};
use hyco_websocket::{Assembled, Sink, Violation};
use serde_json::json;

use crate::{Handle, Slab, SlabPool, Turns};

/// One thing that happened to a connection, as JavaScript reads it from the table.
///
/// | kind | slab, offset, length |
/// |---|---|
/// | text, binary, ping, pong | the bytes: slab, offset, length |
/// | large text, large binary | offset: index of the message; length: index of its fragments' ends among the events, plus one, or 0 |
/// | close | the bytes of the reason; the code lies in the two bytes before |
/// | close without code, ended, finished, closed | nothing |
/// | acknowledged | length: how many frames |
/// | event | offset: index of the event |
/// | slab done | slab: its number is free again |
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Record {
    pub connection: u32,
    /// The [`kind`] in the low byte, the number of the slab above it.
    pub kind: u32,
    pub offset: u32,
    pub length: u32,
}

/// The kinds of record; `lib/hub/records.js` has the same list.
pub mod kind {
    pub const TEXT: u32 = 1;
    pub const BINARY: u32 = 2;
    pub const LARGE_TEXT: u32 = 3;
    pub const LARGE_BINARY: u32 = 4;
    pub const PING: u32 = 5;
    pub const PONG: u32 = 6;
    pub const CLOSE: u32 = 7;
    pub const CLOSE_WITHOUT_CODE: u32 = 8;
    pub const ACKNOWLEDGED: u32 = 9;
    pub const ENDED: u32 = 10;
    pub const FINISHED: u32 = 11;
    pub const CLOSED: u32 = 12;
    pub const EVENT: u32 = 13;
    pub const SLAB_DONE: u32 = 14;
}

/// What waits to be delivered.
#[derive(Debug, Default)]
pub struct Queue {
    pub records: Vec<Record>,
    pub large: Vec<Vec<u8>>,
    pub events: Vec<String>,
    /// Slabs that records refer to for the first time, with their numbers.
    pub slabs: Vec<(u32, Arc<Slab>)>,
    /// Connections that opened.
    pub opened: Vec<(Handle, Arc<Connection>)>,
    /// Numbers of slabs that JavaScript has let go of.
    pub slab_numbers: Vec<u32>,
    /// Bytes that the records refer to.
    weight: usize,
    stalled: Vec<Waker>,
}

/// The inbox of an environment.
#[derive(Debug)]
pub struct HubInbox {
    reading: Mutex<Reading>,
    queue: Mutex<Queue>,
    pub turns: Turns,
    /// Memory of large messages, in both directions.
    pub buffers: Arc<BufferPool>,
    slabs: Arc<SlabPool>,
}

/// What only the I/O thread uses; the lock is never contended.
#[derive(Debug)]
struct Reading {
    slab: Option<Current>,
    next_number: u32,
    batch: HubBatch,
    /// Read steps so far.
    steps: u32,
}

#[derive(Debug)]
struct Current {
    slab: Arc<Slab>,
    number: u32,
    used: usize,
    announced: bool,
}

/// What one read step collects.
#[derive(Debug)]
pub struct HubBatch {
    pool: Arc<BufferPool>,
    connection: u32,
    slab: u32,
    base: u32,
    /// The end of the last record's bytes, counted from `base`.
    keep: usize,
    records: Vec<Record>,
    large: Vec<Vec<u8>>,
    events: Vec<String>,
    weight: usize,
}

impl HubInbox {
    pub fn new() -> Arc<Self> {
        let buffers = Arc::new(BufferPool::default());
        let batch = HubBatch {
            pool: Arc::clone(&buffers),
            connection: 0,
            slab: 0,
            base: 0,
            keep: 0,
            records: Vec::new(),
            large: Vec::new(),
            events: Vec::new(),
            weight: 0,
        };
        Arc::new(Self {
            reading: Mutex::new(Reading {
                slab: None,
                next_number: 0,
                batch,
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

    /// Nothing is delivered from now on.
    pub fn revoke(&self) {
        self.turns.revoke();
    }

    /// Takes all that waits, leaving `empty` in its place, and lets stalled readers go on.
    pub fn take(&self, empty: Queue) -> Queue {
        let mut queue = self.queue();
        let mut taken = mem::replace(&mut *queue, empty);
        queue.slab_numbers.append(&mut taken.slab_numbers);
        drop(queue);
        if !taken.stalled.is_empty() {
            for waker in taken.stalled.drain(..) {
                waker.wake();
            }
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

    /// JavaScript holds no record of these slabs any more.
    pub fn release_slabs(&self, numbers: impl Iterator<Item = u32>) {
        self.queue().slab_numbers.extend(numbers);
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
        let Reading {
            slab,
            next_number,
            batch,
            steps,
        } = &mut *reading;
        *steps = steps.wrapping_add(1);
        if steps.is_multiple_of(STEPS_A_LOOK) {
            self.turns.wake_if_late();
        }
        {
            let mut queue = self.queue();
            if queue.weight >= WINDOW {
                queue.stalled.push(waker.clone());
                return Poll::Pending;
            }
            if let Some(current) = slab.take_if(|current| Slab::SIZE - current.used < need) {
                if current.announced {
                    let kind = kind::SLAB_DONE | current.number << 8;
                    queue.records.push(Record {
                        connection: 0,
                        kind,
                        offset: 0,
                        length: 0,
                    });
                } else {
                    queue.slab_numbers.push(current.number);
                }
            }
            if slab.is_none() {
                let number = queue.slab_numbers.pop().unwrap_or_else(|| {
                    *next_number += 1;
                    *next_number
                });
                let memory = Slab::new(&self.slabs);
                *slab = Some(Current {
                    slab: memory,
                    number,
                    used: 0,
                    announced: false,
                });
            }
        }
        let Some(current) = slab else {
            return Poll::Pending;
        };

        batch.begin(connection, current);
        #[expect(unsafe_code, reason = "lends the unused end of the slab")]
        // SAFETY: this runs on the I/O thread under the lock of `reading`, and records only
        // describe bytes before `used`.
        let space = unsafe { current.slab.space(current.used) };
        let outcome = step(space, batch);
        if batch.records.is_empty() {
            return outcome;
        }

        current.used += batch.keep;
        let mut queue = self.queue();
        if batch.keep > 0 && !current.announced {
            current.announced = true;
            queue
                .slabs
                .push((current.number, Arc::clone(&current.slab)));
        }
        batch.move_to(&mut queue);
        let much = queue.weight >= EARLY_BYTES || queue.records.len() >= EARLY_RECORDS;
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
        self.queue().records.push(Record {
            connection,
            kind,
            offset: 0,
            length,
        });
        self.turns.wake_after_turn();
    }
}

impl Queue {
    fn push_event(&mut self, connection: u32, event: String) {
        let offset = self.events.len() as u32;
        self.events.push(event);
        self.records.push(Record {
            connection,
            kind: kind::EVENT,
            offset,
            length: 0,
        });
    }

    /// Empties what was delivered and keeps the memory for the next time.
    pub fn recycle(&mut self) {
        self.records.clear();
        self.large.clear();
        self.events.clear();
        self.slabs.clear();
        self.opened.clear();
        self.weight = 0;
        if self.records.capacity() > KEPT_RECORDS {
            self.records = Vec::new();
        }
    }
}

impl HubBatch {
    fn begin(&mut self, connection: u32, current: &Current) {
        self.connection = connection;
        self.slab = current.number << 8;
        self.base = current.used as u32;
        self.keep = 0;
        self.weight = 0;
    }

    fn bytes(&mut self, kind: u32, at: &Range<usize>) {
        self.keep = self.keep.max(at.end);
        self.weight += at.len() + size_of::<Record>();
        self.records.push(Record {
            connection: self.connection,
            kind: kind | self.slab,
            offset: self.base + at.start as u32,
            length: at.len() as u32,
        });
    }

    fn push(&mut self, kind: u32, offset: u32, length: u32) {
        self.records.push(Record {
            connection: self.connection,
            kind,
            offset,
            length,
        });
    }

    /// Appends to the queue; indices of messages and events count from what is there already.
    fn move_to(&mut self, queue: &mut Queue) {
        let (large, events) = (queue.large.len() as u32, queue.events.len() as u32);
        if !(self.large.is_empty() && self.events.is_empty()) {
            for record in &mut self.records {
                match record.kind & 0xff {
                    kind::LARGE_TEXT | kind::LARGE_BINARY => {
                        record.offset += large;
                        if record.length > 0 {
                            record.length += events;
                        }
                    }
                    kind::EVENT => record.offset += events,
                    _ => {}
                }
            }
        }
        queue.records.append(&mut self.records);
        queue.large.append(&mut self.large);
        queue.events.append(&mut self.events);
        queue.weight += self.weight;
    }
}

impl Sink for HubBatch {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        self.pool.take(capacity)
    }

    #[inline]
    fn message(&mut self, text: bool, at: Range<usize>) {
        self.bytes(if text { kind::TEXT } else { kind::BINARY }, &at);
    }

    fn large(&mut self, text: bool, message: Assembled) {
        let Assembled { bytes, fragments } = message;
        let mut length = 0;
        if fragments.len() > 1 {
            self.events.push(json!(fragments).to_string());
            length = self.events.len() as u32;
        }
        self.weight += bytes.len() + size_of::<Record>();
        let kind = if text {
            kind::LARGE_TEXT
        } else {
            kind::LARGE_BINARY
        };
        self.push(kind, self.large.len() as u32, length);
        self.large.push(bytes);
    }

    fn ping(&mut self, at: Range<usize>) {
        self.bytes(kind::PING, &at);
    }

    fn pong(&mut self, at: Range<usize>) {
        self.bytes(kind::PONG, &at);
    }

    fn close(&mut self, code: Option<u16>, reason: Range<usize>) {
        match code {
            Some(_) => self.bytes(kind::CLOSE, &reason),
            None => self.push(kind::CLOSE_WITHOUT_CODE, 0, 0),
        }
    }
}

impl Batch for HubBatch {
    fn violation(&mut self, violation: Violation) {
        let event = json!({
            "type": "violation",
            "message": violation.to_string(),
            "code": violation.code(),
            "closeCode": violation.close_code(),
            "range": violation.is_range_error(),
        });
        let index = self.events.len() as u32;
        self.events.push(event.to_string());
        self.push(kind::EVENT, index, 0);
    }

    fn ended(&mut self) {
        self.push(kind::ENDED, 0, 0);
    }
}

/// Bytes that may wait for JavaScript; then reading stops until it has taken them.
const WINDOW: usize = 2 * 1024 * 1024;

/// Bytes from which on JavaScript is woken within a turn of the I/O thread. Each wake interrupts
/// that thread where there are few processors: with 64 KiB a flood of 16 KiB messages over TLS
/// cost 1.6 times as much.
const EARLY_BYTES: usize = 512 * 1024;

/// As many records do the same.
const EARLY_RECORDS: usize = 256;

/// Read steps between two looks at the clock.
const STEPS_A_LOOK: u32 = 16;

/// Records whose memory a queue keeps between deliveries.
const KEPT_RECORDS: usize = 64 * 1024;
