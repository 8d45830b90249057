//! Losing the control channel, and being refused.

use std::time::Duration;

use hyco_client::{ListenerEvent, Policy, TokenSource};

use crate::support::{Observed, Relay, pass};

const LISTEN: &str =
    "/$hc/hyco?sb-hc-action=listen&sb-hc-id=ca496b91-f5a3-4761-8eda-9a66dd9a2558_G1_G2";
const NOT_THERE: &str = "404 Endpoint does not exist. TrackingId:abc_G10, SystemTracker:sb://ns/hyco, Timestamp:5/7/2018 5:47:21 PM";

#[tokio::test]
async fn every_close_of_the_relay_leads_to_a_reconnect_c15_c16() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    for code in [1000, 1001, 1008, 1011] {
        assert_eq!(observed.connecting().await, 1);
        let mut visit = relay.open().await;
        let target = visit.request.uri().to_string();
        assert!(
            target.ends_with("sb-hc-id=ca496b91-f5a3-4761-8eda-9a66dd9a2558"),
            "{target}"
        );
        observed.online().await;
        visit.close(code, "going TrackingId:abc_G1, x").await;
        let offline = observed.offline().await;
        assert_eq!(
            (offline.attempt, offline.is_final, offline.is_fatal),
            (0, false, false)
        );
        let text = offline.error.to_string();
        assert!(text.contains(&code.to_string()), "{text}");
        assert_eq!(offline.error.tracking_id(), Some("abc_G1"));
        visit.finish().await;
    }
}

#[tokio::test]
async fn a_broken_connection_leads_to_a_reconnect_c16() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    drop(observed.come_online(&relay).await);
    let offline = observed.offline().await;
    assert!(
        offline.error.to_string().contains("1006"),
        "{}",
        offline.error
    );
    assert_eq!(offline.delay, Duration::ZERO);
    assert_eq!(observed.connecting().await, 1);
    let visit = relay.open().await;
    observed.online().await;
    drop(visit);
}

/// The pauses behind two losses in a row, of channels that lived so long each.
async fn pauses(life: Duration) -> [Duration; 2] {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.schedule.delays = vec![Duration::ZERO, Duration::from_secs(1)];
    });
    let mut pauses = [Duration::MAX; 2];
    for pause in &mut pauses {
        let visit = observed.come_online(&relay).await;
        pass(life).await;
        drop(visit);
        *pause = observed.offline().await.delay;
    }
    pauses
}

#[tokio::test]
async fn a_relay_that_drops_every_channel_at_once_is_not_dialled_in_a_hot_loop_c14() {
    let life = Duration::from_millis(300);
    loop {
        let started = std::time::Instant::now();
        let [first, second] = pauses(life).await;
        // A channel that a busy machine kept for a second counts as stable.
        if started.elapsed() < Duration::from_millis(600) {
            assert_eq!(first, Duration::ZERO);
            assert!(second >= Duration::from_secs(1), "{second:?}");
            break;
        }
    }
}

#[tokio::test]
async fn the_loss_of_a_channel_that_lived_for_a_second_is_answered_at_once_c14() {
    assert_eq!(pauses(Duration::from_secs(1)).await, [Duration::ZERO; 2]);
}

#[tokio::test]
async fn a_refused_token_is_tried_again_with_a_fresh_one_c13() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.token = TokenSource::Ask
    });
    assert_eq!(observed.connecting().await, 1);
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok("first".to_owned().into()));
    let head = relay
        .refuse("401 ExpiredToken: The token is expired. TrackingId:abc_G1, x")
        .await;
    assert!(head.contains("first"));
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_UNAUTHORIZED");
    assert_eq!(offline.error.status(), Some(401));
    assert_eq!(
        (offline.attempt, offline.is_final, offline.is_fatal),
        (1, false, true)
    );

    assert_eq!(observed.connecting().await, 2);
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok("second".to_owned().into()));
    let visit = relay.open().await;
    assert_eq!(visit.header("ServiceBusAuthorization"), Some("second"));
    observed.online().await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_exist_ends_the_listener_c13() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    observed.connecting().await;
    relay.refuse(NOT_THERE).await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_ENDPOINT_NOT_FOUND");
    assert_eq!(offline.error.tracking_id(), Some("abc_G10"));
    assert!(offline.is_final && offline.is_fatal);
    observed.closed().await;
}

#[tokio::test]
async fn an_endpoint_that_was_deleted_is_tried_slowly_c13() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    let mut visit = observed.come_online(&relay).await;
    visit.close(1001, "deleted").await;
    assert!(!observed.offline().await.is_final);
    visit.finish().await;
    observed.connecting().await;
    relay.refuse(NOT_THERE).await;
    let offline = observed.offline().await;
    assert!(!offline.is_final && !offline.is_fatal);
    let minutes = offline.delay.as_secs() / 60;
    assert!((5..=6).contains(&minutes), "{:?}", offline.delay);
    observed.listener.close();
    observed.closed().await;
}

