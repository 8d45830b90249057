//! A listener meets a sender, or sends it away.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, future::join_all};
use hyco_emulator::{EmulatorOptions, Timing};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Relay, next, next_accept, ping, read_head, rest};

#[tokio::test]
async fn the_sender_gets_no_byte_before_the_listener_decides_e30() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay.raw_connect("/$hc/hyco", "").await;
    let accept = next_accept(&mut control).await;
    let mut byte = [0];
    assert!(
        timeout(Duration::from_millis(50), sender.peek(&mut byte))
            .await
            .is_err()
    );
    let dial = relay.raw_dial(&accept, "", "").await;
    let head = read_head(&mut sender).await;
    for head in [&dial, &head] {
        assert_eq!(head.status, 101);
        assert_eq!(head.header("Connection"), Some("Upgrade"));
        assert_eq!(head.header("Upgrade"), Some("websocket"));
        assert_eq!(
            head.header("Sec-WebSocket-Accept"),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert_eq!(head.header("TrackingId"), accept["id"].as_str());
        assert_eq!(head.header("Sec-WebSocket-Protocol"), None);
        assert_eq!(head.header("Sec-WebSocket-Extensions"), None);
    }
}

#[tokio::test]
async fn protocol_and_extensions_of_the_listener_are_the_answer_to_both_e31() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay
        .raw_connect(
            "/$hc/hyco",
            "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x-own\r\n",
        )
        .await;
    let accept = next_accept(&mut control).await;
    let headers = "Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: x-own; level=3\r\n";
    let dial = relay.raw_dial(&accept, "", headers).await;
    for head in [dial, read_head(&mut sender).await] {
        assert_eq!(head.header("Sec-WebSocket-Protocol"), Some("b"));
        assert_eq!(
            head.header("Sec-WebSocket-Extensions"),
            Some("x-own; level=3")
        );
    }
}

#[tokio::test]
async fn an_offer_of_the_listeners_library_is_no_answer_e31() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    const ANSWER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    for (offered, dialled, answered) in [
        ("", OFFER, None),
        ("", ANSWER, None),
        (OFFER, OFFER, None),
        (OFFER, ANSWER, Some("permessage-deflate")),
    ] {
        let mut sender = relay.raw_connect("/$hc/hyco", offered).await;
        let accept = next_accept(&mut control).await;
        let dial = relay.raw_dial(&accept, "", dialled).await;
        for head in [dial, read_head(&mut sender).await] {
            assert_eq!(head.status, 101);
            assert_eq!(head.header("Sec-WebSocket-Extensions"), answered);
        }
    }
}

#[tokio::test]
async fn a_rejection_reaches_the_sender_word_for_word_e32() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for (status, encoded, reason) in [
        (400, "Rejected%20by%20user%20code", "Rejected by user code"),
        (999, "a+b%2bc", "a b+c"),
        (503, "x%0d%0aSet-Cookie:%20a=b", "x  Set-Cookie: a=b"),
        (403, "Gr%c3%bc%c3%9fe", "Gr??e"),
    ] {
        let mut sender = relay.raw_connect("/$hc/hyco", "").await;
        let accept = next_accept(&mut control).await;
        let reject = format!("&sb-hc-statusCode={status}&sb-hc-statusDescription={encoded}");
        let dial = relay.raw_dial(&accept, &reject, "").await;
        assert_eq!((dial.status, &*dial.reason), (410, "Gone"));
        let head = read_head(&mut sender).await;
        assert_eq!((head.status, &*head.reason), (status, reason));
        assert_eq!(head.header("Content-Length"), Some("0"));
        assert_eq!(head.header("Connection"), Some("close"));
        assert_eq!(head.header("Set-Cookie"), None);
        assert_eq!(rest(&mut sender).await, b"");
    }
}

