//! What waits for JavaScript.

use std::{collections::HashSet, sync::Arc, task::Waker};

use hyco_client::connection::{Connection, Driver};

use crate::{Handle, HubInbox, Record, Slab, batch::HubBatch, record::kind};

/// Records, and what they refer to.
#[derive(Debug, Default)]
pub struct Queue {
    /// In the order in which they happened.
    pub records: Vec<Record>,
    /// Messages that have memory of their own.
    pub large: Vec<Vec<u8>>,
    /// Events, in JSON.
    pub events: Vec<String>,
    /// Slabs where the bytes of records are.
    pub slabs: Vec<Arc<Slab>>,
    /// Connections that opened.
    pub opened: Vec<(Handle, Arc<Connection>)>,
    /// Drivers that have left the I/O thread for the loop.
    pub moved: Vec<Driver<HubInbox>>,
    cost: usize,
    /// The task that read what made the queue full.
    filled_by: Option<Task>,
    /// Rare: a queue is taken for each batch of messages.
    stalled: Option<Box<Stalled>>,
}

/// The tasks that wait for the queue to be taken, in the order in which they came. A connection may
/// have many: each request of a listener waits on its own.
#[derive(Debug, Default)]
struct Stalled {
    wakers: Vec<Waker>,
    /// The one that filled the queue, which goes on behind all others. It asks for more before they
    /// have had their turn, so it would be the first each time and the only one that ever reads.
    filler: Option<Waker>,
    /// Which tasks these are. The wakers keep them, so that no other task has the same address.
    known: HashSet<Task>,
}

/// What tells tasks apart.
type Task = (usize, usize);

fn task(waker: &Waker) -> Task {
    (
        waker.data().addr(),
        std::ptr::from_ref(waker.vtable()).addr(),
    )
}

impl Queue {
    /// Whether no more may be read until JavaScript has taken what is here.
    pub(crate) fn is_full(&self) -> bool {
        self.cost >= WINDOW
    }

    /// The same for what JavaScript itself reads: the I/O thread fills the queue while listeners run, and
    /// must leave room for it.
    pub(crate) fn is_full_for_loop(&self) -> bool {
        self.cost >= 2 * WINDOW
    }

    /// Whether JavaScript should look at it before the turn of the I/O thread is over.
    pub(crate) fn is_much(&self) -> bool {
        self.cost >= EARLY_BYTES || self.records.len() >= EARLY_RECORDS
    }

    /// Has a task woken when the queue is taken; once, however often it asks.
    pub(crate) fn stall(&mut self, waker: &Waker) {
        let task = task(waker);
        let stalled = self.stalled.get_or_insert_default();
        if !stalled.known.insert(task) {
            return;
        }
        if self.filled_by == Some(task) {
            stalled.filler = Some(waker.clone());
        } else {
            stalled.wakers.push(waker.clone());
        }
    }

    /// Wakes the tasks that wait; returns whether there were any.
    pub(crate) fn wake_stalled(&mut self) -> bool {
        let Some(stalled) = self.stalled.take() else {
            return false;
        };
        for waker in stalled.wakers.into_iter().chain(stalled.filler) {
            waker.wake();
        }
        true
    }

    /// Appends a record that carries nothing.
    pub(crate) fn push(&mut self, connection: u32, kind: u32, length: u32) {
        self.cost += size_of::<Record>();
        self.records.push(Record {
            connection,
            kind,
            offset: 0,
            length,
        });
    }

    /// Appends what happened to an exchange.
    pub(crate) fn push_exchange(&mut self, link: u32, exchange: u32, word: u32) {
        self.cost += size_of::<Record>();
        self.records.push(Record {
            connection: link,
            kind: kind::EXCHANGE,
            offset: exchange,
            length: word,
        });
    }

    /// Appends an event.
    pub(crate) fn push_event(&mut self, connection: u32, event: String) {
        let offset = self.events.len() as u32;
        self.cost += size_of::<Record>() + size_of::<String>() + event.capacity();
        self.events.push(event);
        self.records.push(Record {
            connection,
            kind: kind::EVENT,
            offset,
            length: 0,
        });
    }

    /// Appends what a read step of that task collected in `slab`; its indices count from what is there
    /// already.
    pub(crate) fn append(&mut self, batch: &mut HubBatch, slab: &Arc<Slab>, waker: &Waker) {
        self.cost += batch.cost();
        if self.is_full() {
            self.filled_by.get_or_insert_with(|| task(waker));
        }
        let place = if batch.used() == 0 {
            0
        } else {
            self.place(slab) << 8
        };
        let (large, events) = (self.large.len() as u32, self.events.len() as u32);
        let plain = batch.large.is_empty() && batch.events.is_empty();
        self.records
            .extend(batch.records.drain(..).map(|mut record| {
                if plain {
                    record.kind |= place;
                    return record;
                }
                match record.kind {
                    kind::LARGE_TEXT | kind::LARGE_BINARY => {
                        record.offset += large;
                        if record.length > 0 {
                            record.length += events;
                        }
                    }
                    kind::EVENT => record.offset += events,
                    _ => record.kind |= place,
                }
                record
            }));
        self.large.append(&mut batch.large);
        self.events.append(&mut batch.events);
    }

    /// Empties what was delivered and keeps the memory for the next time.
    pub fn recycle(&mut self) {
        self.records.clear();
        self.large.clear();
        self.events.clear();
        self.slabs.clear();
        self.opened.clear();
        self.cost = 0;
        self.filled_by = None;
        if self.records.capacity() > KEPT_RECORDS {
            self.records = Vec::new();
        }
    }

    /// The place of the slab that is being filled: the last one, or a new one.
    fn place(&mut self, slab: &Arc<Slab>) -> u32 {
        if !self
            .slabs
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, slab))
        {
            self.slabs.push(Arc::clone(slab));
        }
        (self.slabs.len() - 1) as u32
    }
}

/// What may wait for JavaScript costs so many bytes; then reading stops until it has been taken. A
/// record costs itself, the memory of its message, and the room that its read step took in a slab:
/// small records may keep a lot of it.
const WINDOW: usize = 2 * 1024 * 1024;

/// Bytes from which on JavaScript is woken within a turn of the I/O thread. Each wake interrupts
/// that thread where there are few processors: with 64 KiB a flood of 16 KiB messages over TLS
/// cost 1.6 times as much.
const EARLY_BYTES: usize = 512 * 1024;

/// As many records do the same.
const EARLY_RECORDS: usize = 256;

/// Records whose memory a queue keeps between deliveries.
const KEPT_RECORDS: usize = 64 * 1024;