#[tokio::test]
async fn a_bad_request_and_an_unusable_address_end_the_listener() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    observed.connecting().await;
    relay.refuse("400 Bad action. TrackingId:a_G1, x").await;
    let offline = observed.offline().await;
    assert!(offline.is_final && offline.is_fatal);
    observed.closed().await;

    let mut observed = Observed::listen("nonsense", |_| ());
    observed.connecting().await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_INVALID_ADDRESS");
    assert!(offline.is_final && offline.is_fatal);
    observed.closed().await;
}

#[tokio::test]
async fn trouble_of_the_service_is_waited_out() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    let statuses = [
        "500 Oops",
        "502 Bad Gateway",
        "503 Busy",
        "504 Late",
        "408 Late",
    ];
    for (failed, status) in (1..).zip(statuses) {
        assert_eq!(observed.connecting().await, failed);
        relay.refuse(status).await;
        let offline = observed.offline().await;
        assert_eq!(
            (offline.attempt, offline.is_final, offline.is_fatal),
            (failed, false, false)
        );
    }
    assert_eq!(observed.connecting().await, 6);
    drop(relay.open().await);
    observed.online().await;
}

#[tokio::test]
async fn without_a_policy_the_first_loss_is_the_last() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.policy = Policy::Never;
    });
    drop(observed.come_online(&relay).await);
    let offline = observed.offline().await;
    assert!(offline.is_final && !offline.is_fatal);
    observed.closed().await;
}

#[tokio::test]
async fn the_application_may_decide_when_to_come_back() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.policy = Policy::Ask;
    });
    drop(observed.come_online(&relay).await);
    for answer in [Some(Duration::from_millis(7)), None] {
        let Some(ListenerEvent::ReconnectDecision { request, error, .. }) = observed.event().await
        else {
            panic!("not asked");
        };
        assert!(!error.to_string().is_empty());
        observed.listener.decide_reconnect(request, answer);
        let offline = observed.offline().await;
        assert_eq!(offline.is_final, answer.is_none());
        if let Some(delay) = answer {
            assert_eq!(offline.delay, delay);
            observed.connecting().await;
            relay.refuse("503 Busy").await;
        }
    }
    observed.closed().await;
}

#[tokio::test]
async fn an_application_that_does_not_decide_in_a_minute_leaves_it_to_the_schedule() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.policy = Policy::Ask;
    });
    drop(observed.come_online(&relay).await);
    let asked = observed.event().await;
    let Some(ListenerEvent::ReconnectDecision { delay, .. }) = asked else {
        panic!("not asked: {asked:?}");
    };
    // Not before: a clock that does not wait for the network would end the handshake.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(50)).await;
    let offline = observed.offline().await;
    assert_eq!((offline.delay, offline.is_final), (delay, false));
    let waited = started.elapsed();
    assert!((59..=60).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn a_close_reason_that_echoes_the_token_does_not_show_it_c9() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    let mut visit = observed.come_online(&relay).await;
    visit.close(1008, "token secret has expired").await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.reason(), Some("token *** has expired"));
    visit.finish().await;
}

#[tokio::test]
async fn a_quota_is_named_and_waited_for() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    observed.connecting().await;
    relay
        .refuse(
            "403 QuotaExceeded: The maximum number of listeners is connected. TrackingId:a_G1, x",
        )
        .await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_QUOTA");
    assert!(!offline.is_final && !offline.is_fatal);
}

#[tokio::test]
async fn a_bare_400_is_waited_out() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |_| ());
    observed.connecting().await;
    relay.refuse("400 Bad Request").await;
    assert!(!observed.offline().await.is_final);
    observed.connecting().await;
    drop(relay.open().await);
    observed.online().await;
}

#[tokio::test]
async fn every_status_is_survived_after_having_been_online() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.schedule.delays = vec![Duration::ZERO];
    });
    drop(observed.come_online(&relay).await);
    assert!(!observed.offline().await.is_final);
    for (failed, status) in (1..).zip(400..600) {
        observed.connecting().await;
        relay
            .refuse(&format!("{status} Whatever. TrackingId:a_G1, x"))
            .await;
        let offline = observed.offline().await;
        assert_eq!(offline.attempt, failed, "{status}");
        assert!(!offline.is_final && !offline.is_fatal, "{status}");
        assert_eq!(offline.error.status(), Some(status));
    }
}

#[tokio::test]
async fn an_attempt_after_having_been_online_has_20_seconds() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.token = TokenSource::Ask;
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok("good".to_owned().into()));
    drop(relay.open().await);
    observed.online().await;
    observed.offline().await;
    observed.connecting().await;
    observed.token_request().await;
    // Not before: a clock that does not wait for the network would end the handshake.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(observed.offline().await.error.code(), "HYCO_ERR_TOKEN");
    // The attempt began a moment before the clock stood still.
    let waited = started.elapsed();
    assert!((15..=20).contains(&waited.as_secs()), "{waited:?}");
    assert!(waited <= Duration::from_millis(20_001), "{waited:?}");
}