#[tokio::test]
async fn a_rejection_without_words_gets_those_of_its_status_e33() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for (status, answered, reason) in [
        (403, 403, "Forbidden"),
        (799, 799, ""),
        (101, 400, "Switching Protocols"),
    ] {
        let mut sender = relay.raw_connect("/$hc/hyco", "").await;
        let accept = next_accept(&mut control).await;
        let dial = relay
            .raw_dial(&accept, &format!("&sb-hc-statusCode={status}"), "")
            .await;
        assert_eq!(dial.status, 410);
        let head = read_head(&mut sender).await;
        assert_eq!((head.status, &*head.reason), (answered, reason));
    }
}

#[tokio::test]
async fn a_status_that_is_none_leaves_the_sender_to_its_deadline_e33() {
    let relay = Relay::with(quick_accept()).await;
    let mut control = relay.listen().await;
    let mut senders = Vec::new();
    for status in ["99", "1000", "abc", "-1", ""] {
        let sender = relay.raw_connect("/$hc/hyco", "").await;
        let accept = next_accept(&mut control).await;
        let dial = relay
            .raw_dial(&accept, &format!("&sb-hc-statusCode={status}"), "")
            .await;
        assert_eq!(dial.status, 400, "{status}");
        assert_eq!(relay.raw_dial(&accept, "", "").await.status, 403);
        senders.push(sender);
    }
    for sender in &mut senders {
        assert_eq!(read_head(sender).await.status, 504);
    }
}

#[tokio::test]
async fn short_names_reject_too_e34() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay.raw_connect("/$hc/hyco?statusCode=500", "").await;
    let accept = next_accept(&mut control).await;
    assert!(
        accept["address"]
            .as_str()
            .unwrap()
            .contains("statusCode=500&sb-hc-action=accept")
    );
    let dial = relay.raw_dial(&accept, "&statusDescription=no", "").await;
    assert_eq!(dial.status, 410);
    let head = read_head(&mut sender).await;
    assert_eq!((head.status, &*head.reason), (500, "no"));
}

#[tokio::test]
async fn an_address_works_once_and_for_a_limited_time_e35() {
    let relay = Relay::with(quick_accept()).await;
    let mut control = relay.listen().await;
    let sender = relay.connect();
    let accept = next_accept(&mut control).await;
    let (_listener, _) = relay.dial(&accept).await.unwrap();
    assert_eq!(relay.raw_dial(&accept, "", "").await.status, 403);
    let (_sender, _) = sender.await.unwrap().unwrap();

    let mut late = relay.raw_connect("/$hc/hyco", "").await;
    let accept = next_accept(&mut control).await;
    let head = read_head(&mut late).await;
    assert_eq!(head.status, 504);
    assert!(
        head.reason
            .starts_with("None of the connected listeners accepted"),
        "{head:?}"
    );
    let dial = relay.raw_dial(&accept, "", "").await;
    assert_eq!(
        (
            dial.status,
            dial.reason.starts_with("Unknown Connection ID")
        ),
        (403, true)
    );
    let dial = relay.raw_dial(&accept, "&sb-hc-statusCode=400", "").await;
    assert_eq!(dial.status, 403);
}

#[tokio::test]
async fn a_sender_that_leaves_is_forgotten_e36() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let target = "/$hc/hyco?sb-hc-id=7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11";
    // One that only stops sending has left as well; the end of its connection shows that this is known.
    let mut sender = relay.raw_connect(target, "").await;
    let accept = next_accept(&mut control).await;
    sender.shutdown().await.unwrap();
    assert_eq!(rest(&mut sender).await, b"");
    assert_eq!(relay.raw_dial(&accept, "", "").await.status, 403);

    drop(relay.raw_connect(target, "").await);
    next_accept(&mut control).await;
    // Its id is free as soon as it is forgotten.
    loop {
        let mut again = relay.raw_connect(target, "").await;
        tokio::select! {
            _ = next_accept(&mut control) => break,
            head = read_head(&mut again) => assert_eq!(head.status, 400),
        }
    }
}

