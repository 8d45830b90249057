//! When JavaScript is woken: once for what a turn of the I/O thread brought, earlier where that is much
//! or has waited, and again only when it has read everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use hyco_client::connection::{Inbox, Signal};
use hyco_hub::{HubInbox, LoopInbox, Queue, Wake, kind};
use hyco_websocket::Sink;

#[derive(Debug, Default)]
struct JavaScript(AtomicUsize);

impl Wake for JavaScript {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl JavaScript {
    fn calls(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn inbox() -> (Arc<HubInbox>, Arc<JavaScript>) {
    let (inbox, javascript) = (HubInbox::new(), Arc::new(JavaScript::default()));
    inbox
        .turns
        .set_javascript(Arc::clone(&javascript) as Arc<dyn Wake>);
    (inbox, javascript)
}

/// A read step that brings so many messages, each with so many bytes.
fn read(inbox: &HubInbox, messages: usize, bytes: usize) {
    let outcome = inbox.poll_lend(Waker::noop(), 1, 65 * 1024, |_, batch| {
        for at in 0..messages {
            batch.message(false, at * bytes..(at + 1) * bytes);
        }
        Poll::Ready(())
    });
    assert!(outcome.is_ready());
}

/// Reads all that waits, as the delivery does.
fn take_all(inbox: &HubInbox) -> usize {
    let taken = inbox.take(Queue::default());
    assert!(inbox.rest());
    taken.records.len()
}

#[test]
fn a_turn_wakes_javascript_once_when_it_is_over() {
    let (inbox, javascript) = inbox();
    read(&inbox, 3, 10);
    read(&inbox, 2, 10);
    inbox.signal(2, Signal::Closed);
    assert_eq!(javascript.calls(), 0);
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 1);
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 1);
    assert_eq!(take_all(&inbox), 6);
}

#[test]
fn a_turn_in_which_javascript_was_woken_and_has_read_everything_wakes_it_no_more() {
    let (inbox, javascript) = inbox();
    read(&inbox, 1, 1);
    inbox.event(0, "{}".to_owned());
    assert_eq!((javascript.calls(), take_all(&inbox)), (1, 2));
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 1);
}

#[test]
fn a_turn_that_brought_nothing_wakes_nobody() {
    let (inbox, javascript) = inbox();
    read(&inbox, 0, 0);
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 0);
}

#[test]
fn a_signal_alone_wakes_javascript_as_well() {
    for signal in [Signal::Acknowledged(1), Signal::Finished, Signal::Closed] {
        let (inbox, javascript) = inbox();
        inbox.signal(1, signal);
        inbox.turns.end_turn();
        assert_eq!((javascript.calls(), take_all(&inbox)), (1, 1));
    }
}

#[test]
fn a_signal_of_a_socket_on_the_event_loop_waits_in_the_same_queue_and_wakes_nobody() {
    let (inbox, javascript) = inbox();
    let on_the_loop = LoopInbox::new(&inbox);
    assert!(!on_the_loop.has_news());
    on_the_loop.signal(3, Signal::Closed);
    assert!(on_the_loop.has_news());
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 0);
    let queue = inbox.take(Queue::default());
    let [record] = queue.records[..] else {
        panic!("one record");
    };
    assert_eq!((record.connection, record.kind()), (3, kind::CLOSED));
}

#[test]
fn an_event_wakes_javascript_at_once() {
    let (inbox, javascript) = inbox();
    inbox.event(0, "{}".to_owned());
    assert_eq!(javascript.calls(), 1);
}

#[test]
fn many_records_or_bytes_wake_javascript_within_the_turn() {
    let (inbox, javascript) = inbox();
    read(&inbox, 255, 1);
    assert_eq!(javascript.calls(), 0);
    read(&inbox, 1, 1);
    assert_eq!(javascript.calls(), 1);

    let (inbox, javascript) = self::inbox();
    // Few steps: the clock, which is looked at once in some, must not wake it on a slow machine.
    for _ in 0..7 {
        read(&inbox, 4, 16 * 1024);
    }
    read(&inbox, 3, 16 * 1024);
    assert_eq!(javascript.calls(), 0);
    read(&inbox, 1, 16 * 1024);
    assert_eq!(javascript.calls(), 1);
}

