//! What goes into the inbox comes out as rows, in order, in memory that no other connection shares.

use std::{
    convert::Infallible,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Poll, Waker},
};

use hyco_client::connection::{Batch, Inbox, Signal};
use hyco_hub::{HubInbox, Lend, Queue, RECORD_WORDS, STAGE, Slab, kind, write_rows};
use hyco_websocket::{Assembled, Sink, Violation};
use proptest::prelude::*;

/// One thing that a read step finds.
#[derive(Clone, Debug)]
enum Found {
    Message(bool, usize),
    Large(bool, usize, bool),
    Ping(usize),
    Pong(usize),
    Close(Option<usize>),
    Ended,
    Violation,
}

/// What JavaScript sees.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Bytes(u32, u32, Vec<u8>),
    Large(u32, u32, Vec<u8>, Option<String>),
    Event(u32, String),
    Other(u32, u32),
}

/// Lends by copying, and notes what was lent.
#[derive(Default)]
struct Lender {
    lent: Vec<Vec<u8>>,
    ranges: Vec<(*const Slab, Range<usize>)>,
    forbidden: bool,
}

impl Lend for Lender {
    type Error = Infallible;

    fn lend(&mut self, slab: &Arc<Slab>, range: Range<usize>) -> Result<Option<u32>, Infallible> {
        if self.forbidden {
            return Ok(None);
        }
        let mut bytes = vec![0; range.len()];
        slab.copy(&range, &mut bytes);
        self.lent.push(bytes);
        self.ranges.push((Arc::as_ptr(slab), range));
        Ok(Some(self.lent.len() as u32))
    }
}

fn found() -> impl Strategy<Value = Found> {
    let small = prop_oneof![0..200usize, 0..5000usize];
    prop_oneof![
        8 => (any::<bool>(), small).prop_map(|(text, size)| Found::Message(text, size)),
        1 => (any::<bool>(), 1..200_000usize, any::<bool>())
            .prop_map(|(text, size, cut)| Found::Large(text, size, cut)),
        1 => (0..126usize).prop_map(Found::Ping),
        1 => (0..126usize).prop_map(Found::Pong),
        1 => proptest::option::of(0..124usize).prop_map(Found::Close),
        1 => Just(Found::Ended),
        1 => Just(Found::Violation),
    ]
}

/// A read step that finds these; adds what JavaScript will see of it.
fn step(inbox: &HubInbox, connection: u32, finds: &[Found], mark: &mut u8, seen: &mut Vec<Seen>) {
    let outcome = inbox.poll_lend(Waker::noop(), connection, 17 * 1024, |space, batch| {
        let mut at = 0;
        let mut bytes = |space: &mut [u8], size: usize, before: usize| {
            *mark = mark.wrapping_add(1);
            let start = at + 2 + before;
            if start + size > space.len() {
                return None;
            }
            at = start + size;
            space[start - before..at].fill(*mark);
            Some(start..at)
        };
        for found in finds {
            match *found {
                Found::Message(text, size) => {
                    let Some(range) = bytes(space, size, 0) else {
                        continue;
                    };
                    batch.message(text, range.clone());
                    let kind = if text { kind::TEXT } else { kind::BINARY };
                    seen.push(Seen::Bytes(connection, kind, space[range].to_vec()));
                }
                Found::Ping(size) | Found::Pong(size) => {
                    let Some(range) = bytes(space, size, 0) else {
                        continue;
                    };
                    let ping = matches!(found, Found::Ping(_));
                    if ping {
                        batch.ping(range.clone());
                    } else {
                        batch.pong(range.clone());
                    }
                    let kind = if ping { kind::PING } else { kind::PONG };
                    seen.push(Seen::Bytes(connection, kind, space[range].to_vec()));
                }
                Found::Close(Some(size)) => {
                    let Some(range) = bytes(space, size, 2) else {
                        continue;
                    };
                    batch.close(Some(1000), range.clone());
                    let whole = space[range.start - 2..range.end].to_vec();
                    seen.push(Seen::Bytes(connection, kind::CLOSE, whole));
                }
                Found::Close(None) => {
                    batch.close(None, 0..0);
                    seen.push(Seen::Other(connection, kind::CLOSE_WITHOUT_CODE));
                }
                Found::Large(text, size, cut) => {
                    let fragments = if cut {
                        vec![size / 2, size]
                    } else {
                        Vec::new()
                    };
                    let ends = cut.then(|| format!("[{},{size}]", size / 2));
                    let bytes = vec![size as u8; size];
                    let kind = if text {
                        kind::LARGE_TEXT
                    } else {
                        kind::LARGE_BINARY
                    };
                    seen.push(Seen::Large(connection, kind, bytes.clone(), ends));
                    batch.large(text, Assembled { bytes, fragments });
                }
                Found::Ended => {
                    batch.ended();
                    seen.push(Seen::Other(connection, kind::ENDED));
                }
                Found::Violation => {
                    batch.violation(Violation::InvalidUtf8);
                    let message = Violation::InvalidUtf8.to_string();
                    seen.push(Seen::Event(connection, message));
                }
            }
        }
        Poll::Ready(())
    });
    assert!(outcome.is_ready());
}

