//! Listeners come and go.

use std::{collections::HashSet, time::Duration};

use futures_util::SinkExt;
use hyco_emulator::{EmulatorOptions, Timing, TlsOptions};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Relay, next_accept, next_close_code, rest, with_headers};

#[tokio::test]
async fn one_listener_too_many_is_refused_until_another_leaves_e14() {
    let relay = Relay::start().await;
    let mut controls = Vec::new();
    for _ in 0..25 {
        controls.push(relay.listen().await);
    }
    let token = relay.token("hyco");
    let target = "/$hc/hyco?sb-hc-action=listen";
    let head = relay.handshake_with(target, &token).await;
    assert_eq!(
        (head.status, head.reason.starts_with("QuotaExceeded: ")),
        (403, true),
        "{head:?}"
    );

    let mut leaving = controls.pop().unwrap();
    leaving.close(None).await.unwrap();
    assert_eq!(next_close_code_or_none(&mut leaving).await, None);
    controls.push(relay.listen().await);

    // Without a close frame the relay learns it from the end of the connection.
    drop(controls.pop());
    while relay.handshake_with(target, &token).await.status != 101 {}
}

async fn next_close_code_or_none(socket: &mut crate::support::Socket) -> Option<u16> {
    crate::support::next_close(socket)
        .await
        .map(|frame| frame.code.into())
}

#[tokio::test]
async fn an_offer_of_compression_is_not_answered_e15() {
    let relay = Relay::start().await;
    let token = relay.token("hyco");
    let headers = format!(
        "ServiceBusAuthorization: {token}\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    );
    let head = relay
        .handshake("/$hc/hyco?sb-hc-action=listen", &headers)
        .await;
    assert_eq!(
        (head.status, head.header("Sec-WebSocket-Extensions")),
        (101, None)
    );

    let mut control = relay.listen().await;
    let mut sender = relay
        .raw_connect(
            "/$hc/hyco",
            "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        )
        .await;
    let accept = next_accept(&mut control).await;
    assert_eq!(
        accept["connectHeaders"]["Sec-WebSocket-Extensions"],
        "permessage-deflate"
    );
    let (_listener, _) = relay.dial(&accept).await.unwrap();
    let head = crate::support::read_head(&mut sender).await;
    assert_eq!(
        (head.status, head.header("Sec-WebSocket-Extensions")),
        (101, None)
    );
}

#[tokio::test]
async fn senders_are_spread_over_the_listeners_e20() {
    let relay = Relay::start().await;
    let mut one = relay.listen().await;
    let mut other = relay.listen().await;
    let mut chosen = [0; 2];
    for _ in 0..200 {
        let sender = relay.connect();
        tokio::select! {
            _ = next_accept(&mut one) => chosen[0] += 1,
            _ = next_accept(&mut other) => chosen[1] += 1,
        }
        sender.abort();
    }
    assert!(chosen.iter().all(|&count| count > 50), "{chosen:?}");
}

#[tokio::test]
async fn a_sender_can_choose_and_exclude_listeners_e21() {
    let relay = Relay::start().await;
    let ids = [
        "7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11",
        "7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c22",
    ];
    let listen = async |id| {
        relay
            .listen_at(&format!("hyco?sb-hc-action=listen&sb-hc-id={id}"))
            .await
    };
    let mut one = listen(ids[0]).await;
    let mut other = listen(ids[1]).await;
    let connect = |name: &str, value: &str| {
        let token = relay.token("hyco");
        let headers = [("ServiceBusAuthorization", &*token), (name, value)];
        tokio::spawn(relay.open(with_headers(&relay.url("hyco"), &headers)))
    };
    let upper = ids[0].to_uppercase();
    let both = format!("{}, {}", ids[0], ids[1]);
    for _ in 0..10 {
        let sender = connect("Microsoft-Relay-AllowedListeners", &upper);
        let accept = next_accept(&mut one).await;
        let names: HashSet<_> = accept["connectHeaders"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert!(
            !names.iter().any(|name| name.contains("Relay")),
            "{names:?}"
        );
        sender.abort();
        let sender = connect("Microsoft-Relay-DisallowedListeners", ids[0]);
        next_accept(&mut other).await;
        sender.abort();
    }
    let token = relay.token("hyco");
    let headers = format!(
        "ServiceBusAuthorization: {token}\r\nMicrosoft-Relay-DisallowedListeners: {both}\r\n"
    );
    let head = relay.handshake("/$hc/hyco", &headers).await;
    assert_eq!(head.status, 404);
    let text =
        "None of the connected listeners meet the AllowedListeners/DisallowedListeners criteria";
    assert!(head.reason.starts_with(text), "{head:?}");
}

#[tokio::test]
async fn closing_the_emulator_closes_everything_e28() {
    let relay = Relay::with(EmulatorOptions::default()).await;
    let mut control = relay.listen().await;
    let (mut sender, mut listener) = relay.pair_by(&mut control).await;
    let waiting = relay.connect();
    next_accept(&mut control).await;
    sender.send(Message::text("before")).await.unwrap();
    assert_eq!(
        crate::support::next(&mut listener).await,
        Message::text("before")
    );

    let address = relay.emulator.local_addr();
    let ((), control, sender, listener) = tokio::join!(
        relay.emulator.close(),
        next_close_code(&mut control),
        next_close_code(&mut sender),
        next_close_code(&mut listener),
    );
    assert_eq!((control.0, sender.0, listener.0), (1001, 1001, 1001));
    assert!(waiting.await.unwrap().is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_emulator_ends_too_e28() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    drop(relay);
    assert_eq!(next_close_code(&mut control).await.0, 1001);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let timing = Timing {
        handshake: Duration::from_millis(100),
        ..Timing::default()
    };
    for tls in [None, Some(TlsOptions::Generated)] {
        let relay = Relay::with(EmulatorOptions {
            timing,
            tls,
            ..EmulatorOptions::default()
        })
        .await;
        let address = relay.emulator.local_addr();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /$hc/hyco HTTP/1.1\r\nHost:")
            .await
            .unwrap();
        rest(&mut silent).await;
        rest(&mut slow).await;
    }
}
