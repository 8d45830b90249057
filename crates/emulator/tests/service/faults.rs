//! Faults on purpose (E29).

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{
    Relay, fill, next, next_accept, next_close_code, ping, read_head, rest, unix_now, within,
};

fn set(relay: &Relay, fault: Value) -> u64 {
    relay
        .emulator
        .set_fault(serde_json::from_value(fault).unwrap())
        .unwrap()
}

fn get(relay: &Relay, target: &str) -> Value {
    let answer = relay.emulator.handle().request("GET", target, b"").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn the_next_handshakes_are_refused_with_a_status_e29() {
    let relay = Relay::start().await;
    let fault = json!({ "kind": "refuse", "action": "listen", "status": 503, "count": 2 });
    set(&relay, fault);
    for _ in 0..2 {
        let target = "/$hc/hyco?sb-hc-action=listen";
        let head = relay.handshake_with(target, &relay.token("hyco")).await;
        assert_eq!(head.status, 503);
        assert!(head.reason.starts_with("Service Unavailable"), "{head:?}");
    }
    let mut control = relay.listen().await;
    ping(&mut control).await;
    let faults = get(&relay, "faults");
    assert_eq!(faults[0]["struck"], 2);
}

#[tokio::test]
async fn a_fault_strikes_its_hybrid_connection_only() {
    let relay = Relay::start().await;
    let (status, body) = post(&relay, "hybridConnections", json!({ "path": "team/other" }));
    assert_eq!(status, 200, "{body}");
    set(
        &relay,
        json!({ "kind": "refuse", "status": 500, "hybridConnection": "TEAM/other" }),
    );
    let token = relay.token("team/other");
    let head = relay.handshake_with("/$hc/team/other/x", &token).await;
    assert_eq!(head.status, 500);
    let head = relay
        .handshake_with("/$hc/hyco", &relay.token("hyco"))
        .await;
    assert_eq!(head.status, 404, "nobody listens there");
}

fn post(relay: &Relay, target: &str, body: Value) -> (u16, String) {
    let body = body.to_string();
    let answer = relay
        .emulator
        .handle()
        .request("POST", target, body.as_bytes())
        .unwrap();
    (answer.status, answer.body)
}

#[tokio::test]
async fn control_channels_are_dropped_closed_and_silenced() {
    let relay = Relay::start().await;
    // One that is there.
    let mut control = relay.listen().await;
    let id = set(
        &relay,
        json!({ "kind": "close", "on": "control", "code": 4001, "reason": "now" }),
    );
    assert_eq!(next_close_code(&mut control).await, (4001, "now".into()));
    // One that comes.
    let mut control = relay.listen().await;
    assert_eq!(next_close_code(&mut control).await.0, 4001);
    assert!(relay.emulator.remove_fault(id));
    let mut control = relay.listen().await;
    ping(&mut control).await;
    set(
        &relay,
        json!({ "kind": "drop", "on": "control", "count": 1 }),
    );
    assert!(matches!(
        within(control.next()).await,
        Some(Err(Error::Protocol(_))) | None
    ));
    let mut control = relay.listen().await;
    ping(&mut control).await;
    // For a while nothing passes, and nothing is lost.
    let started = Instant::now();
    set(
        &relay,
        json!({ "kind": "blackHole", "on": "control", "duration": 400 }),
    );
    let sender = relay.connect();
    control.send(Message::Ping("?".into())).await.unwrap();
    let message = next(&mut control).await;
    assert!(started.elapsed() >= Duration::from_millis(400), "{message}");
    let accept = if message.is_pong() {
        next_accept(&mut control).await
    } else {
        serde_json::from_str::<Value>(message.to_text().unwrap()).unwrap()["accept"].take()
    };
    relay.dial(&accept).await.unwrap();
    within(sender).await.unwrap().unwrap();
}

#[tokio::test]
async fn relayed_connections_are_dropped_closed_and_silenced() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    set(
        &relay,
        json!({ "kind": "close", "on": "connection", "code": 1011, "reason": "x", "count": 1 }),
    );
    for socket in [&mut sender, &mut listener] {
        assert_eq!(next_close_code(socket).await, (1011, "x".into()));
    }
    set(
        &relay,
        json!({ "kind": "drop", "on": "connection", "after": 200, "count": 1 }),
    );
    let (mut sender, mut listener) = relay.bare_pair().await;
    assert_eq!(rest(&mut sender).await, b"");
    assert_eq!(rest(&mut listener).await, b"");
    let (mut sender, mut listener) = relay.pair().await;
    let hole = set(
        &relay,
        json!({ "kind": "blackHole", "on": "connection", "direction": "toListener" }),
    );
    sender.send("lost for a while".into()).await.unwrap();
    listener.send("the other way is open".into()).await.unwrap();
    assert_eq!(
        next(&mut sender).await.to_text().unwrap(),
        "the other way is open"
    );
    assert!(
        timeout(Duration::from_millis(200), listener.next())
            .await
            .is_err()
    );
    relay.emulator.remove_fault(hole);
    assert_eq!(
        next(&mut listener).await.to_text().unwrap(),
        "lost for a while"
    );
}

