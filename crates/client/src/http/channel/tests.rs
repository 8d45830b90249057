//! What a rendezvous for requests sends and finds.

use std::future::poll_fn;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::tcp::Tcp;

async fn pair() -> (Channel, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(Tcp::connect(address), listener.accept());
    let upgraded = Upgraded::from(Stream::Plain(near.unwrap()));
    let channel = Channel::new(upgraded, Arc::default());
    (channel, far.unwrap().0)
}

/// What the relay gets when all was sent: the text, the binary message, whether that has ended.
async fn sent(mut channel: Channel, mut relay: TcpStream) -> (String, Vec<u8>, bool) {
    let mut came = Vec::new();
    let sending = async {
        while !channel.has_sent() {
            poll_fn(|cx| channel.poll_send(cx)).await.unwrap();
        }
        drop(channel);
    };
    let (_, read) = tokio::join!(sending, relay.read_to_end(&mut came));
    read.unwrap();
    let mut reader = PartReader::new(true);
    let (mut at, mut text, mut body, mut has_ended) = (0, Vec::new(), Vec::new(), false);
    while at < came.len() {
        let (count, part) = reader.next(&mut came[at..]).unwrap();
        match part {
            Some(Part::Text { bytes, .. }) => text.extend_from_slice(bytes),
            Some(Part::Binary { bytes, last }) => {
                body.extend_from_slice(bytes);
                has_ended = last;
            }
            _ => {}
        }
        at += count;
    }
    (String::from_utf8(text).unwrap(), body, has_ended)
}

fn counted(length: usize) -> Vec<u8> {
    (0..length).map(|index| index as u8).collect()
}

#[tokio::test]
async fn a_chunk_becomes_a_frame_where_it_lies_and_its_memory_goes_back() {
    let (mut channel, relay) = pair().await;
    let pool = Arc::new(BufferPool::default());
    // More than is asked for, by which it is known again.
    pool.give(Vec::with_capacity(150_000));
    let (mut body, head) = (counted(100_000), "x".repeat(500));
    channel.queue_text(&head);
    channel.queue_chunk(Chunk::copied(&body, &pool));
    channel.queue_data(b"end", true);
    assert_eq!(channel.output.capacity(), 150_000, "nothing was copied");
    body.extend_from_slice(b"end");
    assert_eq!(sent(channel, relay).await, (head, body, true));
}

#[tokio::test]
async fn an_answer_in_one_chunk_ends_where_it_lies() {
    let (mut channel, relay) = pair().await;
    let (body, pool) = (counted(100_000), Arc::default());
    channel.queue_text("{}");
    channel.queue_chunk(Chunk::copied(&body, &pool));
    let capacity = channel.output.capacity();
    channel.queue_data(b"", true);
    assert_eq!(channel.output.capacity(), capacity, "nothing was copied");
    assert_eq!(sent(channel, relay).await, ("{}".to_owned(), body, true));
}

#[tokio::test]
async fn memory_of_a_chunk_goes_back_to_its_pool_once_it_was_sent() {
    let (mut channel, mut relay) = pair().await;
    let pool = Arc::new(BufferPool::default());
    pool.give(Vec::with_capacity(150_000));
    for _ in 0..3 {
        channel.queue_chunk(Chunk::copied(&counted(100_000), &pool));
        assert!(!channel.has_room(), "what waits is sent first");
        let mut came = vec![0; 100_000];
        let sending = async {
            while !channel.has_sent() {
                poll_fn(|cx| channel.poll_send(cx)).await.unwrap();
            }
        };
        let (_, read) = tokio::join!(sending, relay.read_exact(&mut came));
        read.unwrap();
        assert!(channel.has_room());
    }
    assert_eq!(pool.take(100_000).capacity(), 150_000);
    assert!(channel.buffers.take(100_000).capacity() < 150_000);
}

#[tokio::test]
async fn a_chunk_before_which_there_is_no_room_is_copied() {
    let (mut channel, relay) = pair().await;
    let pool = Arc::new(BufferPool::default());
    let (body, head) = (counted(100_000), "x".repeat(5_000));
    channel.queue_text(&head);
    channel.queue_chunk(Chunk::copied(&body, &pool));
    assert_eq!(sent(channel, relay).await, (head, body, false));
}

/// What a relay has said, as it lies in one read.
async fn heard(frames: &[(bool, OpCode, &[u8])]) -> Channel {
    let (mut channel, _) = pair().await;
    for &(fin, opcode, payload) in frames {
        append_frame(&mut channel.input, fin, opcode, payload, None);
    }
    channel
}

fn found(channel: &mut Channel) -> (OfBody, Vec<Vec<u8>>) {
    let found = channel.next_of_body().unwrap();
    (found, channel.stretches().map(<[u8]>::to_vec).collect())
}

#[tokio::test]
async fn frames_of_a_body_that_came_together_are_found_together() {
    let mut channel = heard(&[
        (false, OpCode::Binary, b"one"),
        (true, OpCode::Ping, b"?"),
        (false, OpCode::Continuation, b""),
        (false, OpCode::Continuation, b"two"),
        (true, OpCode::Continuation, b""),
        (true, OpCode::Text, b"{}"),
    ])
    .await;
    let both = vec![b"one".to_vec(), b"two".to_vec()];
    assert_eq!(found(&mut channel), (OfBody::Bytes { last: true }, both));
    assert!(!channel.has_sent(), "the ping is answered");
    // What follows is left to whoever serves the next request.
    let next = channel.next().unwrap();
    assert!(matches!(next, Some(Part::Text { bytes: b"{}", .. })));
}

#[tokio::test]
async fn what_comes_behind_frames_of_a_body_is_told_after_them() {
    let mut channel = heard(&[
        (false, OpCode::Binary, b"one"),
        (true, OpCode::Close, &1000_u16.to_be_bytes()),
    ])
    .await;
    let (bytes, one) = (OfBody::Bytes { last: false }, vec![b"one".to_vec()]);
    assert_eq!(found(&mut channel), (bytes, one));
    assert_eq!(found(&mut channel), (OfBody::Closed, Vec::new()));
    assert_eq!(found(&mut channel), (OfBody::Nothing, Vec::new()));
}

#[tokio::test]
async fn many_small_frames_of_a_body_are_found_some_at_a_time() {
    let mut frames = vec![(false, OpCode::Binary, &b"x"[..])];
    frames.resize(MOST_STRETCHES + 5, (false, OpCode::Continuation, b"x"));
    let mut channel = heard(&frames).await;
    assert_eq!(found(&mut channel).1.len(), MOST_STRETCHES);
    assert_eq!(found(&mut channel).1.len(), 5);
    assert_eq!(found(&mut channel).0, OfBody::Nothing);
}
