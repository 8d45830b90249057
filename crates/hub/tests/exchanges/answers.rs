//! What JavaScript writes, and how a request ends.

use std::{future::poll_fn, io};

use hyco_client::http::{HandlerFailed, NotServed, Outcome, RequestInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::setting::{
    CLOSED, DESTROY, ENDED, FINISH, NOT_SERVED, Setting, TAKEN, THREW, Told, WRITE,
    would_wait_to_read,
};

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
        let taking =
            poll_fn(|cx| pipe.poll_take(cx, &mut |written| lengths.push(written.bytes().len())));
        setting.runtime.block_on(taking).expect("no failure");
    }
    assert_eq!(lengths, [11, 100_000, 0]);
}

#[test]
fn memory_of_a_large_write_is_used_again_when_that_was_taken() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    setting.write(&mut pipe, b"head");
    let buffers = &setting.inbox.buffers;
    // More than is asked for, by which this buffer is known again.
    buffers.give(Vec::with_capacity(150_000));
    setting.exchanges.write(1, &[6; 100_000], &setting.inbox);
    setting.settle();
    assert_eq!(buffers.take(100_000).capacity(), 100_000);
    assert_eq!(setting.read(&mut pipe, 100_000).unwrap().len(), 100_000);
    assert_eq!(buffers.take(100_000).capacity(), 150_000);
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
    let kept = format!("{:?}", setting.exchanges);
    assert_eq!(kept, "Exchanges { open: 0, .. }");
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
