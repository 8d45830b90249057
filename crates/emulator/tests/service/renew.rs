//! Tokens end, and are renewed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{EmulatorOptions, HybridConnectionOptions, Right, Rights, Rule, Timing};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Relay, Socket, next, next_close_code, ping, unix_now, with_headers, within};

async fn with_grace(grace: Duration) -> Relay {
    let timing = Timing {
        renewal_grace: grace,
        ..Timing::default()
    };
    Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await
}

/// Sets the relay's clock forward. A token of some seconds may end before it is checked, so those here live
/// for an hour, which the relay then sees pass at once.
fn pass(relay: &Relay, seconds: u64) {
    let fault = json!({ "kind": "clock", "seconds": seconds });
    relay
        .emulator
        .set_fault(serde_json::from_value(fault).unwrap())
        .unwrap();
}

/// A token that ends in so many seconds by the clock of the machine.
fn token(relay: &Relay, seconds: u64) -> String {
    let rule = relay.emulator.rule();
    relay.sign(
        "hyco",
        rule.name(),
        rule.primary_key(),
        unix_now() + seconds,
    )
}

async fn listen_with(relay: &Relay, token: &str) -> Socket {
    let url = relay.url("hyco?sb-hc-action=listen");
    relay
        .open(with_headers(&url, &[("ServiceBusAuthorization", token)]))
        .await
        .unwrap()
        .0
}

async fn renew(control: &mut Socket, token: &str) {
    let command = json!({ "renewToken": { "token": token } });
    control
        .send(Message::text(command.to_string()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_renewed_token_keeps_the_channel_open_e22() {
    let relay = with_grace(Duration::ZERO).await;
    let mut control = listen_with(&relay, &token(&relay, HOUR)).await;
    let mut without = listen_with(&relay, &token(&relay, HOUR)).await;
    renew(&mut control, &token(&relay, 3 * HOUR)).await;
    // The pong says that the renewal before it has been read.
    ping(&mut control).await;
    pass(&relay, 2 * HOUR);
    let (code, reason) = next_close_code(&mut without).await;
    assert_eq!(
        (
            code,
            reason.starts_with("The token has expired. TrackingId:")
        ),
        (1008, true)
    );
    ping(&mut control).await;
}

#[tokio::test]
async fn a_token_that_is_not_valid_ends_the_channel_e22() {
    let relay = Relay::with(EmulatorOptions {
        hybrid_connections: vec![
            HybridConnectionOptions::new("hyco"),
            HybridConnectionOptions::new("other"),
        ],
        rules: vec![
            Rule::new("all", "key", Rights::ALL).unwrap(),
            Rule::new("send", "key", Rights::from_iter([Right::Send])).unwrap(),
        ],
        ..EmulatorOptions::default()
    })
    .await;
    let end = unix_now() + HOUR;
    for (token, reason) in [
        (
            "com.microsoft.azure.relay.SecurityToken@1b2c3d".to_owned(),
            "MalformedToken",
        ),
        (String::new(), "MissingToken"),
        (relay.sign("hyco", "all", "wrong", end), "InvalidSignature"),
        (relay.sign("other", "all", "key", end), "InvalidAudience"),
        (
            relay.sign("hyco", "all", "key", unix_now() - 1),
            "ExpiredToken",
        ),
        (
            relay.sign("hyco", "send", "key", end),
            "Authorization failed",
        ),
    ] {
        let mut control = relay.listen().await;
        renew(&mut control, &token).await;
        let (code, text) = next_close_code(&mut control).await;
        assert_eq!(code, 1008);
        assert!(text.starts_with(reason) && text.len() <= 123, "{text}");
    }
}

#[tokio::test]
async fn without_renewal_the_channel_ends_after_the_grace_and_relayed_sockets_stay_e23() {
    let relay = with_grace(Duration::from_secs(1)).await;
    let mut control = listen_with(&relay, &token(&relay, HOUR)).await;
    let (mut sender, mut listener) = relay.pair_by(&mut control).await;
    pass(&relay, HOUR + 2);
    assert_eq!(next_close_code(&mut control).await.0, 1008);
    sender.send(Message::text("still here")).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("still here"));
    let head = relay
        .handshake_with("/$hc/hyco", &token(&relay, 2 * HOUR))
        .await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn a_listener_that_sends_all_the_time_is_ended_after_the_grace_as_well_e23() {
    let relay = with_grace(Duration::from_secs(1)).await;
    let mut control = listen_with(&relay, &token(&relay, HOUR)).await;
    pass(&relay, HOUR);
    let ended = async {
        loop {
            // The channel may end between a pong and the next ping.
            let _ = control.send(Message::Ping("busy".into())).await;
            match control.next().await {
                Some(Ok(Message::Pong(_))) => sleep(Duration::from_millis(20)).await,
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                other => panic!("neither a pong nor the end: {other:?}"),
            }
        }
    };
    assert_eq!(within(ended).await, 1008);
}

#[tokio::test]
async fn a_renewal_a_second_late_is_in_time_e24() {
    let relay = Relay::start().await;
    let mut control = listen_with(&relay, &token(&relay, HOUR)).await;
    pass(&relay, HOUR + 1);
    // By the relay's clock its token has ended, and the grace of two minutes has not.
    let head = relay
        .handshake_with("/$hc/hyco", &token(&relay, HOUR))
        .await;
    assert_eq!(head.status, 401);
    renew(&mut control, &token(&relay, 3 * HOUR)).await;
    ping(&mut control).await;
    // The grace passes too: only what was renewed can still be here.
    pass(&relay, HOUR);
    ping(&mut control).await;
    let closed = timeout(Duration::from_millis(100), next(&mut control)).await;
    assert!(closed.is_err(), "{closed:?}");
}

#[tokio::test]
async fn a_clock_skew_lets_a_token_open_and_renew_for_a_while_after_its_end() {
    let relay = Relay::with(EmulatorOptions {
        clock_skew: HOUR,
        ..EmulatorOptions::default()
    })
    .await;
    let rule = relay.emulator.rule();
    let ended = |ago| relay.sign("hyco", rule.name(), rule.primary_key(), unix_now() - ago);
    let target = "/$hc/hyco?sb-hc-action=listen";
    let status = async |ago| relay.handshake_with(target, &ended(ago)).await.status;
    assert_eq!(status(HOUR / 2).await, 101);
    assert_eq!(status(HOUR + 60).await, 401);
    let mut control = relay.listen().await;
    renew(&mut control, &ended(60)).await;
    ping(&mut control).await;
    renew(&mut control, &ended(HOUR + 60)).await;
    let (code, reason) = next_close_code(&mut control).await;
    assert_eq!((code, reason.starts_with("ExpiredToken")), (1008, true));
}

const HOUR: u64 = 3600;
