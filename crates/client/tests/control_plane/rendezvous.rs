//! Meeting senders and turning them away.

use std::time::Duration;

use hyco_client::{Error, rendezvous};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Observed, Relay, dialer, read_head};

const ADDRESS: &str = "/$hc/hyco/a%2Fb?x=%c3&sb-hc-action=accept&sb-hc-id=1_G17_G30";
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_address_is_dialled_as_it_stands_without_token_c27_c29() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let accept = rendezvous::accept(&dialer, address, None, Vec::new(), TIMEOUT);
    let (accepted, visit) = tokio::join!(accept, relay.open());
    let accepted = accepted.unwrap();
    assert_eq!(accepted.protocol, None);
    assert_eq!(accepted.tracking_id.as_deref(), Some("relay_G1"));
    assert_eq!(visit.request.uri().to_string(), ADDRESS);
    assert_eq!(
        visit.header("Host"),
        Some(format!("127.0.0.1:{}", relay.port()).as_str())
    );
    for absent in [
        "ServiceBusAuthorization",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ] {
        assert_eq!(visit.header(absent), None);
    }
}

#[tokio::test]
async fn a_chosen_sub_protocol_is_sent_c30() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let accept = rendezvous::accept(
        &dialer,
        address,
        Some("chat".to_owned()),
        Vec::new(),
        TIMEOUT,
    );
    let (accepted, visit) = tokio::join!(accept, relay.open());
    assert_eq!(visit.header("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(accepted.unwrap().protocol.as_deref(), Some("chat"));
}

#[tokio::test]
async fn a_rejection_is_confirmed_by_410_c31_c33() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let text = Some("No\r\nway: é");
    let reject = rendezvous::reject(&dialer, &address, 403, text, TIMEOUT);
    let (rejected, head) = tokio::join!(reject, relay.refuse("410 Gone"));
    rejected.unwrap();
    let line = format!(
        "GET {ADDRESS}&sb-hc-statusCode=403&sb-hc-statusDescription=No%20%20way%3A%20%3F HTTP/1.1"
    );
    assert_eq!(head.lines().next(), Some(line.as_str()));
}

#[tokio::test]
async fn other_answers_to_a_rejection_are_errors_c31() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let reject = || rendezvous::reject(&dialer, &address, 500, None, TIMEOUT);
    let (rejected, head) = tokio::join!(reject(), relay.refuse("403 Forbidden"));
    assert_eq!(rejected.unwrap_err().code(), "HYCO_ERR_SENDER_GONE");
    assert!(head.contains("&sb-hc-statusCode=500 HTTP/1.1"), "{head}");
    let (rejected, _) = tokio::join!(reject(), relay.open());
    assert_eq!(rejected.unwrap_err().code(), "HYCO_ERR_PROTOCOL");
    let impossible = rendezvous::reject(&dialer, &address, 99, None, TIMEOUT).await;
    assert_eq!(impossible.unwrap_err().code(), "HYCO_ERR_INVALID_REJECTION");
}

#[tokio::test]
async fn a_dead_address_means_that_the_sender_is_gone_c28() {
    let relay = Relay::bind().await;
    for status in ["400 Unknown", "403 Expired", "404 Not Found", "410 Gone"] {
        let (dialer, address) = (dialer(), relay.address(ADDRESS));
        let accept = rendezvous::accept(&dialer, address, None, Vec::new(), TIMEOUT);
        let (accepted, _) = tokio::join!(accept, relay.refuse(status));
        let error = accepted.unwrap_err();
        assert_eq!(error.code(), "HYCO_ERR_SENDER_GONE");
        assert_eq!(error.to_string(), format!("the sender is gone: {status}"));
    }
}

#[tokio::test]
async fn a_silent_relay_is_not_waited_for_c28() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let timeout = Duration::from_secs(1);
    let accept = rendezvous::accept(&dialer, address, None, Vec::new(), timeout);
    let (accepted, _silent) = tokio::join!(accept, relay.tcp());
    let error = accepted.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_TIMEOUT");
    assert_eq!(
        error.to_string(),
        "opening handshake has timed out after 1000 ms"
    );
}

#[tokio::test]
async fn an_accept_is_decided_once_and_outlives_the_control_channel_c18() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
    let mut visit = observed.come_online(&relay).await;
    visit.say(relay.accept_command("1")).await;
    let number = observed.accept().await.accept;
    let accept = observed.listener.accept(number, None, Vec::new());
    let twice = observed.listener.reject(number, 400, None);
    assert!(matches!(twice.await, Err(Error::SenderGone(None))));
    drop(visit);
    observed.offline().await;
    let reconnected = relay.open().await;

    let (accepted, mut met) = tokio::join!(accept, relay.open());
    let mut stream = accepted.unwrap().stream;
    observed.listener.close();
    drop(reconnected);
    stream.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
    assert_eq!(met.hear_text().await, "");
}

#[tokio::test]
async fn bytes_right_behind_the_101_are_not_lost() {
    let relay = Relay::bind().await;
    let (dialer, address) = (dialer(), relay.address(ADDRESS));
    let accept = rendezvous::accept(&dialer, address, None, Vec::new(), TIMEOUT);
    let serve = async {
        let mut stream = relay.tcp().await;
        let head = read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n\u{1}first"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.write_all(b"second").await.unwrap();
    };
    let (accepted, ()) = tokio::join!(accept, serve);
    let mut accepted = accepted.unwrap();
    let mut all = accepted.rest;
    accepted.stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"\x01firstsecond");
}

#[tokio::test]
async fn beyond_the_bound_of_undecided_senders_all_are_told_503_c38() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.max_pending_accepts = 2;
    });
    let mut visit = observed.come_online(&relay).await;
    for number in 0..402 {
        visit.say(relay.accept_command(&number.to_string())).await;
    }
    for number in 0..2 {
        assert_eq!(observed.accept().await.id, number.to_string());
    }
    // More than are told at once.
    for _ in 0..400 {
        let head = relay
            .answer("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert!(head.contains("sb-hc-statusCode=503"), "{head}");
    }
}

#[tokio::test]
async fn beyond_the_bound_of_rendezvous_the_sender_is_told_503() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.max_concurrent_dials = 1;
    });
    let mut visit = observed.come_online(&relay).await;
    visit.say(relay.accept_command("1")).await;
    visit.say(relay.accept_command("2")).await;
    let first = observed.accept().await.accept;
    let second = observed.accept().await.accept;
    let first = tokio::spawn(observed.listener.accept(first, None, Vec::new()));
    let dialling = relay.tcp().await;
    let second = tokio::spawn(observed.listener.accept(second, None, Vec::new()));
    let head = relay
        .answer("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(head.contains("sb-hc-statusCode=503"), "{head}");
    assert_eq!(second.await.unwrap().unwrap_err().code(), "HYCO_ERR_BUSY");
    drop(dialling);
    assert!(first.await.unwrap().is_err());
}
