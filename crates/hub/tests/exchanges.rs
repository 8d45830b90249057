//! An HTTP request on its way to JavaScript's server and back, with JavaScript's part played by hand.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hyco_client::http::{HandlerFailed, NotServed, Outcome, RequestInfo, Service as _, Transport};
use hyco_hub::{Exchanges, Gateway, HubInbox, Queue, Slab, kind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    runtime::{Builder, Runtime},
    task::yield_now,
};

const LINK: u32 = 7;

const WRITE: u32 = 1;
const CONSUMED: u32 = 2;
const FINISH: u32 = 3;
const DESTROY: u32 = 4;
const THREW: u32 = 5;
const NOT_SERVED: u32 = 6;

const TAKEN: u32 = 1;
const ENDED: u32 = 2;
const CLOSED: u32 = 3;

/// The number of an exchange, a kind, and a value or the bytes of a write.
type Command<'a> = (u32, u32, Result<u32, &'a [u8]>);

struct Setting {
    runtime: Runtime,
    inbox: Arc<HubInbox>,
    exchanges: Arc<Exchanges>,
    gateway: Gateway,
}

/// What JavaScript is told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Message(Vec<u8>),
    Signal {
        exchange: u32,
        signal: u32,
        value: u32,
    },
}

impl Setting {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let (inbox, exchanges) = (HubInbox::new(), Arc::new(Exchanges::default()));
        let gateway = Gateway::new(Arc::clone(&exchanges), Arc::clone(&inbox), LINK);
        runtime.spawn(Arc::clone(&exchanges).attend());
        Self {
            runtime,
            inbox,
            exchanges,
            gateway,
        }
    }

    fn open(&self, info: RequestInfo) -> Box<dyn Transport> {
        self.runtime
            .block_on(self.gateway.open(info))
            .expect("a pipe")
    }

    /// What JavaScript says in one turn.
    fn say(&self, commands: &[Command<'_>]) {
        let mut ring = Vec::new();
        for &(number, kind, value) in commands {
            let length = value.unwrap_or_else(|bytes| bytes.len() as u32);
            ring.extend_from_slice(&number.to_ne_bytes());
            ring.extend_from_slice(&(kind << 28 | length).to_ne_bytes());
            if let Err(bytes) = value {
                ring.extend_from_slice(bytes);
                ring.resize(ring.len().next_multiple_of(4), 0xee);
            }
        }
        self.exchanges.say(&ring, &self.inbox);
        self.settle();
    }

    /// Lets the I/O thread do what is left to it.
    fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..4 {
                yield_now().await;
            }
        });
    }

    fn told(&self) -> Vec<Told> {
        let queue = self.inbox.take(Queue::default());
        let told = queue.records.iter().map(|record| {
            assert_eq!(record.connection, LINK);
            if record.kind() == kind::EXCHANGE {
                let (signal, value) = (record.length >> 28, record.length & 0x0fff_ffff);
                let exchange = record.offset;
                return Told::Signal {
                    exchange,
                    signal,
                    value,
                };
            }
            if record.kind() == kind::LARGE_BINARY {
                return Told::Message(queue.large[record.offset as usize].clone());
            }
            assert_eq!(record.kind(), kind::BINARY);
            let range = record.range().expect("bytes");
            let mut bytes = vec![0; range.len()];
            let slab: &Slab = &queue.slabs[record.slab()];
            slab.copy(&range, &mut bytes);
            Told::Message(bytes)
        });
        told.collect()
    }

    fn write(&self, pipe: &mut Box<dyn Transport>, bytes: &[u8]) {
        self.runtime.block_on(pipe.write_all(bytes)).expect("room");
    }

    fn read(&self, pipe: &mut Box<dyn Transport>, most: usize) -> io::Result<Vec<u8>> {
        let mut space = vec![0; most];
        let count = self.runtime.block_on(pipe.read(&mut space))?;
        space.truncate(count);
        Ok(space)
    }
}

fn would_wait_to_read(pipe: &mut Box<dyn Transport>) -> bool {
    let mut space = [0; 8];
    let mut space = ReadBuf::new(&mut space);
    let mut cx = Context::from_waker(Waker::noop());
    std::pin::Pin::new(pipe)
        .poll_read(&mut cx, &mut space)
        .is_pending()
}

fn would_wait_to_write(pipe: &mut Box<dyn Transport>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    std::pin::Pin::new(pipe)
        .poll_write(&mut cx, b"x")
        .is_pending()
}

#[test]
fn the_first_message_tells_who_asks_and_the_others_only_bring_bytes() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo {
        tracking_id: "abc".to_owned(),
        remote_address: Some("::1".to_owned()),
        remote_port: Some(0x1234),
        secure: true,
    });
    setting.write(&mut pipe, b"GET");
    setting.write(&mut pipe, b"more");
    let first = b"\x01\0\0\0\x81\x34\x12\x03abc\x03::1GET".to_vec();
    let second = b"\x01\0\0\0\x02more".to_vec();
    assert_eq!(
        setting.told(),
        [Told::Message(first), Told::Message(second)]
    );
    let mut other = setting.open(RequestInfo::default());
    setting.write(&mut other, b"x");
    let unknown = b"\x02\0\0\0\x01\0\0\0\0x".to_vec();
    assert_eq!(setting.told(), [Told::Message(unknown)]);
}