#[tokio::test]
async fn a_hundred_senders_at_once_meet_their_own_listeners_e37() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let senders: Vec<_> = (0..100)
        .map(|n| relay.connect_at(&format!("hyco/{n}")))
        .collect();
    let mut accepts = Vec::new();
    for _ in 0..100 {
        accepts.push(next_accept(&mut control).await);
    }
    accepts.reverse();
    let _listeners = join_all(accepts.iter().map(async |accept| {
        let (mut listener, _) = relay.dial(accept).await.unwrap();
        let address = accept["address"].as_str().unwrap();
        let path = &address[address.find("/hyco/").unwrap() + 6..address.find('?').unwrap()];
        listener.send(Message::text(path)).await.unwrap();
        listener
    }))
    .await;
    for (n, sender) in senders.into_iter().enumerate() {
        let (mut sender, _) = sender.await.unwrap().unwrap();
        assert_eq!(next(&mut sender).await, Message::text(n.to_string()));
    }
}

#[tokio::test]
async fn an_id_cannot_wait_twice_e38() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for id in ["7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11", "no guid & odd"] {
        let id = id.replace(' ', "%20").replace('&', "%26");
        let target = format!("/$hc/hyco?sb-hc-id={id}");
        let mut sender = relay.raw_connect(&target, "").await;
        let accept = next_accept(&mut control).await;
        let mut second = relay.raw_connect(&target, "").await;
        let head = read_head(&mut second).await;
        assert_eq!(
            (
                head.status,
                head.reason.starts_with("Duplicate connection ID.")
            ),
            (400, true)
        );
        assert_eq!(relay.raw_dial(&accept, "", "").await.status, 101);
        assert_eq!(read_head(&mut sender).await.status, 101);
    }
}

#[tokio::test]
async fn a_dial_of_another_path_does_not_take_the_sender() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let sender = relay.connect();
    let accept = next_accept(&mut control).await;
    let address = accept["address"].as_str().unwrap();
    let query = &address[address.find('?').unwrap()..];
    assert_eq!(
        relay
            .handshake(&format!("/$hc/other{query}"), "")
            .await
            .status,
        403
    );
    assert_eq!(
        relay
            .handshake("/$hc/hyco?sb-hc-action=accept", "")
            .await
            .status,
        403
    );
    relay.dial(&accept).await.unwrap();
    sender.await.unwrap().unwrap();
}

#[tokio::test]
async fn odd_headers_on_a_dial_are_ignored_e45() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let sender = relay.connect();
    let accept = next_accept(&mut control).await;
    let headers = "0: Sec-WebSocket-Extensions: permessage-deflate\r\nX-Empty:\r\nServiceBusAuthorization: junk\r\n";
    assert_eq!(relay.raw_dial(&accept, "", headers).await.status, 101);
    let (sender, response) = sender.await.unwrap().unwrap();
    assert!(response.headers().get("sec-websocket-extensions").is_none());
    drop(sender);
}

#[tokio::test]
async fn what_a_sender_sends_early_is_not_lost() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay.raw_connect("/$hc/hyco", "").await;
    sender
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .await
        .unwrap();
    let accept = next_accept(&mut control).await;
    let (mut listener, _) = relay.dial(&accept).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("hi"));
}

#[tokio::test]
async fn the_loss_of_the_control_channel_leaves_relayed_sockets_alone_e46() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let (mut sender, mut listener) = relay.pair_by(&mut control).await;
    drop::<TcpStream>(control.into_inner());
    while relay
        .handshake_with("/$hc/hyco", &relay.token("hyco"))
        .await
        .status
        != 404
    {}
    sender.send(Message::text("still here")).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("still here"));
    ping(&mut listener).await;
    listener.close(None).await.unwrap();
    while sender.next().await.is_some() {}
}

/// Senders wait for less than usual, and still long enough for a listener on a busy machine.
fn quick_accept() -> EmulatorOptions {
    let timing = Timing {
        accept: Duration::from_secs(3),
        ..Timing::default()
    };
    EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    }
}
