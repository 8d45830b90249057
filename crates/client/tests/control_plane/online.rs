//! Coming online, staying online, closing.

use std::time::Duration;

use hyco_client::ListenOptions;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Observed, Relay};

const LISTEN: &str = "/$hc/hyco?sb-hc-action=listen";
const GUID: &str = "ca496b91-f5a3-4761-8eda-9a66dd9a2558";

fn patient(_: &mut ListenOptions) {}

#[tokio::test]
async fn the_101_is_the_registration_c10_c11_c12() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.id = Some(GUID.to_owned());
        options.user_agent = Some("hyco-rs/test".to_owned());
    });
    assert_eq!(observed.connecting().await, 1);
    let visit = relay.open().await;
    assert_eq!(observed.online().await.as_deref(), Some("relay_G1"));
    let target = visit.request.uri().path_and_query().unwrap();
    assert_eq!(target.as_str(), format!("{LISTEN}&sb-hc-id={GUID}"));
    assert_eq!(visit.header("ServiceBusAuthorization"), Some("secret"));
    assert_eq!(visit.header("User-Agent"), Some("hyco-rs/test"));
    assert_eq!(visit.header("Sec-WebSocket-Extensions"), None);
}

#[tokio::test]
async fn closing_sends_1000_and_waits_for_the_relay_c17() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), patient);
    let mut visit = observed.come_online(&relay).await;
    observed.listener.close();
    let Message::Close(Some(frame)) = visit.hear().await else {
        panic!("no close");
    };
    assert_eq!(u16::from(frame.code), 1000);
    visit.finish().await;
    observed.closed().await;
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_c17() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.keep_alive = None;
    });
    let visit = observed.come_online(&relay).await;
    // Not before: a clock that does not wait for the network would end the handshake.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    observed.listener.close();
    observed.closed().await;
    assert_eq!(started.elapsed().as_secs(), 5);
    drop(visit);
}

#[tokio::test]
async fn closing_ends_an_attempt_to_connect_c17() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), patient);
    observed.connecting().await;
    let silent = relay.tcp().await;
    observed.listener.close();
    observed.listener.close();
    observed.closed().await;
    drop(silent);
}

#[tokio::test]
async fn closing_ends_the_wait_for_the_next_attempt_c17() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.reconnect.schedule.delays = vec![Duration::from_secs(3600)];
    });
    observed.connecting().await;
    relay.refuse("503 Busy").await;
    assert_eq!(observed.offline().await.delay, Duration::from_secs(3600));
    observed.listener.close();
    observed.closed().await;
}

#[tokio::test]
async fn a_silent_relay_is_pinged_and_then_given_up_c21() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        // A machine that stands still for less than this is not taken for a silent relay.
        options.keep_alive = Some(Duration::from_secs(2));
    });
    let mut visit = observed.come_online(&relay).await;
    // Reading answers the Ping, which is a sign of life.
    for _ in 0..3 {
        assert!(visit.hear().await.is_ping());
    }
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_CONNECTION_LOST");
    assert!(
        offline.error.to_string().contains("no sign of life"),
        "{}",
        offline.error
    );
    assert_eq!((offline.attempt, offline.is_final), (0, false));
}

#[tokio::test]
async fn pongs_and_pings_of_the_relay_keep_the_channel_alive_c22() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.keep_alive = Some(Duration::from_secs(5));
    });
    let mut visit = observed.come_online(&relay).await;
    let pong = Message::Pong(b"unsolicited".as_slice().into());
    futures_util::SinkExt::send(&mut visit.socket, pong)
        .await
        .unwrap();
    let ping = Message::Ping(b"hello".as_slice().into());
    futures_util::SinkExt::send(&mut visit.socket, ping)
        .await
        .unwrap();
    assert_eq!(
        visit.hear().await,
        Message::Pong(b"hello".as_slice().into())
    );
    visit.say(relay.accept_command("1")).await;
    assert_eq!(observed.accept().await.id, "1");
}

#[tokio::test]
async fn silence_of_two_intervals_ends_the_channel_whenever_it_began_c21() {
    let relay = Relay::bind().await;
    // Long, so that a machine that stands still does not let a second beat in.
    let period = Duration::from_secs(2);
    let mut observed = Observed::listen(&relay.address(LISTEN), |options| {
        options.keep_alive = Some(period);
    });
    let mut visit = observed.come_online(&relay).await;
    // The last sign of life comes between two beats that are counted from the start.
    tokio::time::sleep(period / 4).await;
    visit.say(relay.accept_command("1")).await;
    observed.accept().await;
    let mut silent = visit.socket.into_inner();
    let offline = observed.offline().await;
    assert!(offline.error.to_string().contains("no sign of life"));
    let mut frames = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut frames)
        .await
        .unwrap();
    let pings = frames.chunks(6).filter(|frame| frame[0] == 0x89).count();
    assert_eq!(pings, 1, "one Ping after the first interval: {frames:?}");
}
