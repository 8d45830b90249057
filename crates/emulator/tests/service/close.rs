//! How a relayed connection ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{EmulatorOptions, Timing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{Relay, next, next_close, rest, within};

#[tokio::test]
async fn code_and_reason_reach_the_other_side_and_come_back_e41() {
    let relay = Relay::start().await;
    for frame in [
        None,
        Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "done".into(),
        }),
        Some(CloseFrame {
            code: CloseCode::Library(4999),
            reason: "".into(),
        }),
        Some(CloseFrame {
            code: CloseCode::Error,
            reason: "x".repeat(123).into(),
        }),
    ] {
        for by_listener in [false, true] {
            let (mut one, mut other) = relay.pair().await;
            if by_listener {
                (one, other) = (other, one);
            }
            one.close(frame.clone()).await.unwrap();
            assert_eq!(next_close(&mut other).await, frame);
            // The library answers with the same code when it is polled again.
            let last = within(other.next()).await;
            assert!(last.is_none(), "{last:?}");
            let echoed = next_close(&mut one).await;
            assert_eq!(
                echoed.map(|frame| frame.code),
                frame.as_ref().map(|frame| frame.code)
            );
            assert!(within(one.next()).await.is_none());
        }
    }
}

#[tokio::test]
async fn data_flows_on_in_the_other_direction_until_that_closes_too_e41() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    sender
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 232])
        .await
        .unwrap();
    let mut frame = [0; 4];
    within(listener.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame, [0x88, 2, 3, 232]);
    for n in 0..3 {
        listener
            .write_all(&[0x82, 0x81, 0, 0, 0, 0, n])
            .await
            .unwrap();
        let mut message = [0; 3];
        within(sender.read_exact(&mut message)).await.unwrap();
        assert_eq!(message, [0x82, 1, n]);
    }
    // A ping behind a close frame gets no answer, since nothing may follow one.
    listener.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
    listener
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0])
        .await
        .unwrap();
    assert_eq!(rest(&mut sender).await, [0x88, 2, 0x0f, 0xa0]);
    assert_eq!(rest(&mut listener).await, b"");
}

#[tokio::test]
async fn data_before_a_close_frame_in_one_write_comes_first_e41() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    let bytes = [
        0x81, 0x82, 0, 0, 0, 0, b'h', b'i', 0x88, 0x80, 0, 0, 0, 0, 0x81, 0x80, 1,
    ];
    sender.write_all(&bytes).await.unwrap();
    let mut frames = [0; 6];
    within(listener.read_exact(&mut frames)).await.unwrap();
    assert_eq!(frames, [0x81, 2, b'h', b'i', 0x88, 0]);
}

#[tokio::test]
async fn the_loss_of_one_side_ends_the_other_without_a_close_frame_e42() {
    let relay = Relay::start().await;
    for by_listener in [false, true] {
        let (mut one, mut other) = relay.pair().await;
        if by_listener {
            (one, other) = (other, one);
        }
        one.send(Message::text("last words")).await.unwrap();
        drop(one);
        assert_eq!(next(&mut other).await, Message::text("last words"));
        let end = within(other.next()).await;
        let reset = Error::Protocol(ProtocolError::ResetWithoutClosingHandshake);
        assert_eq!(end.unwrap().unwrap_err().to_string(), reset.to_string());
    }
}

#[tokio::test]
async fn what_a_side_sent_before_it_was_lost_arrives_though_nothing_can_be_sent_to_it_e42() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    listener
        .write_all(&[0x82, 0x81, 0, 0, 0, 0, 5, 0x88, 0x80, 0, 0, 0, 0])
        .await
        .unwrap();
    drop(listener);
    for _ in 0..100 {
        if sender
            .write_all(&[0x82, 0x81, 0, 0, 0, 0, 1])
            .await
            .is_err()
        {
            break;
        }
    }
    let mut frames = [0; 5];
    within(sender.read_exact(&mut frames)).await.unwrap();
    assert_eq!(frames, [0x82, 1, 5, 0x88, 0]);
}

#[tokio::test]
async fn a_side_that_breaks_the_protocol_is_told_and_the_other_is_not() {
    let relay = Relay::start().await;
    for (frame, code) in [
        (&[0x82, 0x01, 7][..], 1002),
        (&[0xc2, 0x80, 0, 0, 0, 0][..], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0][..], 1002),
        (&[0x88, 0x82, 0, 0, 0, 0, 3, 237][..], 1002),
    ] {
        let (mut sender, mut listener) = relay.bare_pair().await;
        sender
            .write_all(&[0x82, 0x81, 0, 0, 0, 0, 9])
            .await
            .unwrap();
        sender.write_all(frame).await.unwrap();
        let answer = rest(&mut sender).await;
        assert_eq!(answer[0], 0x88, "{frame:?}");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code);
        assert_eq!(rest(&mut listener).await, [0x82, 1, 9]);
    }
}

#[tokio::test]
async fn reserved_bits_pass_only_with_an_extension() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay
        .raw_connect("/$hc/hyco", "Sec-WebSocket-Extensions: x-own\r\n")
        .await;
    let accept = crate::support::next_accept(&mut control).await;
    let address = accept["address"].as_str().unwrap();
    let headers = [("Sec-WebSocket-Extensions", "x-own")];
    let request = crate::support::with_headers(address, &headers);
    let mut listener = tokio::net::TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let target = request.uri().path_and_query().unwrap().as_str();
    let handshake = crate::support::handshake(target, "Sec-WebSocket-Extensions: x-own\r\n");
    listener.write_all(handshake.as_bytes()).await.unwrap();
    assert_eq!(crate::support::read_head(&mut listener).await.status, 101);
    assert_eq!(crate::support::read_head(&mut sender).await.status, 101);
    sender
        .write_all(&[0xc2, 0x81, 0, 0, 0, 0, 9])
        .await
        .unwrap();
    let mut frame = [0; 3];
    within(listener.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame, [0xc2, 1, 9]);
}

#[tokio::test]
async fn the_second_close_frame_is_awaited_for_a_limited_time_e44() {
    let timing = Timing {
        close: Duration::from_millis(100),
        ..Timing::default()
    };
    let relay = Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    sender.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(rest(&mut listener).await, [0x88, 0]);
    assert_eq!(rest(&mut sender).await, b"");
}

#[tokio::test]
async fn a_side_that_takes_nothing_for_too_long_ends_both() {
    let timing = Timing {
        send: Duration::from_millis(200),
        ..Timing::default()
    };
    let relay = Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
    let (mut sender, listener) = relay.bare_pair().await;
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(1u64 << 40).to_be_bytes());
    head.extend_from_slice(&[0, 0, 0, 0]);
    sender.write_all(&head).await.unwrap();
    let block = vec![7; 64 * 1024];
    let flood = async { while sender.write_all(&block).await.is_ok() {} };
    within(flood).await;
    drop(listener);
}
