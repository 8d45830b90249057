//! What the administration does to a relay in use, and what it leaves alone.

use futures_util::SinkExt;
use hyco_emulator::{EmulatorOptions, Fault, HybridConnectionOptions};
use serde_json::{Value, json};
use tokio::task::yield_now;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Relay, next, next_accept, next_close_code, within};

/// What the administration answers in process.
fn ask(relay: &Relay, method: &str, target: &str, body: &Value) -> Value {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let handle = relay.emulator.handle();
    let answer = handle.request(method, target, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{method} {target}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn get(relay: &Relay, target: &str) -> Value {
    ask(relay, "GET", target, &Value::Null)
}

#[tokio::test]
async fn a_deleted_hybrid_connection_ends_its_own_connections_and_no_others() {
    let relay = Relay::with(EmulatorOptions {
        hybrid_connections: vec![
            HybridConnectionOptions::new("hyco"),
            HybridConnectionOptions::new("other"),
        ],
        ..EmulatorOptions::default()
    })
    .await;
    let (mut sender, mut listener) = relay.pair().await;
    let mut control = relay.listen_at("other?sb-hc-action=listen").await;
    let mut other = relay.connect_at("other?sb-hc-action=connect");
    let accept = next_accept(&mut control).await;
    let (mut others, _) = relay.dial(&accept).await.unwrap();
    let (mut other, _) = (&mut other).await.unwrap().unwrap();

    ask(&relay, "DELETE", "hybridConnections/other", &Value::Null);
    for socket in [&mut other, &mut others, &mut control] {
        assert_eq!(next_close_code(socket).await.0, 1001);
    }
    sender.send(Message::text("still here")).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("still here"));
}

#[tokio::test]
async fn a_connection_that_has_ended_is_listed_no_more() {
    let relay = Relay::start().await;
    let (sender, listener) = relay.pair().await;
    assert_eq!(get(&relay, "connections").as_array().unwrap().len(), 1);
    drop((sender, listener));
    within(async {
        while get(&relay, "connections") != json!([]) {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn recordings_end_when_they_are_told_to_and_by_a_reset() {
    let relay = Relay::start().await;
    let record = json!({ "hybridConnection": "hyco" });
    for (method, target) in [("DELETE", "recordings"), ("POST", "reset")] {
        ask(&relay, "POST", "recordings", &record);
        assert_eq!(get(&relay, "recordings"), json!(["hyco"]));
        ask(&relay, method, target, &Value::Null);
        assert_eq!(get(&relay, "recordings"), json!([]));
    }
}

#[tokio::test]
async fn a_reset_empties_the_journal() {
    let relay = Relay::start().await;
    let control = relay.listen().await;
    assert_ne!(get(&relay, "journal"), json!([]));
    drop(control);
    within(async {
        while get(&relay, "listeners") != json!([]) {
            yield_now().await;
        }
    })
    .await;
    ask(&relay, "POST", "reset", &Value::Null);
    assert_eq!(get(&relay, "journal"), json!([]));
}

#[tokio::test]
async fn a_fault_that_strikes_an_open_connection_is_in_the_journal() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    let connection = get(&relay, "connections")[0]["trackingId"].take();
    assert!(connection.is_string());
    let fault = json!({ "kind": "slice", "bytes": 2 });
    let id = ask(&relay, "POST", "faults", &fault)["id"].take();
    // What passes has met the fault.
    sender.send(Message::text("sliced")).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("sliced"));
    let journal = get(&relay, "journal");
    let events = journal.as_array().unwrap().iter();
    let faults: Vec<_> = events.filter(|event| event["type"] == "fault").collect();
    let [struck] = faults[..] else {
        panic!("one fault: {journal}");
    };
    assert_eq!(
        (&struck["fault"], &struck["kind"], &struck["target"]),
        (&id, &json!("slice"), &connection)
    );
}

#[tokio::test]
async fn there_are_at_most_12_rules_on_a_level_and_256_faults() {
    let relay = Relay::start().await;
    let handle = relay.emulator.handle();
    let add = |target: &str, body: Value| {
        let answer = handle.request("POST", target, body.to_string().as_bytes());
        answer.unwrap().status
    };
    let rule = |n: usize| json!({ "keyName": format!("rule{n}"), "rights": ["Send"] });
    let there = get(&relay, "rules").as_array().unwrap().len();
    for n in there..12 {
        assert_eq!(add("rules", rule(n)), 200);
    }
    assert_eq!(add("rules", rule(12)), 403);

    let fault = json!({ "kind": "blackHole", "on": "connection" });
    let fault: Fault = serde_json::from_value(fault).unwrap();
    for _ in 0..256 {
        relay.emulator.set_fault(fault.clone()).unwrap();
    }
    let refused = relay.emulator.set_fault(fault).unwrap_err();
    assert!(refused.to_string().contains("256 faults"), "{refused}");
}