#[test]
fn a_large_write_crosses_in_pieces() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    setting.told();
    setting.write(&mut pipe, &[5; 72 * 1024]);
    let lengths: Vec<usize> = setting
        .told()
        .iter()
        .map(|told| match told {
            Told::Message(bytes) => bytes.len() - 5,
            Told::Signal { .. } => 0,
        })
        .collect();
    assert_eq!(lengths, [64 * 1024, 8 * 1024]);
}

#[test]
fn a_chunk_crosses_in_one_message_however_it_lies() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    setting.told();
    for length in [10, 20 * 1024] {
        let chunk = vec![7; length];
        let slices = [&b"size"[..], &chunk, b"end"].map(IoSlice::new);
        let writing = poll_fn(|cx| std::pin::Pin::new(&mut pipe).poll_write_vectored(cx, &slices));
        let written = setting.runtime.block_on(writing).expect("room");
        assert_eq!(written, length + 7);
        let told: [Told; 1] = setting.told().try_into().expect("one message");
        let [Told::Message(bytes)] = told else {
            panic!("a signal");
        };
        assert_eq!(&bytes[5..9], b"size");
        assert_eq!(&bytes[9..9 + length], chunk);
        assert_eq!(&bytes[9 + length..], b"end");
    }
}

#[test]
fn an_answer_is_taken_where_it_lies() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    setting.say(&[(1, WRITE, Err(b"a small one"))]);
    setting.exchanges.write(1, &[6; 100_000], &setting.inbox);
    setting.say(&[(1, FINISH, Ok(0))]);
    let mut lengths = Vec::new();
    while lengths.last() != Some(&0) {
        let taking = poll_fn(|cx| pipe.poll_take(cx, &mut |bytes| lengths.push(bytes.len())));
        setting.runtime.block_on(taking).expect("no failure");
    }
    assert_eq!(lengths, [11, 100_000, 0]);
}

#[test]
fn what_javascript_has_not_consumed_is_bounded() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    // The first message goes unacknowledged.
    setting.write(&mut pipe, &[1; 32 * 1024]);
    for _ in 0..4 {
        assert!(!would_wait_to_write(&mut pipe));
        setting.write(&mut pipe, &[2; 32 * 1024 - 1]);
        setting.told();
    }
    assert!(would_wait_to_write(&mut pipe));
    let writing = setting.runtime.spawn(poll_fn(move |cx| {
        let written = std::pin::Pin::new(&mut pipe).poll_write(cx, b"y");
        written.map(|count| count.unwrap())
    }));
    setting.settle();
    assert!(!writing.is_finished());
    setting.say(&[(1, CONSUMED, Ok(1))]);
    assert!(writing.is_finished());
}

#[test]
fn what_javascript_writes_comes_in_order_in_small_and_large_pieces() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    assert!(would_wait_to_read(&mut pipe));
    setting.say(&[
        (1, WRITE, Err(b"HTTP/")),
        (9, WRITE, Err(b"nobody's")),
        (1, WRITE, Err(b"1.1 ")),
    ]);
    setting.exchanges.write(1, b"200 OK", &setting.inbox);
    setting.say(&[
        (1, WRITE, Err(b"!")),
        (1, FINISH, Ok(0)),
        (1, DESTROY, Ok(0)),
    ]);
    assert_eq!(setting.read(&mut pipe, 7).unwrap(), b"HTTP/1.");
    assert_eq!(setting.read(&mut pipe, 100).unwrap(), b"1 200 OK!");
    // It was destroyed after it had finished, so the answer is whole.
    assert_eq!(setting.read(&mut pipe, 100).unwrap(), b"");
}

#[test]
fn a_reader_and_a_writer_that_wait_hear_of_the_end() {
    for (command, threw, not_served) in [
        (DESTROY, false, false),
        (THREW, true, false),
        (NOT_SERVED, false, true),
    ] {
        let setting = Setting::new();
        let mut pipe = setting.open(RequestInfo::default());
        setting.write(&mut pipe, b"head");
        let reading = setting.runtime.spawn(async move {
            let read = pipe.read(&mut [0; 8]).await;
            let broken = pipe.write(b"x").await.unwrap_err();
            assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
            read
        });
        setting.settle();
        assert!(!reading.is_finished());
        setting.say(&[(1, command, Ok(0))]);
        match setting.runtime.block_on(reading).unwrap() {
            // As over TCP: a stream that ends.
            Ok(count) => assert_eq!((count, threw, not_served), (0, false, false)),
            Err(error) => {
                let inner = error.get_ref().unwrap();
                assert_eq!(
                    (inner.is::<HandlerFailed>(), inner.is::<NotServed>()),
                    (threw, not_served)
                );
            }
        }
    }
}

