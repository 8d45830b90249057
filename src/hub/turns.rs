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
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use napi::sys;

/// The state of both threads.
#[derive(Debug, Default)]
pub(super) struct Turns {
    function: AtomicPtr<sys::napi_threadsafe_function__>,
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
    /// Says how JavaScript is reached.
    pub(super) fn set_function(&self, function: sys::napi_threadsafe_function) {
        self.function.store(function, Ordering::Release);
    }

    /// How JavaScript is reached; null when it is not any more.
    pub(super) fn function(&self) -> sys::napi_threadsafe_function {
        self.function.load(Ordering::Acquire)
    }

    /// Makes JavaScript look at the queue soon. On any thread.
    pub(super) fn wake(&self) {
        self.due.store(false, Ordering::Relaxed);
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let function = self.function();
        if !function.is_null() {
            #[expect(unsafe_code, reason = "Node-API call")]
            // SAFETY: the pointer is cleared, and the I/O thread joined, before the environment
            // releases the function. A full queue cannot be: it has no limit and one entry.
            unsafe {
                sys::napi_call_threadsafe_function(
                    function,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            }
        }
    }

    /// Makes JavaScript look at the queue when this turn of the I/O thread, which calls this, is
    /// over.
    pub(super) fn wake_after_turn(&self) {
        if !self.due.swap(true, Ordering::Relaxed) {
            self.due_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Wakes JavaScript if the turn has been too long for what was queued in it: a turn does not
    /// end while there is something to read, such as a large message of another connection. The I/O
    /// thread calls this before it reads.
    pub(super) fn wake_if_late(&self) {
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
    pub(super) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// A turn of the I/O thread, which calls this, is over.
    pub(super) fn end_turn(&self) {
        if self.due.load(Ordering::Relaxed) {
            self.wake();
        }
        if self.reads.swap(0, Ordering::Relaxed) >= NAP_READS {
            self.nap();
        }
    }

    fn nap(&self) {
        self.io.get_or_init(thread::current);
        let start = Instant::now();
        while self.scheduled.load(Ordering::Acquire) && !self.errand.swap(false, Ordering::AcqRel) {
            let Some(left) = NAP.checked_sub(start.elapsed()) else {
                return;
            };
            thread::park_timeout(left);
        }
    }

    /// JavaScript, which calls this with the queue locked, has read everything: the next wake calls
    /// again. [`Self::end_nap`] follows.
    pub(super) fn rest(&self) {
        self.scheduled.store(false, Ordering::Release);
    }

    /// JavaScript has something for the I/O thread to do.
    pub(super) fn give_errand(&self) {
        self.errand.store(true, Ordering::Release);
        self.end_nap();
    }

    /// Lets a napping I/O thread look around.
    pub(super) fn end_nap(&self) {
        if let Some(io) = self.io.get() {
            io.unpark();
        }
    }

    /// No call reaches JavaScript from now on.
    pub(super) fn revoke(&self) {
        self.scheduled.store(true, Ordering::Release);
        self.function.store(ptr::null_mut(), Ordering::Release);
        self.give_errand();
    }
}

/// How long a message waits for the end of a turn.
const LATE_MICROSECONDS: u64 = 1000;

/// Fewer reads in a turn are no crowd: an answer to them should be read at once.
const NAP_READS: usize = 4;

/// The longest nap. A listener of the user's that takes longer has the I/O thread read beside it.
const NAP: Duration = Duration::from_millis(1);
