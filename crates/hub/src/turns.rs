//! When the I/O thread and the JavaScript thread of an environment wake each other.
//!
//! | moment | who | does |
//! |---|---|---|
//! | something was queued | I/O thread | notes it: JavaScript is woken once, when the turn is over |
//! | much was queued, or a while ago | I/O thread | wakes JavaScript within the turn, so that both work |
//! | a turn that read from several connections is over | I/O thread | naps while JavaScript is at work |
//! | all that was queued has been read | JavaScript | ends the nap |
//! | frames were left to the I/O thread, or it may read again | JavaScript | ends the nap |
//!
//! A wake costs more than a small message. Answers that come while JavaScript works through a batch
//! would wake the I/O thread one by one; after a nap it reads them together.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering, Thread, current, park_timeout};

/// Reaches JavaScript from any thread.
pub trait Wake: fmt::Debug + Send + Sync {
    /// Makes JavaScript look at the queue soon.
    fn wake(&self);
}

/// The state of both threads.
#[derive(Debug, Default)]
pub struct Turns {
    javascript: OnceLock<Arc<dyn Wake>>,
    /// JavaScript will look at the queue without being woken again.
    scheduled: AtomicBool,
    /// JavaScript is to be woken at the end of this turn of the I/O thread.
    due: AtomicBool,
    /// Since when: microseconds from `start` on.
    due_since: AtomicU64,
    start: OnceLock<Instant>,
    /// Reads of this turn that brought something.
    reads: AtomicUsize,
    /// The I/O thread has got something to do since it last looked.
    errand: AtomicBool,
    io: OnceLock<Thread>,
}

impl Turns {
    /// Says how JavaScript is reached; the first one stays.
    pub fn set_javascript(&self, javascript: Arc<dyn Wake>) {
        let _ = self.javascript.set(javascript);
    }

    /// Makes JavaScript look at the queue soon. On any thread.
    pub fn wake(&self) {
        self.due.store(false, Ordering::Relaxed);
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(javascript) = self.javascript.get() {
            javascript.wake();
        }
    }

    /// Makes JavaScript look at the queue when this turn of the I/O thread, which calls this, is
    /// over.
    pub fn wake_after_turn(&self) {
        if !self.due.swap(true, Ordering::Relaxed) {
            self.due_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Wakes JavaScript if the turn has been too long for what was queued in it: a turn does not
    /// end while there is something to read, such as a large message of another connection. The I/O
    /// thread calls this before it reads.
    pub fn wake_if_late(&self) {
        if self.due.load(Ordering::Relaxed)
            && self.now() - self.due_since.load(Ordering::Relaxed) > LATE_MICROSECONDS
        {
            self.wake();
        }
    }

    fn now(&self) -> u64 {
        let start = self.start.get_or_init(Instant::now);
        start.elapsed().as_micros() as u64
    }

    /// The I/O thread, which calls this, has read something.
    pub fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// A turn of the I/O thread, which calls this, is over.
    pub fn end_turn(&self) {
        if self.due.load(Ordering::Relaxed) {
            self.wake();
        }
        if self.reads.swap(0, Ordering::Relaxed) >= NAP_READS {
            self.nap();
        }
    }

    fn nap(&self) {
        self.io.get_or_init(current);
        let start = Instant::now();
        while self.scheduled.load(Ordering::Acquire) && !self.errand.swap(false, Ordering::AcqRel) {
            let Some(left) = NAP.checked_sub(start.elapsed()) else {
                return;
            };
            park_timeout(left);
        }
    }

    /// JavaScript, which calls this with the queue locked, has read everything: the next wake calls
    /// again. [`Self::end_nap`] follows.
    pub fn rest(&self) {
        self.scheduled.store(false, Ordering::Release);
    }

    /// JavaScript has something for the I/O thread to do.
    pub fn give_errand(&self) {
        self.errand.swap(true, Ordering::AcqRel);
        self.end_nap();
    }

    /// Lets a napping I/O thread look around.
    pub fn end_nap(&self) {
        if let Some(io) = self.io.get() {
            io.unpark();
        }
    }

    /// No new wake is begun from now on; one that was begun by the I/O thread is over when that has
    /// been joined.
    pub fn revoke(&self) {
        self.scheduled.store(true, Ordering::Release);
        self.give_errand();
    }
}

/// How long a message waits for the end of a turn.
const LATE_MICROSECONDS: u64 = 1000;

/// Fewer reads in a turn are no crowd: an answer to them should be read at once.
const NAP_READS: usize = 4;

/// The longest nap. A listener of the user's that takes longer has the I/O thread read beside it.
#[cfg(not(hyco_loom))]
const NAP: Duration = Duration::from_millis(1);
#[cfg(hyco_loom)]
const NAP: Duration = Duration::MAX;
