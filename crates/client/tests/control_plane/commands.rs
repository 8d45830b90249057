//! What the relay says on the control channel, well-formed and not.

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{Observed, Relay, Visit};

async fn online() -> (Relay, Observed, Visit) {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
    let visit = observed.come_online(&relay).await;
    (relay, observed, visit)
}

#[tokio::test]
async fn an_accept_announces_a_sender() {
    let (_relay, mut observed, mut visit) = online().await;
    visit
        .say(
            r#"{"accept":{"address":"wss:\/\/g17.example\/$hc\/hyco?sb-hc-action=accept&sb-hc-id=1_G17_G30",
            "id":"1_G17_G30","connectHeaders":{"Host":"ns:443","X-Custom":"a, b"},
            "remoteEndpoint":{"address":"73.83.210.109","port":62917}}}"#,
        )
        .await;
    let accept = observed.accept().await;
    assert_eq!(accept.id, "1_G17_G30");
    assert_eq!(
        accept.address,
        "wss://g17.example/$hc/hyco?sb-hc-action=accept&sb-hc-id=1_G17_G30"
    );
    let header = |at: usize| (accept.headers[at].0.as_str(), accept.headers[at].1.as_str());
    assert_eq!(
        (header(0), header(1)),
        (("Host", "ns:443"), ("X-Custom", "a, b"))
    );
    assert_eq!(
        (accept.remote_address.as_str(), accept.remote_port),
        ("73.83.210.109", 62917)
    );
}

#[tokio::test]
async fn members_may_be_missing_c25() {
    let (_relay, mut observed, mut visit) = online().await;
    visit
        .say(r#"{"accept":{"address":"wss:\/\/g17.example\/x","id":"1"}}"#)
        .await;
    let accept = observed.accept().await;
    assert_eq!(accept.address, "wss://g17.example/x");
    assert!(accept.headers.is_empty());
    assert_eq!(
        (accept.remote_address.as_str(), accept.remote_port),
        ("", 0)
    );
}

#[tokio::test]
async fn what_is_not_understood_is_ignored_c24() {
    let (relay, mut observed, mut visit) = online().await;
    for text in [
        "",
        "nonsense",
        "[]",
        "{}",
        r#"{"injectFault":{"delay":"1"}}"#,
        r#"{"accept":{}}"#,
    ] {
        visit.say(text).await;
    }
    visit
        .socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .unwrap();
    visit.say(relay.accept_command("after all that")).await;
    assert_eq!(observed.accept().await.id, "after all that");
}

#[tokio::test]
async fn a_command_may_come_in_fragments_with_control_frames_between_c23() {
    let (relay, mut observed, mut visit) = online().await;
    let command = relay.accept_command("whole");
    let (first, last) = command.split_at(20);
    let part = |text: &str, code, fin| {
        Message::Frame(Frame::message(
            text.as_bytes().to_vec(),
            OpCode::Data(code),
            fin,
        ))
    };
    visit
        .socket
        .feed(part(first, Data::Text, false))
        .await
        .unwrap();
    visit
        .socket
        .feed(Message::Ping(b"between".as_slice().into()))
        .await
        .unwrap();
    visit
        .socket
        .feed(part("", Data::Continue, false))
        .await
        .unwrap();
    visit
        .socket
        .feed(part(last, Data::Continue, true))
        .await
        .unwrap();
    visit.socket.flush().await.unwrap();
    assert_eq!(observed.accept().await.id, "whole");
}

#[tokio::test]
async fn an_undecided_accept_does_not_delay_others_c26() {
    let (relay, mut observed, mut visit) = online().await;
    for id in ["1", "2", "3"] {
        visit.say(relay.accept_command(id)).await;
    }
    let mut numbers = Vec::new();
    for id in ["1", "2", "3"] {
        let accept = observed.accept().await;
        assert_eq!(accept.id, id);
        numbers.push(accept.accept);
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

#[tokio::test]
async fn senders_beyond_the_bound_are_rejected_with_503_c38() {
    let (relay, mut observed, mut visit) = online().await;
    for number in 0..4096 {
        visit
            .socket
            .feed(Message::text(relay.accept_command(&number.to_string())))
            .await
            .unwrap();
    }
    visit.say(relay.accept_command("too-many")).await;
    for _ in 0..4096 {
        observed.accept().await;
    }
    let head = relay.refuse("410 Gone").await;
    assert!(
        head.contains("sb-hc-id=too-many&sb-hc-statusCode=503"),
        "{head}"
    );
}

#[tokio::test]
async fn a_message_of_more_than_a_mebibyte_ends_the_channel_and_one_of_that_is_ignored() {
    let (relay, mut observed, mut visit) = online().await;
    visit.say("x".repeat(1024 * 1024)).await;
    visit.say(relay.accept_command("1")).await;
    assert_eq!(observed.accept().await.id, "1");
    // The listener may leave before it has all of it.
    let more = Message::text("x".repeat(1024 * 1024 + 1));
    drop(visit.socket.send(more).await);
    assert_eq!(
        observed.offline().await.error.code(),
        "HYCO_ERR_CONNECTION_LOST"
    );
}
