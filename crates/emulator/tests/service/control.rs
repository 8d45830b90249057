//! What passes on a control channel.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{EmulatorOptions, Timing};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Relay, next, next_accept, ping};

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
async fn a_message_beyond_64_kib_ends_the_channel() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    control
        .send(Message::binary(vec![0; 64 * 1024 + 1]))
        .await
        .unwrap();
    while let Some(Ok(message)) = control.next().await {
        assert!(message.is_close(), "{message:?}");
    }
    // It is forgotten at once.
    let head = relay
        .handshake_with("/$hc/hyco", &relay.token("hyco"))
        .await;
    assert_eq!(head.status, 404);
}
