//! How much a client may say, and how long it may take before it says anything.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use hyco_emulator::{EmulatorOptions, Timing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    select,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{Relay, next_accept, next_close_code, next_command, read_head, rest, within};

const LISTEN: &str = "/$hc/hyco?sb-hc-action=listen";

/// The status of a listener's handshake with these further headers.
async fn listen_with(relay: &Relay, headers: &str) -> u16 {
    let token = relay.token("hyco");
    let headers = format!("ServiceBusAuthorization: {token}\r\n{headers}");
    relay.handshake(LISTEN, &headers).await.status
}

#[tokio::test]
async fn a_head_may_have_64_kib() {
    let relay = Relay::start().await;
    let padding = |length: usize| format!("X-Padding: {}\r\n", "x".repeat(length));
    assert_eq!(listen_with(&relay, &padding(63 * 1024)).await, 101);
    // What is read beyond that with the last of it passes as well.
    assert_eq!(listen_with(&relay, &padding(200 * 1024)).await, 431);
}

#[tokio::test]
async fn who_goes_on_sending_can_read_that_its_head_is_too_long() {
    let relay = Relay::start().await;
    let head = format!("GET {LISTEN} HTTP/1.1\r\nX: {}", "x".repeat(1024 * 1024));
    loop {
        let started = Instant::now();
        let end = async {
            let mut stream = TcpStream::connect(relay.emulator.local_addr()).await?;
            // All of it is taken, and an end and no reset is behind the answer.
            stream.write_all(head.as_bytes()).await?;
            assert_eq!(read_head(&mut stream).await.status, 431);
            stream.shutdown().await?;
            within(stream.read_to_end(&mut Vec::new())).await
        };
        let end = end.await;
        // The relay goes on reading for half a second, which a busy machine may not give to this test.
        if end.is_ok() || started.elapsed() < Duration::from_millis(400) {
            assert_eq!(end.unwrap(), 0);
            return;
        }
    }
}

#[tokio::test]
async fn a_head_may_have_a_thousand_lines() {
    let relay = Relay::start().await;
    assert_eq!(listen_with(&relay, &"X: x\r\n".repeat(1000)).await, 101);
    assert_eq!(listen_with(&relay, &"X: x\r\n".repeat(1024)).await, 431);
}

#[tokio::test]
async fn the_headers_of_a_request_may_have_32_kib_e66() {
    let relay = Relay::start().await;
    let token = relay.token("hyco");
    for (length, status) in [(31 * 1024, 404), (32 * 1024, 431)] {
        let request = format!(
            "GET /hyco HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {token}\r\n\
             X-Padding: {}\r\n\r\n",
            "x".repeat(length)
        );
        assert_eq!(relay.raw(&request).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn an_answer_on_a_rendezvous_may_have_a_mebibyte_before_its_body() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let piece = vec![b' '; 64 * 1024];
    for (pieces, expected) in [(15, 1002), (17, 1009)] {
        let mut sender = TcpStream::connect(relay.emulator.local_addr())
            .await
            .unwrap();
        let request = format!(
            "GET /hyco HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {}\r\n\r\n",
            relay.token("hyco")
        );
        sender.write_all(request.as_bytes()).await.unwrap();
        let request = next_command(&mut control).await["request"].take();
        let mut rendezvous = relay.dial(&request).await.unwrap().0;
        for at in 0..pieces {
            let opcode = match at {
                0 => Data::Text,
                _ => Data::Continue,
            };
            let frame = Frame::message(piece.clone(), OpCode::Data(opcode), at == pieces - 1);
            // One that is too long is no longer read at some point.
            let _ = rendezvous.send(Message::Frame(frame)).await;
        }
        assert_eq!(next_close_code(&mut rendezvous).await.0, expected);
    }
}

#[tokio::test]
async fn who_takes_a_place_of_the_dials_has_two_seconds_to_dial() {
    let relay = Relay::with(EmulatorOptions {
        max_connections: 3,
        timing: Timing {
            handshake: Duration::from_secs(15),
            ..Timing::default()
        },
        ..EmulatorOptions::default()
    })
    .await;
    let mut control = relay.listen().await;
    let _sender = relay.raw_connect("/$hc/hyco", "").await;
    next_accept(&mut control).await;
    let address = relay.emulator.local_addr();
    // The last of the usual places, and one that is there for the dial alone.
    let mut usual = TcpStream::connect(address).await.unwrap();
    let started = Instant::now();
    let mut of_dials = TcpStream::connect(address).await.unwrap();
    let first = select! {
        _ = rest(&mut of_dials) => "of the dials",
        _ = rest(&mut usual) => "usual",
    };
    assert_eq!(first, "of the dials");
    assert!(started.elapsed() > Duration::from_secs(1));
    // Whoever has a usual place has all of its time.
    usual
        .write_all(b"GET /$hc/hyco HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    within(read_head(&mut usual)).await;
}
