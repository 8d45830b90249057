//! Every interleaving of the two threads, as far as loom can: no record waits unseen, and no nap
//! outlasts what there is to do.
//!
//! `RUSTFLAGS="--cfg hyco_loom" cargo test --release -p hyco-hub --test turns`
#![cfg(hyco_loom)]

use std::collections::VecDeque;

use hyco_hub::{Turns, Wake};
use loom::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// JavaScript: its event loop waits for calls of the threadsafe function.
#[derive(Debug, Default)]
struct JavaScript {
    calls: Mutex<usize>,
    called: Condvar,
}

impl Wake for JavaScript {
    fn wake(&self) {
        *self.calls.lock().unwrap() += 1;
        self.called.notify_one();
    }
}

impl JavaScript {
    /// Waits for a call.
    fn turn(&self) {
        let mut calls = self.calls.lock().unwrap();
        while *calls == 0 {
            calls = self.called.wait(calls).unwrap();
        }
        *calls -= 1;
    }
}

struct Shared {
    turns: Turns,
    queue: Mutex<VecDeque<usize>>,
    javascript: std::sync::Arc<JavaScript>,
}

impl Shared {
    fn new() -> Arc<Self> {
        let shared = Self {
            turns: Turns::default(),
            queue: Mutex::default(),
            javascript: std::sync::Arc::default(),
        };
        let javascript: std::sync::Arc<dyn Wake> = shared.javascript.clone();
        shared.turns.set_javascript(javascript);
        Arc::new(shared)
    }

    /// Reads until so many records have come, as the delivery does.
    fn read(&self, count: usize) {
        let mut seen = 0;
        while seen < count {
            self.javascript.turn();
            loop {
                seen += self.queue.lock().unwrap().drain(..).count();
                let queue = self.queue.lock().unwrap();
                if queue.is_empty() {
                    self.turns.rest();
                    drop(queue);
                    self.turns.end_nap();
                    break;
                }
            }
        }
    }
}

#[test]
fn every_record_is_read() {
    loom::model(|| {
        let shared = Shared::new();
        let io = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for record in 0..2 {
                    shared.queue.lock().unwrap().push_back(record);
                    shared.turns.wake();
                }
            })
        };
        shared.read(2);
        io.join().unwrap();
    });
}

#[test]
fn a_crowd_of_reads_ends_in_a_nap_that_ends() {
    loom::model(|| {
        let shared = Shared::new();
        let io = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for record in 0..4 {
                    shared.queue.lock().unwrap().push_back(record);
                    shared.turns.count_read();
                }
                shared.turns.wake_after_turn();
                shared.turns.end_turn();
            })
        };
        shared.read(4);
        io.join().unwrap();
    });
}

#[test]
fn an_errand_ends_a_nap() {
    loom::model(|| {
        let shared = Shared::new();
        let done = Arc::new(AtomicUsize::new(0));
        let io = {
            let (shared, done) = (Arc::clone(&shared), Arc::clone(&done));
            thread::spawn(move || {
                for _ in 0..4 {
                    shared.turns.count_read();
                }
                shared.turns.wake();
                // JavaScript never reads: only the errand ends this.
                shared.turns.end_turn();
                assert_eq!(done.load(Ordering::Acquire), 1);
            })
        };
        done.store(1, Ordering::Release);
        shared.turns.give_errand();
        io.join().unwrap();
    });
}

#[test]
fn the_end_of_an_environment_ends_a_nap() {
    loom::model(|| {
        let shared = Shared::new();
        let io = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..4 {
                    shared.turns.count_read();
                }
                shared.turns.wake();
                shared.turns.end_turn();
            })
        };
        shared.turns.revoke();
        io.join().unwrap();
    });
}
