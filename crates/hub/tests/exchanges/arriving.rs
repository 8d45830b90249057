//! What comes from a sender, on its way to JavaScript.

use std::{
    future::poll_fn,
    io::{ErrorKind, IoSlice},
    task::{Context, Poll, Waker},
};

use hyco_client::http::RequestInfo;
use hyco_hub::Queue;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::setting::{CONSUMED, DESTROY, Setting, Told, would_wait_to_write};

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
fn what_is_known_of_a_request_is_cut_where_its_length_has_no_room() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo {
        tracking_id: "t".repeat(300),
        remote_address: Some("a".repeat(300)),
        ..RequestInfo::default()
    });
    setting.write(&mut pipe, b"GET");
    let (id, address) = ("t".repeat(255), "a".repeat(255));
    let message = format!("\x01\0\0\0\x01\0\0\u{7f}{id}\u{7f}{address}GET");
    let mut message = message.into_bytes();
    for at in [7, 7 + 1 + 255] {
        message[at] = 255;
    }
    assert_eq!(setting.told(), [Told::Message(message)]);
}

#[test]
fn a_request_without_a_body_says_that_it_is_a_head_alone() {
    const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const UPGRADE: &str = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let setting = Setting::new();
    let kind_of = |bytes: &[u8]| {
        let mut pipe = setting.open(RequestInfo::default());
        setting.write(&mut pipe, bytes);
        let told = setting.told();
        drop(pipe);
        setting.told();
        match &told[..] {
            [Told::Message(message)] => message[4],
            told => panic!("no message alone: {told:?}"),
        }
    };
    assert_eq!(kind_of(HEAD.as_bytes()), 0x41);
    assert_eq!(kind_of(&[HEAD, "body"].concat().into_bytes()), 1);
    // A body may end as a head does.
    assert_eq!(kind_of(&HEAD.repeat(2).into_bytes()), 1);
    assert_eq!(kind_of(&HEAD.as_bytes()[..HEAD.len() - 1]), 1);
    // What lies behind the head of an upgrade is the handler's.
    assert_eq!(kind_of(UPGRADE.as_bytes()), 1);
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
    assert_eq!(lengths, [65 * 1024, 7 * 1024]);
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
fn a_writer_that_waits_hears_that_javascript_gave_up() {
    let setting = Setting::new();
    let mut pipe = setting.open(RequestInfo::default());
    for _ in 0..5 {
        setting.write(&mut pipe, &[2; 32 * 1024]);
        setting.told();
    }
    let writing = setting.runtime.spawn(async move { pipe.write(b"x").await });
    setting.settle();
    assert!(!writing.is_finished());
    setting.say(&[(1, DESTROY, Ok(0))]);
    assert!(writing.is_finished());
    let failure = setting.runtime.block_on(writing).unwrap().unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::BrokenPipe);
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
