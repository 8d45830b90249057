//! Who finds the queue full is woken when it has been taken: each of them, once, in the order in which
//! they came. Only who has filled it is the last.

use std::{
    sync::{Arc, Mutex},
    task::{Poll, Wake, Waker},
};

use hyco_client::connection::{Inbox, Signal};
use hyco_hub::{HubInbox, LoopInbox, Queue, RECORD_WORDS};
use hyco_websocket::{Assembled, Sink};

/// A waker that notes its name.
struct Named(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().expect("no panic").push(self.0);
    }
}

struct Setting {
    inbox: Arc<HubInbox>,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Setting {
    /// An inbox that takes no more.
    fn full() -> Self {
        let setting = Self::empty();
        setting.inbox.event(0, "x".repeat(3 * 1024 * 1024));
        setting
    }

    fn empty() -> Self {
        Self {
            inbox: HubInbox::new(),
            woken: Arc::default(),
        }
    }

    fn task(&self, name: usize) -> Arc<Named> {
        Arc::new(Named(name, Arc::clone(&self.woken)))
    }

    fn stalls(&self, task: &Arc<Named>, connection: u32) -> bool {
        let waker = Waker::from(Arc::clone(task));
        self.inbox
            .poll_lend(&waker, connection, 100, |_, _| Poll::Ready(()))
            .is_pending()
    }

    /// Takes the queue; returns who is woken by that.
    fn take(&self) -> Vec<usize> {
        drop(self.inbox.take(Queue::default()));
        std::mem::take(&mut self.woken.lock().expect("no panic"))
    }
}

/// Has a task read a message of that size, unless the inbox is full.
fn reads(inbox: &impl Inbox<Batch: Sink>, task: &Arc<Named>, size: usize) -> bool {
    let waker = Waker::from(Arc::clone(task));
    let step = inbox.poll_lend(&waker, 7, 100, |_, batch| {
        let bytes = vec![0; size];
        let fragments = Vec::new();
        batch.large(false, Assembled { bytes, fragments });
        Poll::Ready(())
    });
    step.is_ready()
}

#[test]
fn a_task_is_woken_once_however_often_it_asked() {
    let setting = Setting::full();
    let task = setting.task(1);
    for _ in 0..1000 {
        assert!(setting.stalls(&task, 7));
    }
    assert_eq!(setting.take(), [1]);
    assert!(!setting.stalls(&task, 7));
    assert!(setting.take().is_empty());
}

#[test]
fn all_tasks_of_one_connection_are_woken() {
    let setting = Setting::full();
    let tasks: Vec<_> = (0..100).map(|name| setting.task(name)).collect();
    for task in &tasks {
        assert!(setting.stalls(task, 7));
    }
    assert_eq!(setting.take(), Vec::from_iter(0..100));
}

#[test]
fn who_has_waited_longest_is_woken_first() {
    let setting = Setting::full();
    for name in [3, 1, 2] {
        assert!(setting.stalls(&setting.task(name), name as u32));
    }
    assert_eq!(setting.take(), [3, 1, 2]);
}

#[test]
fn who_fills_the_queue_has_its_next_turn_behind_those_that_wait() {
    let setting = Setting::empty();
    let tasks = [1, 2, 3].map(|name| setting.task(name));
    let mut order: Vec<usize> = vec![0, 1, 2];
    for _ in 0..4 {
        // They are woken in this order, and each reads until it has to wait.
        for &at in &order {
            while reads(&*setting.inbox, &tasks[at], WINDOW) {}
        }
        order.rotate_left(1);
        let names: Vec<_> = order.iter().map(|at| at + 1).collect();
        assert_eq!(setting.take(), names);
    }
}

#[test]
fn javascript_reads_for_itself_while_the_queue_is_full_for_others() {
    let setting = Setting::empty();
    let [others, own] = [1, 2].map(|name| setting.task(name));
    let of_loop = LoopInbox::new(&setting.inbox);
    while reads(&*setting.inbox, &others, WINDOW / 4) {}
    let mut count = 0;
    while reads(&of_loop, &own, WINDOW / 4) {
        count += 1;
        assert!(count < 8, "there is no bound");
    }
    assert!(count > 0, "there is no room");
    // Who filled it first is the last.
    assert_eq!(setting.take(), [2, 1]);
}

/// Bytes that may wait for JavaScript.
const WINDOW: usize = 2 * 1024 * 1024;

#[test]
fn what_carries_nothing_counts_as_well() {
    let setting = Setting::empty();
    let task = setting.task(1);
    for _ in 1..WINDOW / (4 * RECORD_WORDS) {
        setting.inbox.signal(7, Signal::Acknowledged(1));
    }
    assert!(!setting.stalls(&task, 7));
    setting.inbox.signal(7, Signal::Acknowledged(1));
    assert!(setting.stalls(&task, 7));
    assert_eq!(setting.take(), [1]);
}

#[test]
fn a_queue_that_comes_again_after_its_delivery_is_empty() {
    let setting = Setting::full();
    let mut delivered = setting.inbox.take(Queue::default());
    delivered.recycle();
    drop(setting.inbox.take(delivered));
    assert!(!setting.stalls(&setting.task(1), 7));
    let again = setting.inbox.take(Queue::default());
    assert!(again.records.is_empty() && again.events.is_empty());
}