/// Reads a queue as JavaScript does, with a table of so many rows.
fn read(
    queue: &Queue,
    rows: usize,
    forbidden: bool,
) -> (Vec<Seen>, Vec<(*const Slab, Range<usize>)>) {
    let mut table = vec![0; rows * RECORD_WORDS];
    let mut stage = vec![0xee; STAGE];
    let (mut seen, mut ranges) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < queue.records.len() {
        let mut lender = Lender {
            forbidden,
            ..Lender::default()
        };
        let records = &queue.records[at..];
        let Ok(count) = write_rows(records, &queue.slabs, &mut table, &mut stage, &mut lender);
        assert!(count > 0, "at least one row a call");
        at += count;
        for row in table.chunks_exact(RECORD_WORDS).take(count) {
            let [connection, word, offset, length] = *row else {
                unreachable!()
            };
            let (offset, end) = (offset as usize, (offset + length) as usize);
            let memory = match (word >> 8) as usize {
                0 => &stage,
                number => &lender.lent[number - 1],
            };
            let kind = word & 0xff;
            seen.push(match kind {
                kind::TEXT | kind::BINARY | kind::PING | kind::PONG => {
                    Seen::Bytes(connection, kind, memory[offset..end].to_vec())
                }
                kind::CLOSE => Seen::Bytes(connection, kind, memory[offset - 2..end].to_vec()),
                kind::LARGE_TEXT | kind::LARGE_BINARY => {
                    let ends = length
                        .checked_sub(1)
                        .map(|at| queue.events[at as usize].clone());
                    Seen::Large(connection, kind, queue.large[offset].clone(), ends)
                }
                kind::EVENT => {
                    let event = &queue.events[offset];
                    let text = Violation::InvalidUtf8.to_string();
                    assert!(event.contains(&text), "{event}");
                    Seen::Event(connection, text)
                }
                _ => Seen::Other(connection, kind),
            });
        }
        ranges.append(&mut lender.ranges);
    }
    (seen, ranges)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_comes_out_once_and_in_order(
        steps in prop::collection::vec((1..5u32, prop::collection::vec(found(), 0..20)), 1..30),
        rows in 1..300usize,
        takes in 1..10usize,
        forbidden: bool,
    ) {
        let inbox = HubInbox::new();
        let (mut mark, mut expected, mut seen) = (0, Vec::new(), Vec::new());
        let mut queue = Queue::default();
        for (index, (connection, finds)) in steps.iter().enumerate() {
            step(&inbox, *connection, finds, &mut mark, &mut expected);
            if index % takes == 0 || index + 1 == steps.len() {
                queue.recycle();
                queue = inbox.take(queue);
                let (some, ranges) = read(&queue, rows, forbidden);
                seen.extend(some);
                prop_assert!(!forbidden || ranges.is_empty());
                for (i, (slab, range)) in ranges.iter().enumerate() {
                    for (other, beside) in &ranges[..i] {
                        let apart = range.end <= beside.start || beside.end <= range.start;
                        prop_assert!(slab != other || apart, "lent twice: {range:?} {beside:?}");
                    }
                }
            }
        }
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn a_run_is_lent_whole_and_never_with_bytes_of_another_connection() {
    let inbox = HubInbox::new();
    let (mut mark, mut expected) = (0, Vec::new());
    let many = vec![Found::Message(false, 4000); 4];
    for connection in [1, 2, 1] {
        step(&inbox, connection, &many, &mut mark, &mut expected);
    }
    step(&inbox, 1, &many, &mut mark, &mut expected);
    let queue = inbox.take(Queue::default());
    let (seen, ranges) = read(&queue, 4096, false);
    assert_eq!(seen, expected);
    // Two of the first's steps follow one another: one run.
    assert_eq!(ranges.len(), 3);
}

#[test]
fn the_stage_shows_nothing_of_an_earlier_delivery_behind_a_message() {
    let inbox = HubInbox::new();
    step(
        &inbox,
        1,
        &[Found::Message(false, 3)],
        &mut 0,
        &mut Vec::new(),
    );
    let queue = inbox.take(Queue::default());
    let mut stage = vec![0xee; STAGE];
    let mut table = [0; RECORD_WORDS];
    let mut lender = Lender::default();
    let Ok(_) = write_rows(
        &queue.records,
        &queue.slabs,
        &mut table,
        &mut stage,
        &mut lender,
    );
    assert_eq!(stage[..9], [1, 1, 1, 0, 0, 0, 0, 0, 0xee]);
}

#[test]
fn records_of_a_step_that_panicked_are_nobodys() {
    let inbox = HubInbox::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        inbox.poll_lend::<()>(Waker::noop(), 1, 100, |_, batch| {
            batch.message(true, 0..10);
            batch.violation(Violation::InvalidUtf8);
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    let mut expected = Vec::new();
    step(&inbox, 2, &[Found::Message(true, 5)], &mut 0, &mut expected);
    let queue = inbox.take(Queue::default());
    assert_eq!(read(&queue, 100, false).0, expected);
    assert!(queue.events.is_empty());
}

/// How many such steps are taken before reading stops.
fn steps_until_full(found: &Found) -> usize {
    let inbox = HubInbox::new();
    for count in 0..1_000_000 {
        let outcome = inbox.poll_lend(Waker::noop(), 1, 17 * 1024, |_, batch| {
            match *found {
                Found::Message(text, size) => batch.message(text, size..size),
                Found::Ping(at) => batch.ping(at..at + 1),
                Found::Large(text, size, cut) => {
                    // One byte to a fragment: the list of their ends is what costs.
                    let fragments = (if cut { 1 } else { size }..=size).collect();
                    let bytes = vec![0; size];
                    batch.large(text, Assembled { bytes, fragments });
                }
                _ => batch.violation(Violation::InvalidUtf8),
            }
            Poll::Ready(())
        });
        if outcome.is_pending() {
            return count;
        }
    }
    panic!("no bound")
}

#[test]
fn what_waits_is_bounded_by_what_it_costs() {
    // Empty messages cost their records.
    let empty = steps_until_full(&Found::Message(true, 0));
    assert!((100_000..=131_072).contains(&empty), "{empty}");
    // A ping of one byte behind 10 KiB that went elsewhere keeps the room of its step.
    let pings = steps_until_full(&Found::Ping(10 * 1024));
    assert!(pings < 250, "{pings}");
    // The ends of fragments cost more than the fragments.
    let fragments = steps_until_full(&Found::Large(false, 10_000, true));
    assert!(fragments < 40, "{fragments}");
    let large = steps_until_full(&Found::Large(false, 100_000, false));
    assert!(large < 40, "{large}");
    let events = steps_until_full(&Found::Violation);
    assert!(events < 20_000, "{events}");
}

#[test]
fn a_queue_that_was_read_keeps_no_message_and_its_memory_only_if_that_is_little() {
    let (inbox, mut seen) = (HubInbox::new(), Vec::new());
    let finds = [
        Found::Message(true, 100),
        Found::Large(true, 50_000, true),
        Found::Violation,
    ];
    step(&inbox, 1, &finds, &mut 0, &mut seen);
    let mut queue = inbox.take(Queue::default());
    assert!(!queue.large.is_empty() && !queue.events.is_empty() && !queue.slabs.is_empty());
    queue.recycle();
    assert!(queue.records.is_empty() && queue.records.capacity() > 0);
    assert!(queue.large.is_empty() && queue.events.is_empty() && queue.slabs.is_empty());

    for _ in 0..200_000 {
        inbox.signal(1, Signal::Acknowledged(1));
    }
    let mut queue = inbox.take(queue);
    assert_eq!(queue.records.len(), 200_000);
    queue.recycle();
    assert!(queue.records.capacity() < 200_000);
    // What it has cost is forgotten, too; that was more than may wait.
    drop(inbox.take(queue));
    let outcome = inbox.poll_lend(Waker::noop(), 1, 100, |_, _| Poll::Ready(()));
    assert!(outcome.is_ready());
}

#[test]
fn signals_and_events_count_as_well() {
    let inbox = HubInbox::new();
    for _ in 0..10_000 {
        inbox.event(0, "x".repeat(300));
    }
    let outcome = inbox.poll_lend(Waker::noop(), 1, 100, |_, _| Poll::Ready(()));
    assert!(outcome.is_pending());

    let inbox = HubInbox::new();
    for _ in 0..200_000 {
        inbox.signal(1, Signal::Acknowledged(1));
    }
    let outcome = inbox.poll_lend(Waker::noop(), 1, 100, |_, _| Poll::Ready(()));
    assert!(outcome.is_pending());
}

#[test]
fn every_step_has_the_room_that_it_asks_for() {
    let inbox = HubInbox::new();
    for _ in 0..3 * Slab::SIZE / 5000 {
        let outcome = inbox.poll_lend(Waker::noop(), 1, 17 * 1024, |space, batch| {
            batch.message(false, 0..5000);
            Poll::Ready(space.len())
        });
        assert!(matches!(outcome, Poll::Ready(room) if room >= 17 * 1024));
        drop(inbox.take(Queue::default()));
    }
}
