//! Counted faults: what a relay may do to a listener, many times over.

use std::time::Duration;

use hyco_client::ListenerEvent;
use tokio::time::timeout;

use crate::support::{Observed, PATIENCE, Relay};

const MUTATIONS: u32 = 100_000;
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
    for _ in 0..MUTATIONS {
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
    timeout(60 * PATIENCE, last)
        .await
        .expect("the channel is stuck");
    let second = timeout(Duration::from_millis(1), relay.tcp()).await;
    assert!(second.is_err(), "another channel");
}

/// What a status means for the first try: whether no other follows, and whether somebody has to be told.
fn first_verdict(status: u16, is_from_service: bool) -> (bool, bool) {
    match status {
        404 => (true, true),
        400 => (is_from_service, true),
        401 | 403 => (false, true),
        _ => (false, false),
    }
}

#[tokio::test]
async fn every_status_at_the_first_try_is_judged_by_the_table_c13() {
    let relay = Relay::bind().await;
    for is_from_service in [false, true] {
        for status in 400..600 {
            let reason = match is_from_service {
                true => "Whatever. TrackingId:a_G1, SystemTracker:x",
                false => "Whatever",
            };
            let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
            assert_eq!(observed.connecting().await, 1);
            relay.refuse(&format!("{status} {reason}")).await;
            let offline = observed.offline().await;
            let expected = first_verdict(status, is_from_service);
            assert_eq!(
                (offline.is_final, offline.is_fatal),
                expected,
                "{status} {reason}"
            );
            assert_eq!(offline.error.status(), Some(status));
            observed.listener.close();
            // A try that follows at once finds nobody; what it tells does not matter.
            while observed.event().await.is_some() {}
        }
    }
}
