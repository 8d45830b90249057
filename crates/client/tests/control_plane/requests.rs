//! Relayed HTTP requests, which are answered 501 so that their senders need not wait.

use futures_util::SinkExt;
use hyco_protocol::Reply;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Observed, Relay, Visit};

const TEXT: &str = "This listener relays WebSockets and does not serve HTTP requests.\n";

fn request(id: &str, body: bool) -> String {
    format!(
        r#"{{"request":{{"address":"ws://127.0.0.1:1/","id":"{id}","requestTarget":"/hyco","method":"POST","requestHeaders":{{}},"body":{body}}}}}"#
    )
}

async fn hear_refusal(visit: &mut Visit, id: &str) {
    let text = visit.hear_text().await;
    let Ok(Reply::Response(response)) = Reply::parse(&text) else {
        panic!("no response: {text}");
    };
    assert_eq!(
        (response.request_id.as_str(), response.status_code),
        (id, 501)
    );
    assert!(response.status_description.unwrap().contains("TrackingId:"));
    // The body is the next message, whatever else goes on (C43).
    assert_eq!(visit.hear().await, Message::binary(TEXT.as_bytes()));
}

#[tokio::test]
async fn a_request_is_answered_501_on_the_control_channel_c43_c50() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
    let mut visit = observed.come_online(&relay).await;
    visit.say(request("1", false)).await;
    hear_refusal(&mut visit, "1").await;
    visit.say(request("2", true)).await;
    visit
        .socket
        .send(Message::binary(b"body".as_slice()))
        .await
        .unwrap();
    visit.say(request("3", true)).await;
    visit
        .socket
        .send(Message::binary(b"".as_slice()))
        .await
        .unwrap();
    hear_refusal(&mut visit, "2").await;
    hear_refusal(&mut visit, "3").await;
    visit.say(relay.accept_command("still here")).await;
    assert_eq!(observed.accept().await.id, "still here");
}

#[tokio::test]
async fn a_large_request_is_answered_501_where_it_lies_c41_c46() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
    let mut visit = observed.come_online(&relay).await;
    let address = relay.address("/$hc/hyco?sb-hc-action=request&sb-hc-id=9");
    visit
        .say(format!(r#"{{"request":{{"address":"{address}"}}}}"#))
        .await;

    let mut rendezvous = relay.open().await;
    assert_eq!(
        rendezvous.request.uri(),
        "/$hc/hyco?sb-hc-action=request&sb-hc-id=9"
    );
    assert_eq!(rendezvous.header("ServiceBusAuthorization"), None);
    rendezvous.say(request("9", true)).await;
    // Larger than the listener would hold; it is taken off the connection all the same.
    rendezvous
        .socket
        .send(Message::binary(vec![7; 4 * 1024 * 1024]))
        .await
        .unwrap();
    hear_refusal(&mut rendezvous, "9").await;
    let Message::Close(Some(frame)) = rendezvous.hear().await else {
        panic!("no close");
    };
    assert_eq!(u16::from(frame.code), 1000);
}
