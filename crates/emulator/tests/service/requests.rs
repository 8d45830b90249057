//! HTTP requests whose listener falls silent or goes away, with short times: docs/protocol.md, 5.7.

use std::time::Duration;

use futures_util::SinkExt;
use hyco_emulator::{EmulatorOptions, Timing};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::support::{Relay, Socket, next, next_command, within};

const SHORT: Duration = Duration::from_secs(1);
/// Of a body: in this time a listener on a busy machine has dialled.
const GAP: Duration = Duration::from_secs(3);

async fn relay(change: impl FnOnce(&mut Timing)) -> Relay {
    let mut options = EmulatorOptions::default();
    change(&mut options.timing);
    Relay::with(options).await
}

/// A sender that has sent a request with that framing.
async fn send(relay: &Relay, framing: &str) -> TcpStream {
    let mut sender = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let head = format!(
        "POST /hyco HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\
         ServiceBusAuthorization: {}\r\n{framing}\r\n\r\n",
        relay.token("hyco"),
    );
    sender.write_all(head.as_bytes()).await.unwrap();
    sender
}

/// What the sender gets until its connection ends.
async fn answer(mut sender: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that breaks has ended as well.
    let _ = within(sender.read_to_end(&mut bytes)).await;
    String::from_utf8(bytes).unwrap()
}

async fn request(control: &mut Socket) -> Value {
    next_command(control).await["request"].clone()
}

async fn begin(rendezvous: &mut Socket, request: &Value) {
    let id = &request["id"];
    let response = format!(r#"{{"response":{{"requestId":{id},"statusCode":200,"body":true}}}}"#);
    rendezvous.send(Message::text(response)).await.unwrap();
    let part = Frame::message("part", OpCode::Data(Data::Binary), false);
    rendezvous.send(Message::Frame(part)).await.unwrap();
}

#[tokio::test]
async fn a_gap_within_the_body_of_an_answer_breaks_it_off_e60() {
    let relay = relay(|timing| timing.gap = GAP).await;
    let mut control = relay.listen().await;
    let sender = send(&relay, "Content-Length: 0").await;
    let request = request(&mut control).await;
    let mut rendezvous = relay.dial(&request).await.unwrap().0;
    begin(&mut rendezvous, &request).await;
    let answer = answer(sender).await;
    assert!(answer.contains("4\r\npart\r\n"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it looks whole: {answer}");
}

#[tokio::test]
async fn a_gap_within_the_body_of_a_request_ends_it_e60() {
    let relay = relay(|timing| timing.gap = GAP).await;
    let mut control = relay.listen().await;
    let mut sender = send(&relay, "Transfer-Encoding: chunked").await;
    sender.write_all(b"4\r\npart\r\n").await.unwrap();
    let pointer = request(&mut control).await;
    let mut rendezvous = relay.dial(&pointer).await.unwrap().0;
    assert!(next(&mut rendezvous).await.is_text());
    assert!(answer(sender).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_lost_listener_that_does_not_come_back_costs_its_requests_502() {
    let relay = relay(|timing| timing.comeback = SHORT).await;
    let mut lost = relay.listen().await;
    let sender = send(&relay, "Content-Length: 0").await;
    request(&mut lost).await;
    drop(lost);
    assert!(answer(sender).await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn a_listener_that_says_goodbye_may_still_answer() {
    let relay = relay(|timing| timing.comeback = SHORT).await;
    let mut closing = relay.listen().await;
    let sender = send(&relay, "Content-Length: 0").await;
    let request = request(&mut closing).await;
    closing.close(None).await.unwrap();
    drop(closing);
    tokio::time::sleep(2 * SHORT).await;
    let mut rendezvous = relay.dial(&request).await.unwrap().0;
    begin(&mut rendezvous, &request).await;
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    rendezvous.close(Some(frame)).await.unwrap();
    assert!(answer(sender).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_lost_listener_that_comes_back_answers() {
    let relay = relay(|timing| timing.comeback = SHORT).await;
    let mut lost = relay.listen().await;
    let sender = send(&relay, "Content-Length: 0").await;
    let request = request(&mut lost).await;
    // It comes back before the relay notices the loss, as over a network that swallowed the end.
    let mut back = relay.listen().await;
    drop(lost);
    tokio::time::sleep(2 * SHORT).await;
    let id = &request["id"];
    let response = format!(r#"{{"response":{{"requestId":{id},"statusCode":200}}}}"#);
    back.send(Message::text(response)).await.unwrap();
    assert!(answer(sender).await.starts_with("HTTP/1.1 200 "));
}