#[test]
fn what_waits_for_the_end_of_a_long_turn_wakes_javascript_within_it() {
    let (inbox, javascript) = inbox();
    read(&inbox, 1, 1);
    thread::sleep(Duration::from_millis(2));
    // The clock is looked at once in some read steps.
    for _ in 0..16 {
        read(&inbox, 0, 0);
    }
    assert_eq!(javascript.calls(), 1);
}

#[test]
fn javascript_is_called_again_only_when_it_has_read_everything() {
    let (inbox, javascript) = inbox();
    read(&inbox, 1, 1);
    inbox.turns.end_turn();
    read(&inbox, 1, 1);
    inbox.turns.end_turn();
    inbox.event(0, "{}".to_owned());
    assert_eq!(javascript.calls(), 1);
    drop(inbox.take(Queue::default()));
    read(&inbox, 1, 1);
    assert!(!inbox.rest(), "something waits again");
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 1);
    assert_eq!(take_all(&inbox), 1);
    read(&inbox, 1, 1);
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 2);
}

#[test]
fn nothing_is_delivered_to_an_environment_that_has_ended() {
    let (inbox, javascript) = inbox();
    inbox.revoke();
    inbox.event(0, "{}".to_owned());
    read(&inbox, 300, 1);
    inbox.turns.end_turn();
    assert_eq!(javascript.calls(), 0);
}

#[test]
fn a_line_of_the_log_wakes_javascript_unless_that_is_behind() {
    let (inbox, javascript) = inbox();
    inbox.log("{}".to_owned());
    assert_eq!((javascript.calls(), take_all(&inbox)), (1, 1));
    inbox.event(0, "x".repeat(3 * 1024 * 1024));
    inbox.log("{}".to_owned());
    assert_eq!(take_all(&inbox), 1, "the line would fill the memory");
}

/// How long the I/O thread is away after a turn with so many reads and that, at the least.
fn pause_after(reads: usize, more: impl Fn(&HubInbox)) -> Duration {
    let (inbox, _javascript) = inbox();
    let mut shortest = Duration::MAX;
    for _ in 0..100 {
        for _ in 0..reads {
            read(&inbox, 1, 1);
        }
        more(&inbox);
        let start = Instant::now();
        inbox.turns.end_turn();
        shortest = shortest.min(start.elapsed());
        take_all(&inbox);
    }
    shortest
}

const NAP: Duration = Duration::from_millis(1);

#[test]
fn a_crowd_of_reads_ends_in_a_nap_and_a_few_do_not() {
    assert!(pause_after(4, |_| ()) >= NAP);
    assert!(pause_after(3, |_| ()) < NAP);
}

#[test]
fn an_errand_that_was_given_before_is_not_slept_over() {
    assert!(pause_after(4, |inbox| inbox.turns.give_errand()) < NAP);
}

#[test]
fn who_waits_for_room_gives_the_io_thread_an_errand() {
    let fill = |inbox: &HubInbox| inbox.event(0, "x".repeat(3 * 1024 * 1024));
    let wait = |inbox: &HubInbox| {
        let outcome = inbox.poll_lend(Waker::noop(), 1, 100, |_, _| Poll::Ready(()));
        assert!(outcome.is_pending());
    };
    let make_room = |inbox: &HubInbox| drop(inbox.take(Queue::default()));
    let nobody = pause_after(4, |inbox| {
        fill(inbox);
        make_room(inbox);
    });
    assert!(nobody >= NAP, "{nobody:?}");
    let somebody = pause_after(4, |inbox| {
        fill(inbox);
        wait(inbox);
        make_room(inbox);
    });
    assert!(somebody < NAP, "{somebody:?}");
}
