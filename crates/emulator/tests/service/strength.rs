//! What many clients at once, slow ones and bad ones cannot do to the relay.

use std::time::{Duration, Instant};

use hyco_emulator::{EmulatorOptions, Timing};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::support::{Relay, next_accept, rest, within};

const LISTEN: &str = "/$hc/hyco?sb-hc-action=listen";

/// The journal.
fn journal(relay: &Relay) -> Vec<Value> {
    let answer = relay.emulator.handle().request("GET", "journal", b"");
    serde_json::from_str(&answer.unwrap().body).unwrap()
}

/// How many events of a type were told, and how many were only counted.
fn counts(relay: &Relay, kind: &str, counted: &str) -> (u64, u64) {
    let journal = journal(relay);
    let told = journal.iter().filter(|event| event["type"] == kind).count();
    let only_counted = journal
        .iter()
        .filter(|event| event["type"] == "suppressed")
        .map(|event| event[counted].as_u64().unwrap())
        .sum();
    (told as u64, only_counted)
}

/// Waits until all events of a type are told or counted; gives how many were told.
async fn all_accounted(relay: &Relay, kind: &str, counted: &str, all: u64) -> u64 {
    within(async {
        loop {
            let (told, only_counted) = counts(relay, kind, counted);
            if told + only_counted == all {
                return told;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn senders_and_silent_clients_cannot_take_the_places_of_the_dials_they_wait_for() {
    let relay = Relay::with(EmulatorOptions {
        max_connections: 3,
        ..EmulatorOptions::default()
    })
    .await;
    let mut control = relay.listen().await;
    let sender = relay.connect();
    let accept = next_accept(&mut control).await;
    let silent = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    // Every place is taken, and one for a dial is free: what is no dial is refused and not kept waiting.
    let token = relay.token("hyco");
    let refused = within(relay.handshake_with(LISTEN, &token)).await;
    assert_eq!(refused.status, 503);
    assert!(refused.reason.starts_with("ServerBusy"), "{refused:?}");
    let (mut listener, _) = within(relay.dial(&accept)).await.unwrap();
    let (mut sender, _) = within(sender).await.unwrap().unwrap();
    sender.close(None).await.unwrap();
    listener.close(None).await.unwrap();
    drop(silent);
    // The places are free again, for anybody.
    within(async {
        while relay.handshake_with(LISTEN, &token).await.status != 101 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_sends_its_request_byte_by_byte_is_given_up_and_told_of() {
    let relay = Relay::with(EmulatorOptions {
        timing: Timing {
            handshake: Duration::from_secs(2),
            ..Timing::default()
        },
        ..EmulatorOptions::default()
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(
            TcpStream::connect(relay.emulator.local_addr())
                .await
                .unwrap(),
        );
    }
    let head = format!("GET {LISTEN} HTTP/1.1\r\nX-Slow: {}", "x".repeat(10_000));
    within(async {
        for byte in head.bytes() {
            let mut open = 0;
            for stream in &mut slow {
                open += usize::from(stream.write_all(&[byte]).await.is_ok());
            }
            if open == 0 {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let token = relay.token("hyco");
    assert_eq!(relay.handshake_with(LISTEN, &token).await.status, 101);
    all_accounted(&relay, "warning", "warnings", 50).await;
}

#[tokio::test]
async fn a_flood_of_nonsense_is_counted_and_not_written_line_by_line() {
    let relay = Relay::start().await;
    let started = Instant::now();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(relay.emulator.local_addr())
            .await
            .unwrap();
        // A TLS handshake at the plain port, say.
        stream
            .write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
            .await
            .unwrap();
        rest(&mut stream).await;
    }
    let told = all_accounted(&relay, "warning", "warnings", 400).await;
    assert!(told <= 20 * (started.elapsed().as_secs() + 2), "{told}");
}

#[tokio::test]
async fn guessing_tokens_is_counted_and_leaves_nothing_behind_e70() {
    let relay = Relay::start().await;
    let started = Instant::now();
    let rule = relay.emulator.rule().name().to_owned();
    for guess in 0..1000 {
        let token = relay.sign("hyco", &rule, &format!("guess {guess}"), 4_102_444_800);
        assert_eq!(relay.handshake_with(LISTEN, &token).await.status, 401);
    }
    let told = all_accounted(&relay, "refused", "refusals", 1000).await;
    assert!(told <= 20 * (started.elapsed().as_secs() + 2), "{told}");
    for event in journal(&relay) {
        assert!(!event.to_string().contains("sig="), "{event}");
    }
    let token = relay.token("hyco");
    assert_eq!(relay.handshake_with(LISTEN, &token).await.status, 101);
}

#[tokio::test]
async fn what_was_only_counted_is_told_though_nothing_follows() {
    let relay = Relay::start().await;
    for _ in 0..21 {
        relay.handshake(LISTEN, "").await;
    }
    // One too many for a second; on a slow machine they take longer, and nothing is left out.
    let told = all_accounted(&relay, "refused", "refusals", 21).await;
    assert!((20..=21).contains(&told), "{told}");
}
