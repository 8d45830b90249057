//! The times of the relay, and the fault that changes them: it strikes those that run as well (E29).

use std::time::{Duration, Instant};

use hyco_emulator::{EmulatorOptions, Fault};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Relay, fill, next, next_accept, next_command, read_head, rest, within};

/// Lets all times run a million times faster: a day becomes 86 ms.
fn hurry(relay: &Relay) {
    set(relay, &json!({ "kind": "timers", "factor": 1e-6 }));
}

fn set(relay: &Relay, fault: &serde_json::Value) -> u64 {
    let fault: Fault = serde_json::from_value(fault.clone()).unwrap();
    relay.emulator.set_fault(fault).unwrap()
}

/// Far less than any of the times would take.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("the time runs as before")
}

#[tokio::test]
async fn a_sender_that_waits_is_given_up_when_the_times_are_shortened() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay.raw_connect("/$hc/hyco", "").await;
    next_accept(&mut control).await;
    hurry(&relay);
    assert_eq!(soon(read_head(&mut sender)).await.status, 504);
}

#[tokio::test]
async fn an_http_request_that_waits_is_given_up_when_the_times_are_shortened() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let token = relay.token("hyco");
    let mut answered = request(&relay, "GET", &token, "").await;
    next_command(&mut control).await;
    // One whose body never comes.
    let mut bodiless = request(&relay, "POST", &token, "Content-Length: 5\r\n").await;
    hurry(&relay);
    assert_eq!(soon(read_head(&mut answered)).await.status, 504);
    assert_eq!(soon(read_head(&mut bodiless)).await.status, 408);
}

async fn request(relay: &Relay, method: &str, token: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let head = format!(
        "{method} /hyco HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {token}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_control_channel_that_is_up_is_kept_alive_as_often_as_the_times_now_say() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    set(&relay, &json!({ "kind": "timers", "factor": 1e-4 }));
    assert!(soon(next(&mut control)).await.is_pong());
    assert!(soon(next(&mut control)).await.is_pong());
}

#[tokio::test]
async fn a_half_closed_connection_ends_when_the_times_are_shortened() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    sender.close(None).await.unwrap();
    assert!(next(&mut listener).await.is_close());
    let mut sender = sender.into_inner();
    hurry(&relay);
    assert_eq!(soon(rest(&mut sender)).await, b"");
}

#[tokio::test]
async fn a_black_hole_is_no_side_that_takes_nothing() {
    let mut options = EmulatorOptions::default();
    options.timing.send = Duration::from_secs(24 * 60 * 60);
    let relay = Relay::with(options).await;
    let (mut sender, listener) = relay.bare_pair().await;
    // The listener takes nothing, until nothing more can be sent.
    fill(&mut sender).await;
    let hole = set(&relay, &json!({ "kind": "blackHole", "on": "connection" }));
    hurry(&relay);
    sleep(Duration::from_millis(500)).await;
    let open = relay.emulator.handle().request("GET", "connections", b"");
    assert_ne!(open.unwrap().body, "[]");
    // Without the hole its time runs.
    relay.emulator.remove_fault(hole);
    let begun = Instant::now();
    let mut listener = listener;
    let mut taken = vec![0; 64 * 1024];
    loop {
        let open = relay.emulator.handle().request("GET", "connections", b"");
        if open.unwrap().body == "[]" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(10)).await;
    }
    while within(listener.read(&mut taken))
        .await
        .is_ok_and(|count| count > 0)
    {}
}

#[tokio::test]
async fn a_fault_for_a_hybrid_connection_that_does_not_exist_is_warned_of() {
    let relay = Relay::start().await;
    set(
        &relay,
        &json!({ "kind": "swallowAccept", "hybridConnection": "hycoo" }),
    );
    set(
        &relay,
        &json!({ "kind": "swallowAccept", "hybridConnection": "HYCO/" }),
    );
    let journal = relay.emulator.handle().request("GET", "journal", b"");
    let journal = journal.unwrap().body;
    assert!(
        journal.contains("the fault 1 strikes nothing yet: there is no hybrid connection 'hycoo'"),
        "{journal}"
    );
    assert_eq!(journal.matches("\"warning\"").count(), 1, "{journal}");
}
