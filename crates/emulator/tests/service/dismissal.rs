//! Senders that wait when there is nothing to wait for any more: their hybrid connection is deleted (E25), or
//! the relay is reset.

use std::time::Duration;

use hyco_emulator::{EmulatorOptions, HybridConnectionOptions};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Relay, Socket, next_accept, read_head, within};

/// How far a sender has come that waits.
const STATES: [&str; 3] = ["announced", "taken", "not announced"];

/// A sender that waits for its answer; it would wait for thirty seconds.
async fn waiting(relay: &Relay, control: &mut Socket, state: &str) -> TcpStream {
    if state == "not announced" {
        let fault = json!({ "kind": "swallowAccept" }).to_string();
        request(relay, "POST", "faults", &fault);
    }
    let sender = relay.raw_connect("/$hc/hyco", "").await;
    if state == "not announced" {
        within(async {
            while pending(relay).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        return sender;
    }
    let accept = next_accept(control).await;
    if state == "taken" {
        // Its listener takes it, and then does not say what is to become of it.
        let dial = relay.raw_dial(&accept, "&sb-hc-statusCode=nonsense", "");
        assert_eq!(within(dial).await.status, 400);
        assert!(pending(relay).is_empty());
    }
    sender
}

fn request(relay: &Relay, method: &str, target: &str, body: &str) -> Value {
    let handle = relay.emulator.handle();
    let answer = handle.request(method, target, body.as_bytes()).unwrap();
    assert!(answer.status < 300, "{target}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn pending(relay: &Relay) -> Vec<Value> {
    request(relay, "GET", "pending", "")
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_sender_that_waits_hears_404_when_its_hybrid_connection_is_deleted_e25() {
    for state in STATES {
        let relay = Relay::with(EmulatorOptions {
            hybrid_connections: ["hyco", "other"].map(HybridConnectionOptions::new).into(),
            ..EmulatorOptions::default()
        })
        .await;
        let mut control = relay.listen().await;
        let mut sender = waiting(&relay, &mut control, state).await;
        request(&relay, "DELETE", "hybridConnections/other", "");
        request(&relay, "DELETE", "hybridConnections/hyco", "");
        let head = within(read_head(&mut sender)).await;
        assert_eq!(head.status, 404, "{state}");
        assert!(
            head.reason.contains("Endpoint does not exist."),
            "{}",
            head.reason
        );
        assert!(pending(&relay).is_empty());
    }
}

#[tokio::test]
async fn a_sender_that_waits_hears_502_when_the_relay_is_reset() {
    for state in STATES {
        let relay = Relay::start().await;
        let mut control = relay.listen().await;
        let mut sender = waiting(&relay, &mut control, state).await;
        request(&relay, "POST", "reset", "");
        assert_eq!(within(read_head(&mut sender)).await.status, 502, "{state}");
        // Those that come afterwards wait as ever.
        let mut control = relay.listen().await;
        relay.pair_by(&mut control).await;
    }
}
