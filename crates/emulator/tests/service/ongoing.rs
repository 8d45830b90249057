//! HTTP requests, as the administration and the events tell of them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{EmulatorOptions, Timing};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{Relay, Socket, next, next_command, ping, rest, within};

fn get(relay: &Relay, target: &str) -> Value {
    let answer = relay.emulator.handle().request("GET", target, b"").unwrap();
    serde_json::from_str(&answer.body).unwrap()
}

/// A sender that has sent a request with a body of five bytes, and what its listener is told.
async fn ask(relay: &Relay, control: &mut Socket) -> (TcpStream, Value) {
    let mut sender = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let token = relay.token("hyco");
    let request = format!(
        "POST /hyco/orders?secret=x HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {token}\r\n\
         Content-Length: 5\r\n\r\nhello"
    );
    sender.write_all(request.as_bytes()).await.unwrap();
    let command = next_command(control).await["request"].take();
    assert_eq!(next(control).await, Message::binary("hello"));
    (sender, command)
}

/// The next event of that type.
async fn event(relay: &Relay, kind: &str) -> Value {
    within(async {
        loop {
            let journal = get(relay, "journal");
            let found = journal
                .as_array()
                .unwrap()
                .iter()
                .find(|event| event["type"] == kind);
            if let Some(event) = found {
                return event.clone();
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_request_is_listed_while_it_waits_and_told_of_when_it_has_ended() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let (mut sender, command) = ask(&relay, &mut control).await;
    let requests = get(&relay, "requests");
    let request = &requests[0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], "/hyco/orders");
    assert_eq!(request["hybridConnection"], "hyco");
    assert_eq!(request["toListener"], 5);
    assert_eq!(request["status"], Value::Null);
    assert_eq!(get(&relay, "hybridConnections/hyco")["requests"], 1);
    let metrics = relay
        .emulator
        .handle()
        .request("GET", "metrics", b"")
        .unwrap();
    assert!(metrics.body.contains("\nhyco_relay_http_requests 1\n"));

    let response = json!({ "response": {
        "requestId": command["id"], "statusCode": 201, "responseHeaders": {}, "body": true,
    } });
    control
        .send(Message::text(response.to_string()))
        .await
        .unwrap();
    control.send(Message::binary("made it")).await.unwrap();
    let mut answer = vec![0; 12];
    within(sender.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 201");

    let answered = event(&relay, "answered").await;
    for (name, value) in [
        ("method", json!("POST")),
        ("path", json!("/hyco/orders")),
        ("hybridConnection", json!("hyco")),
        ("status", json!(201)),
        ("whole", json!(true)),
        ("toListener", json!(5)),
        ("toSender", json!(7)),
        ("trackingId", command["id"].clone()),
    ] {
        assert_eq!(answered[name], value, "{name}");
    }
    assert_eq!(get(&relay, "requests"), json!([]));
    let metrics = relay
        .emulator
        .handle()
        .request("GET", "metrics", b"")
        .unwrap();
    assert!(
        metrics
            .body
            .contains("\nhyco_relay_http_bytes_total{to=\"sender\"} 7\n")
    );
}

#[tokio::test]
async fn a_request_that_waits_can_be_ended() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for by in ["number", "reset", "delete"] {
        let (mut sender, _) = ask(&relay, &mut control).await;
        let number = get(&relay, "requests")[0]["number"].clone();
        let (method, target) = match by {
            "number" => ("DELETE", format!("requests/{number}")),
            "reset" => ("POST", "reset".to_owned()),
            _ => ("DELETE", "hybridConnections/hyco".to_owned()),
        };
        let handle = relay.emulator.handle();
        assert_eq!(handle.request(method, &target, b"").unwrap().status, 200);
        let mut answer = vec![0; 12];
        within(sender.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 502", "{by}");
        drop(sender);
        if by == "reset" {
            control = relay.listen().await;
        }
    }
    let handle = relay.emulator.handle();
    assert_eq!(
        handle.request("DELETE", "requests/99", b"").unwrap().status,
        404
    );
}

#[tokio::test]
async fn an_answer_that_is_under_way_can_be_broken_off() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let (mut sender, command) = ask(&relay, &mut control).await;
    let (mut rendezvous, _) = relay.dial(&command).await.unwrap();
    let response = json!({ "response": {
        "requestId": command["id"], "statusCode": 200, "responseHeaders": {}, "body": true,
    } });
    rendezvous
        .send(Message::text(response.to_string()))
        .await
        .unwrap();
    rendezvous.send(part("first")).await.unwrap();
    let mut seen = Vec::new();
    within(async {
        while !seen.ends_with(b"first\r\n") {
            seen.push(sender.read_u8().await.unwrap());
        }
    })
    .await;
    let number = get(&relay, "requests")[0]["number"].clone();
    assert_eq!(get(&relay, "requests")[0]["status"], 200);
    let target = format!("requests/{number}");
    relay
        .emulator
        .handle()
        .request("DELETE", &target, b"")
        .unwrap();
    // The end of a chunked body would be `0\r\n\r\n`.
    let end = rest(&mut sender).await;
    assert!(!end.ends_with(b"0\r\n\r\n"), "{end:?}");
    assert_eq!(event(&relay, "answered").await["whole"], false);
}

/// Bodies may pause for three seconds, in which a listener on a busy machine has dialled.
async fn impatient() -> Relay {
    Relay::with(EmulatorOptions {
        timing: Timing {
            gap: Duration::from_secs(3),
            ..Timing::default()
        },
        ..EmulatorOptions::default()
    })
    .await
}

#[tokio::test]
async fn an_answer_whose_body_stops_coming_is_broken_off_e60() {
    let relay = impatient().await;
    let mut control = relay.listen().await;
    let (mut sender, command) = ask(&relay, &mut control).await;
    let (mut rendezvous, _) = relay.dial(&command).await.unwrap();
    let response = json!({ "response": {
        "requestId": command["id"], "statusCode": 200, "responseHeaders": {}, "body": true,
    } });
    rendezvous
        .send(Message::text(response.to_string()))
        .await
        .unwrap();
    rendezvous.send(part("some of it")).await.unwrap();
    let answer = String::from_utf8(rest(&mut sender).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("some of it"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_request_whose_body_stops_coming_ends_the_rendezvous_e60() {
    let relay = impatient().await;
    let mut control = relay.listen().await;
    let mut sender = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let token = relay.token("hyco");
    let request = format!(
        "POST /hyco HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {token}\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    );
    sender.write_all(request.as_bytes()).await.unwrap();
    let command = next_command(&mut control).await["request"].take();
    let (mut rendezvous, _) = relay.dial(&command).await.unwrap();
    assert!(next(&mut rendezvous).await.is_text(), "the request");
    // The message with the body has begun and is never ended; a whole one would be seen here.
    let end = within(rendezvous.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    ping(&mut control).await;
}

/// A frame that does not end its message.
fn part(payload: &'static str) -> Message {
    let opcode = OpCode::Data(Data::Binary);
    Message::Frame(Frame::message(payload, opcode, false))
}