#[tokio::test]
async fn an_accept_comes_late_or_never() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    set(
        &relay,
        json!({ "kind": "delayAccept", "delay": 300, "count": 1 }),
    );
    let started = Instant::now();
    let sender = relay.connect();
    next_accept(&mut control).await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    sender.abort();
    set(&relay, json!({ "kind": "swallowAccept", "count": 1 }));
    set(&relay, json!({ "kind": "timers", "factor": 0.01 }));
    let mut sender = relay.raw_connect("/$hc/hyco", "").await;
    assert_eq!(read_head(&mut sender).await.status, 504);
    relay.emulator.clear_faults();
    ping(&mut control).await;
}

#[tokio::test]
async fn bytes_arrive_late_slowly_and_in_order() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    let id = set(
        &relay,
        json!({ "kind": "latency", "delay": 150, "jitter": 50, "direction": "toListener" }),
    );
    let started = Instant::now();
    for n in 0..20 {
        sender.send(Message::text(n.to_string())).await.unwrap();
    }
    for n in 0..20 {
        assert_eq!(next(&mut listener).await.to_text().unwrap(), n.to_string());
        assert!(started.elapsed() >= Duration::from_millis(100));
    }
    // The other way is as fast as ever, and the pongs on the late way are late, too.
    listener.send(Message::text("back")).await.unwrap();
    assert_eq!(next(&mut sender).await.to_text().unwrap(), "back");
    relay.emulator.remove_fault(id);
    set(
        &relay,
        json!({ "kind": "bandwidth", "bytesPerSecond": 100_000 }),
    );
    let started = Instant::now();
    sender.send(Message::binary(vec![7; 50_000])).await.unwrap();
    assert_eq!(next(&mut listener).await.len(), 50_000);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(450), "{took:?}");
    relay.emulator.clear_faults();
    // What waits still arrives before the close frame.
    set(&relay, json!({ "kind": "latency", "delay": 100 }));
    let started = Instant::now();
    listener.send(Message::text("late")).await.unwrap();
    assert_eq!(next(&mut sender).await.to_text().unwrap(), "late");
    assert!(started.elapsed() >= Duration::from_millis(100));
    sender.send(Message::text("last")).await.unwrap();
    sender.close(None).await.unwrap();
    assert_eq!(next(&mut listener).await.to_text().unwrap(), "last");
    assert!(next(&mut listener).await.is_close());
}

#[tokio::test]
async fn a_slow_way_stops_its_writer() {
    let relay = Relay::start().await;
    let (mut sender, _listener) = relay.bare_pair().await;
    set(
        &relay,
        json!({ "kind": "bandwidth", "bytesPerSecond": 10_000 }),
    );
    fill(&mut sender).await;
}

#[tokio::test]
async fn frames_are_cut_into_slices_and_connections_after_some_bytes() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.bare_pair().await;
    let id = set(&relay, json!({ "kind": "slice", "bytes": 2 }));
    sender
        .write_all(&[0x81, 0x83, 0, 0, 0, 0, b'a', b'b', b'c'])
        .await
        .unwrap();
    let mut frames = [0; 7];
    within(listener.read_exact(&mut frames)).await.unwrap();
    assert_eq!(frames, [0x01, 2, b'a', b'b', 0x80, 1, b'c']);
    relay.emulator.remove_fault(id);
    set(
        &relay,
        json!({ "kind": "cutAfter", "bytes": 5, "direction": "toListener" }),
    );
    sender
        .write_all(&[0x82, 0x84, 0, 0, 0, 0, 1, 2, 3, 4])
        .await
        .unwrap();
    assert_eq!(rest(&mut listener).await, [0x82, 4, 1, 2, 3]);
    assert_eq!(rest(&mut sender).await, b"");
}

