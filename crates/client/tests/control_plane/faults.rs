//! Counted faults: what a relay may do to a listener, many times over.

use std::time::Duration;

use hyco_client::ListenerEvent;
use tokio::time::timeout;

use crate::support::{Observed, PATIENCE, Relay};

const LISTEN: &str = "/$hc/hyco?sb-hc-action=listen";

#[tokio::test]
async fn a_relay_that_is_killed_100_times_is_met_again_each_time_by_one_channel_c16() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    for _ in 0..100 {
        assert_eq!(observed.connecting().await, 1);
        let visit = relay.open().await;
        observed.online().await;
        // Another channel beside it would be waiting to be taken.
        let second = timeout(Duration::from_millis(1), relay.tcp()).await;
        assert!(second.is_err(), "two channels");
        drop(visit);
        let offline = observed.offline().await;
        assert!(!offline.is_final && offline.attempt == 0);
    }
}

#[tokio::test]
async fn no_close_code_ends_a_listener_c16() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4999,
    ] {
        observed.connecting().await;
        let mut visit = relay.open().await;
        observed.online().await;
        visit.close(code, "because").await;
        let offline = observed.offline().await;
        assert!(!offline.is_final, "{code}");
        assert_eq!(offline.error.code(), "HYCO_ERR_CONNECTION_LOST");
        visit.finish().await;
    }
}

#[tokio::test]
async fn mutated_commands_cost_no_channel_c24() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.max_pending_accepts = usize::MAX;
    });
    let mut visit = observed.come_online(&relay).await;
    let command = relay.accept_command("mutated");
    let mut state = 0x9e37_79b9_u32;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    for _ in 0..10_000 {
        let mut bytes = command.clone().into_bytes();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"{}[]\":,\\0"[random(9)]),
            }
        }
        visit
            .say(String::from_utf8_lossy(&bytes).into_owned())
            .await;
    }
    visit.say(relay.accept_command("the last one")).await;
    let last = async {
        loop {
            match observed.event().await {
                Some(ListenerEvent::Accept(accept)) if accept.id == "the last one" => break,
                Some(ListenerEvent::Accept(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(6 * PATIENCE, last)
        .await
        .expect("the channel is stuck");
}
