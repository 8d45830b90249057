//! How long a side may take nothing: its clock starts anew whenever it takes something.

use std::time::Duration;

use hyco_emulator::{EmulatorOptions, Fault};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
    time::{advance, pause, resume, timeout},
};

use crate::support::{Relay, within};

/// How long a side may take nothing here, a part of that, and a little more than all of it.
const LIMIT: Duration = Duration::from_secs(60 * 60);
const PART: Duration = Duration::from_secs(40 * 60);
const MORE: Duration = Duration::from_secs(61 * 60);

/// Lets what is due be done.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Lets time pass in which nothing happens.
async fn pass(time: Duration) {
    settle().await;
    pause();
    advance(time).await;
    resume();
    settle().await;
}

/// Writes until no more is taken, three times in a row: once may be a machine that is busy elsewhere.
async fn fill(sender: &mut TcpStream) {
    let block = [7; 64 * 1024];
    let mut refused = 0;
    while refused < 3 {
        match timeout(Duration::from_millis(100), sender.write(&block)).await {
            Ok(written) => {
                written.unwrap();
                refused = 0;
            }
            Err(_) => refused += 1,
        }
    }
}

/// A sender whose listener takes nothing, so that it is stopped within a frame without end.
async fn stopped() -> (Relay, TcpStream, TcpStream) {
    let mut options = EmulatorOptions::default();
    options.timing.send = LIMIT;
    let relay = Relay::with(options).await;
    let (mut sender, listener) = relay.bare_pair().await;
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(1u64 << 40).to_be_bytes());
    head.extend_from_slice(&[0, 0, 0, 0]);
    sender.write_all(&head).await.unwrap();
    fill(&mut sender).await;
    (relay, sender, listener)
}

/// The listener takes something, until the sender can go on.
async fn take(sender: &mut TcpStream, listener: &mut TcpStream) {
    let mut space = vec![0; 64 * 1024];
    loop {
        let count = within(listener.read(&mut space)).await.unwrap();
        assert!(count > 0, "the connection has ended");
        if let Ok(written) = timeout(Duration::from_millis(5), sender.write(&[7])).await {
            return assert_eq!(written.unwrap(), 1);
        }
    }
}

fn is_open(relay: &Relay) -> bool {
    let open = relay.emulator.handle().request("GET", "connections", b"");
    open.unwrap().body != "[]"
}

#[tokio::test]
async fn a_side_that_takes_something_now_and_then_may_be_slow_for_ever() {
    let (relay, mut sender, mut listener) = stopped().await;
    for _ in 0..3 {
        pass(PART).await;
        take(&mut sender, &mut listener).await;
        fill(&mut sender).await;
    }
    assert!(is_open(&relay));
    pass(MORE).await;
    let ended = async {
        while is_open(&relay) {
            yield_now().await;
        }
    };
    within(ended).await;
}

#[tokio::test]
async fn after_a_black_hole_a_side_has_all_of_its_time() {
    let (relay, mut sender, mut listener) = stopped().await;
    pass(PART).await;
    let hole = json!({ "kind": "blackHole", "on": "connection" });
    let hole: Fault = serde_json::from_value(hole).unwrap();
    let hole = relay.emulator.set_fault(hole).unwrap();
    pass(PART).await;
    assert!(is_open(&relay));
    relay.emulator.remove_fault(hole);
    pass(PART).await;
    assert!(is_open(&relay));
    take(&mut sender, &mut listener).await;
}