#[tokio::test]
async fn times_run_faster_and_the_clock_is_wrong() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    set(&relay, json!({ "kind": "clock", "seconds": 7200 }));
    // The token of an hour has ended, the grace of two minutes as well.
    set(&relay, json!({ "kind": "timers", "factor": 0.001 }));
    assert_eq!(next_close_code(&mut control).await.0, 1008);
    let target = "/$hc/hyco?sb-hc-action=listen";
    let head = relay.handshake_with(target, &relay.token("hyco")).await;
    assert_eq!(head.status, 401);
    assert!(head.reason.starts_with("ExpiredToken"), "{head:?}");
    relay.emulator.clear_faults();
    // The day ends, too: 86,400 s become less than one.
    set(&relay, json!({ "kind": "timers", "factor": 0.000_005 }));
    let rule = relay.emulator.rule();
    let token = relay.sign("hyco", rule.name(), rule.primary_key(), unix_now() + 10_000);
    let request = crate::support::with_headers(
        &relay.url("hyco?sb-hc-action=listen"),
        &[("ServiceBusAuthorization", &token)],
    );
    let mut control = relay.open(request).await.unwrap().0;
    loop {
        match next(&mut control).await {
            // The keep-alive of the relay runs faster as well.
            Message::Pong(_) => {}
            Message::Close(Some(frame)) => {
                assert_eq!(u16::from(frame.code), 1011);
                assert!(frame.reason.starts_with("NameRenewalFailed"));
                break;
            }
            message => panic!("{message:?}"),
        }
    }
}

#[tokio::test]
async fn a_fault_strikes_as_likely_as_it_says() {
    let relay = Relay::start().await;
    set(
        &relay,
        json!({ "kind": "refuse", "status": 500, "probability": 0.5 }),
    );
    let mut struck = 0;
    for _ in 0..100 {
        let token = relay.token("hyco");
        let head = relay.handshake_with("/$hc/hyco", &token).await;
        struck += u32::from(head.status == 500);
    }
    // Less likely than one in ten million otherwise.
    assert!((20..=80).contains(&struck), "{struck} of 100");
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused_by_name() {
    let relay = Relay::start().await;
    for (fault, named) in [
        (json!({}), "kind"),
        (json!({ "kind": "explode" }), "explode"),
        (json!({ "kind": "drop" }), "on"),
        (json!({ "kind": "drop", "on": "everything" }), "everything"),
        (
            json!({ "kind": "drop", "on": "control", "code": 1000 }),
            "code",
        ),
        (
            json!({ "kind": "close", "on": "control", "code": 1006 }),
            "code",
        ),
        (json!({ "kind": "refuse" }), "status"),
        (json!({ "kind": "refuse", "status": 101 }), "status"),
        (
            json!({ "kind": "refuse", "status": 503, "count": 0 }),
            "count",
        ),
        (json!({ "kind": "latency" }), "delay"),
        (json!({ "kind": "latency", "delay": -1 }), "-1"),
        (
            json!({ "kind": "latency", "delay": 1, "probability": 2 }),
            "probability",
        ),
        (json!({ "kind": "slice", "bytes": 0 }), "bytes"),
        (json!({ "kind": "timers", "factor": 0 }), "factor"),
        (json!({ "kind": "timers", "factor": 1e-300 }), "factor"),
        (
            json!({ "kind": "clock", "seconds": 1, "count": 1 }),
            "count",
        ),
        (json!({ "kind": "swallowAccept", "dealy": 1 }), "dealy"),
    ] {
        let (status, body) = post(&relay, "faults", fault.clone());
        assert_eq!(status, 400, "{fault}: {body}");
        assert!(body.contains(named), "{fault}: {body}");
    }
    assert_eq!(get(&relay, "faults"), json!([]));
}

#[tokio::test]
async fn no_times_lock_the_administration() {
    let relay = Relay::start().await;
    set(&relay, json!({ "kind": "timers", "factor": 1e-6 }));
    // The ten seconds for a handshake would be ten microseconds.
    let mut stream = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    stream
        .write_all(
            b"DELETE /$admin/faults HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(get(&relay, "faults"), json!([]));
}
