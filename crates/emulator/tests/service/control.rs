//! What passes on a control channel.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{EmulatorOptions, Timing};
use tokio_tungstenite::tungstenite::Message;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::support::{Relay, next, next_accept, next_close_code, ping, rest, within};

#[tokio::test]
async fn pings_are_answered_and_pongs_ignored_e26() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    control
        .send(Message::Pong("nobody asked".into()))
        .await
        .unwrap();
    ping(&mut control).await;
}

#[tokio::test]
async fn the_relay_sends_pongs_of_its_own_e26() {
    let timing = Timing {
        keep_alive: Duration::from_millis(20),
        ..Timing::default()
    };
    let relay = Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
    let mut control = relay.listen().await;
    assert_eq!(next(&mut control).await, Message::Pong("".into()));
    assert_eq!(next(&mut control).await, Message::Pong("".into()));
}

#[tokio::test]
async fn garbage_is_ignored_e27() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for text in [
        "",
        "{",
        "[]",
        "null",
        r#"{"unknown":{}}"#,
        r#"{"injectFault":{"delay":"00:00:01"}}"#,
        r#"{"response":{"requestId":"nobody","statusCode":200,"body":true}}"#,
        r#"{"renewToken":{}}"#,
        r#"{"renewToken":null}"#,
    ] {
        control.send(Message::text(text)).await.unwrap();
    }
    control.send(Message::binary(vec![])).await.unwrap();
    control
        .send(Message::binary(vec![0; 64 * 1024]))
        .await
        .unwrap();
    ping(&mut control).await;
    let sender = relay.connect();
    next_accept(&mut control).await;
    sender.abort();
}

#[tokio::test]
async fn a_message_beyond_1_mib_ends_the_channel() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    control
        .send(Message::binary(vec![0; 1024 * 1024 + 1]))
        .await
        .unwrap();
    assert_eq!(next_close_code(&mut control).await.0, 1009);
    assert!(within(control.next()).await.is_none());
    // It is forgotten at once.
    let head = relay
        .handshake_with("/$hc/hyco", &relay.token("hyco"))
        .await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn a_listener_that_breaks_the_protocol_is_told_why() {
    let relay = Relay::start().await;
    let cases: [(&[u8], u16); 4] = [
        // Unmasked.
        (&[0x81, 0x00], 1002),
        // A reserved opcode.
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        // A fragment of nothing.
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        // Not UTF-8.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ];
    for (bytes, code) in cases {
        let mut stream = relay.listen().await.into_inner();
        stream.write_all(bytes).await.unwrap();
        let answer = within(rest(&mut stream)).await;
        assert_eq!(answer.first(), Some(&0x88), "{bytes:?}: {answer:?}");
        assert_eq!(answer[2..4], code.to_be_bytes(), "{bytes:?}");
        assert!(answer.len() > 4, "a reason");
    }
}

/// A listener that reads nothing and sends pings until the relay ends it, or takes no more for so long.
async fn flood(relay: &Relay, patience: Duration) -> TcpStream {
    let mut stream = relay.listen().await.into_inner();
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'p'; 125]].concat();
    let pings = ping.repeat(500);
    let mut taken = 0;
    while let Ok(Ok(count)) = timeout(patience, stream.write(&pings[taken % ping.len()..])).await {
        taken += count;
        assert!(
            taken < 64 * 1024 * 1024,
            "the relay takes pings without end"
        );
    }
    stream
}

#[tokio::test]
async fn pings_whose_pongs_nobody_reads_are_not_taken_and_end_the_channel() {
    let timing = Timing {
        send: Duration::from_millis(700),
        ..Timing::default()
    };
    let relay = Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
    // It is ended when it has taken nothing for the time that it has, and forgotten before.
    let mut stream = flood(&relay, Duration::from_secs(60)).await;
    let end = within(stream.write_all(b"more")).await;
    assert!(end.is_err(), "it takes nothing, and is kept");
    let token = relay.token("hyco");
    let head = relay.handshake_with("/$hc/hyco", &token).await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn the_relay_ends_quickly_beside_a_listener_that_reads_nothing() {
    let relay = Relay::start().await;
    let _stream = flood(&relay, Duration::from_secs(2)).await;
    let Relay { emulator } = relay;
    timeout(Duration::from_secs(30), emulator.close())
        .await
        .expect("the relay waits for a deaf listener");
}
