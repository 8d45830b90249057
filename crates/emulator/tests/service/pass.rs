//! What passes through a relayed connection.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::EmulatorOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{Relay, Socket, next, ping, within};

#[tokio::test]
async fn messages_of_all_sizes_arrive_as_they_were_sent_e39() {
    let relay = Relay::start().await;
    let (sender, listener) = relay.pair().await;
    let mut messages = vec![Message::text(""), Message::binary(vec![])];
    for size in [1, 125, 126, 127, 65_535, 65_536, 65_537, 131_072, 1_000_003] {
        messages.push(Message::text("ü".repeat(size / 2)));
        messages.push(Message::binary(
            (0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>(),
        ));
    }
    passes(sender, listener, &messages).await;
    let (sender, listener) = relay.pair().await;
    passes(listener, sender, &messages).await;
}

async fn passes(mut from: Socket, mut to: Socket, messages: &[Message]) {
    let sent = messages.to_vec();
    let sending = tokio::spawn(async move {
        for message in sent {
            from.send(message).await.unwrap();
        }
        from
    });
    for message in messages {
        assert!(
            next(&mut to).await == *message,
            "a message of {} bytes",
            message.len()
        );
    }
    sending.await.unwrap();
}

/// A binary message of one frame, masked with zeros.
fn long_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82, 0xff];
    frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 0]);
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn a_frame_of_32_mib_arrives_in_fragments_of_32_kib_e39() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    let payload: Vec<u8> = (0..32 * 1024 * 1024 + 5).map(|n| (n % 251) as u8).collect();
    let frame = long_frame(&payload);
    let sending = tokio::spawn(async move {
        sender.write_all(&frame).await.unwrap();
        sender
    });
    for (index, part) in payload.chunks(32 * 1024).enumerate() {
        let last = part.len() == 5;
        let mut expected = vec![if index == 0 { 0x02 } else { 0 } | if last { 0x80 } else { 0 }];
        match last {
            true => expected.push(5),
            false => expected.extend_from_slice(&[126, 0x80, 0]),
        }
        expected.extend_from_slice(part);
        let mut received = vec![0; expected.len()];
        within(listener.read_exact(&mut received)).await.unwrap();
        assert!(received == expected, "fragment {index}");
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn frames_are_cut_where_the_options_say_or_not_at_all_e39() {
    for (max_frame, head) in [
        (100_000, vec![0x02, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa0]),
        (0, {
            let mut head = vec![0x82, 127];
            head.extend_from_slice(&300_000u64.to_be_bytes());
            head
        }),
    ] {
        let relay = Relay::with(EmulatorOptions {
            max_frame,
            ..EmulatorOptions::default()
        })
        .await;
        let (mut sender, mut listener) = relay.bare_pair().await;
        sender
            .write_all(&long_frame(&vec![7; 300_000]))
            .await
            .unwrap();
        let mut received = vec![0; head.len()];
        within(listener.read_exact(&mut received)).await.unwrap();
        assert_eq!(received, head);
    }
}

#[tokio::test]
async fn fragments_and_the_pings_between_them_do_not_disturb_each_other_e40() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    let part = |text: &str, opcode, fin| {
        Message::Frame(Frame::message(text.to_owned(), OpCode::Data(opcode), fin))
    };
    sender.send(part("one ", Data::Text, false)).await.unwrap();
    ping(&mut sender).await;
    sender.send(part("", Data::Continue, false)).await.unwrap();
    sender
        .send(Message::Pong("nobody asked".into()))
        .await
        .unwrap();
    ping(&mut sender).await;
    sender
        .send(part("message", Data::Continue, true))
        .await
        .unwrap();
    assert_eq!(next(&mut listener).await, Message::text("one message"));
    // Pings were answered by the relay; nothing of them has come here.
    listener.send(Message::text("back")).await.unwrap();
    assert_eq!(next(&mut sender).await, Message::text("back"));
    ping(&mut listener).await;
}

#[tokio::test]
async fn pings_are_answered_in_a_stream_of_messages_e40() {
    let relay = Relay::start().await;
    let (sender, listener) = relay.pair().await;
    let (mut sink, mut stream) = sender.split();
    let (mut back, mut forth) = listener.split();
    let flood = tokio::spawn(async move {
        for _ in 0..200 {
            back.send(Message::binary(vec![1; 300_000])).await.unwrap();
        }
        back
    });
    let pings = tokio::spawn(async move {
        for n in 0..50u8 {
            sink.send(Message::Ping(vec![n].into())).await.unwrap();
            sink.send(Message::text("data")).await.unwrap();
        }
        sink
    });
    let received = tokio::spawn(async move {
        for _ in 0..50 {
            assert_eq!(forth.next().await.unwrap().unwrap(), Message::text("data"));
        }
        forth
    });
    let (mut messages, mut pongs) = (0, Vec::new());
    while messages < 200 || pongs.last() != Some(&49) {
        match within(stream.next()).await.unwrap().unwrap() {
            Message::Binary(bytes) => {
                assert!(bytes.len() == 300_000 && bytes.iter().all(|&byte| byte == 1));
                messages += 1;
            }
            Message::Pong(payload) => pongs.push(payload[0]),
            message => panic!("{message:?}"),
        }
    }
    assert!(pongs.is_sorted());
    drop((
        flood.await.unwrap(),
        pings.await.unwrap(),
        received.await.unwrap(),
    ));
}

#[tokio::test]
async fn a_slow_reader_blocks_the_sender_and_loses_nothing_e43() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    // A frame of 1 GiB is announced; what the relay would hold of it is bounded.
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(1u64 << 30).to_be_bytes());
    head.extend_from_slice(&[0, 0, 0, 0]);
    sender.write_all(&head).await.unwrap();
    let block = vec![7; 64 * 1024];
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_millis(300), sender.write(&block)).await {
        sent += written.unwrap();
        assert!(sent < 32 * 1024 * 1024, "the sender is never blocked");
    }
    // Each fragment of 32 KiB has a head of four bytes.
    let mut received = 0;
    while received < sent {
        let mut head = [0; 4];
        within(listener.read_exact(&mut head)).await.unwrap();
        let mut part = vec![0; (32 * 1024).min(sent - received)];
        within(listener.read_exact(&mut part)).await.unwrap();
        assert!(part.iter().all(|&byte| byte == 7));
        received += part.len();
    }
    // There is room again.
    sender.write_all(&block).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_unread_pings_takes_no_memory_e43() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    let mut pings = Vec::new();
    for n in 0..1_000u16 {
        pings.extend_from_slice(&[0x89, 0x82, 0, 0, 0, 0]);
        pings.extend_from_slice(&n.to_be_bytes());
    }
    for _ in 0..500 {
        sender.write_all(&pings).await.unwrap();
    }
    sender
        .write_all(&[0x82, 0x81, 0, 0, 0, 0, 42])
        .await
        .unwrap();
    let mut message = [0; 3];
    within(listener.read_exact(&mut message)).await.unwrap();
    assert_eq!(message, [0x82, 1, 42]);
    // The last one is answered, whatever became of the others.
    let mut pong = [0; 4];
    while pong != [0x8a, 2, 3, 231] {
        within(sender.read_exact(&mut pong)).await.unwrap();
    }
}