#[test]
fn javascript_is_told_what_was_taken_of_its_writes_where_it_waits_for_that() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    let write = |length| {
        let bytes = vec![3; length];
        setting.exchanges.write(1, &bytes, &setting.inbox);
        setting.settle();
    };
    setting.told();
    let taken = |value| Told::Signal {
        exchange: 1,
        signal: TAKEN,
        value,
    };
    // It does not wait yet, however much is taken.
    write(128 * 1024);
    assert_eq!(
        setting.read(&mut pipe, 100 * 1024).unwrap().len(),
        100 * 1024
    );
    assert_eq!(setting.told(), []);
    // Now it does, for all that it was not told of.
    write(1);
    assert_eq!(setting.read(&mut pipe, 1).unwrap().len(), 1);
    assert_eq!(setting.told(), [taken(100 * 1024 + 1)]);
    // It is told in large steps.
    write(200 * 1024);
    assert_eq!(
        setting.read(&mut pipe, 64 * 1024 - 1).unwrap().len(),
        64 * 1024 - 1
    );
    assert_eq!(setting.told(), []);
    assert_eq!(setting.read(&mut pipe, 5).unwrap().len(), 5);
    assert_eq!(setting.told(), [taken(64 * 1024 + 4)]);
    assert_eq!(setting.read(&mut pipe, 10).unwrap().len(), 10);
    assert_eq!(setting.told(), []);
}

#[test]
fn the_end_of_the_senders_side_is_told_once() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    setting.told();
    for _ in 0..2 {
        setting.runtime.block_on(pipe.shutdown()).unwrap();
    }
    assert_eq!(
        setting.told(),
        [Told::Signal {
            exchange: 1,
            signal: ENDED,
            value: 0
        }]
    );
}

#[test]
fn javascript_hears_how_a_request_ended_that_it_has_heard_of() {
    let outcomes = [
        (Some(Outcome::Answered { reusable: true }), 0),
        (Some(Outcome::SenderGone), 1),
        (None, 1),
        (Some(Outcome::TimedOut), 2),
        (Some(Outcome::Failed), 3),
    ];
    let setting = Setting::new();
    for (index, (outcome, value)) in outcomes.into_iter().enumerate() {
        let mut pipe = setting.open(RequestInfo::default());
        setting.write(&mut pipe, b"head");
        setting.told();
        match outcome {
            Some(outcome) => pipe.finish(outcome),
            None => drop(pipe),
        }
        let exchange = index as u32 + 1;
        assert_eq!(
            setting.told(),
            [Told::Signal {
                exchange,
                signal: CLOSED,
                value
            }]
        );
        // Nobody is there any more to whom this could be said.
        setting.say(&[(exchange, WRITE, Err(b"late"))]);
    }
    drop(setting.open(RequestInfo::default()));
    assert_eq!(setting.told(), []);
}

#[test]
fn commands_that_are_cut_off_or_unknown_end_the_reading_of_a_ring() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    let mut cut = Vec::new();
    cut.extend_from_slice(&1u32.to_ne_bytes());
    cut.extend_from_slice(&(WRITE << 28 | 100).to_ne_bytes());
    cut.extend_from_slice(b"short");
    setting.exchanges.say(&cut, &setting.inbox);
    setting.say(&[(1, 15, Ok(0)), (1, WRITE, Err(b"behind"))]);
    setting.exchanges.say(&[1, 2, 3], &setting.inbox);
    setting.settle();
    assert!(would_wait_to_read(&mut pipe));
    setting.say(&[(1, WRITE, Err(b"next"))]);
    assert_eq!(setting.read(&mut pipe, 100).unwrap(), b"next");
}

#[test]
fn a_full_inbox_stops_a_request_and_loses_nothing_of_it() {
    let setting = Setting::new();
    setting.inbox.event(0, "x".repeat(3 * 1024 * 1024));
    let mut pipe = setting.open(RequestInfo::default());
    assert!(would_wait_to_write(&mut pipe));
    drop(setting.inbox.take(Queue::default()));
    setting.write(&mut pipe, b"x");
    assert_eq!(
        setting.told(),
        [Told::Message(b"\x01\0\0\0\x01\0\0\0\0x".to_vec())]
    );
    assert!(matches!(
        std::pin::Pin::new(&mut pipe).poll_flush(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(Ok(()))
    ));
}

#[test]
fn all_requests_that_wait_for_room_go_on_when_there_is_some() {
    let setting = Setting::new();
    setting.inbox.event(0, "x".repeat(3 * 1024 * 1024));
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let mut pipe = setting.open(RequestInfo::default());
            setting
                .runtime
                .spawn(async move { pipe.write_all(b"x").await })
        })
        .collect();
    setting.settle();
    assert!(waiting.iter().all(|task| !task.is_finished()));
    drop(setting.inbox.take(Queue::default()));
    setting.settle();
    let left = waiting.iter().filter(|task| !task.is_finished());
    assert_eq!(left.count(), 0);
}
