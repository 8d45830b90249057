//! The minute that a relay has to give the next of a body, and to take the next of an answer.

use std::time::Duration;

use futures_util::SinkExt;
use hyco_client::http::Outcome;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{Exchange, Setting, binary, response};
use crate::support::{PATIENCE, Visit, pass};

/// So much of the minute that the test itself may take the rest.
const A_WHILE: Duration = Duration::from_secs(40);
const A_MINUTE: Duration = Duration::from_secs(61);

/// A listener that waits for the server as long as that wants.
async fn patient() -> Setting {
    Setting::new(|options| options.response_timeout = None).await
}

/// A request whose body is sent by the test, and the server that has read its head.
async fn upload(setting: &mut Setting) -> (Visit, Exchange) {
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "PUT", true)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    (rendezvous, exchange)
}

async fn send(rendezvous: &mut Visit, data: Data, bytes: &[u8], last: bool) {
    let frame = Frame::message(bytes.to_vec(), OpCode::Data(data), last);
    rendezvous.socket.send(Message::Frame(frame)).await.unwrap();
}

#[tokio::test]
async fn a_body_of_which_nothing_comes_for_a_minute_ends_the_exchange() {
    let mut setting = patient().await;
    let (mut rendezvous, mut exchange) = upload(&mut setting).await;
    send(&mut rendezvous, Data::Binary, b"one", false).await;
    exchange.until(b"one\r\n").await;
    pass(A_WHILE).await;
    send(&mut rendezvous, Data::Continue, b"two", false).await;
    exchange.until(b"two\r\n").await;
    pass(A_WHILE).await;
    send(&mut rendezvous, Data::Continue, b"three", false).await;
    exchange.until(b"three\r\n").await;
    pass(A_MINUTE).await;
    assert_eq!(exchange.outcome().await, Outcome::SenderGone);
}

#[tokio::test]
async fn the_time_in_which_the_server_takes_nothing_of_a_body_is_not_the_relays() {
    let mut setting = patient().await;
    let (mut rendezvous, mut exchange) = upload(&mut setting).await;
    // More than the server's stream holds.
    send(&mut rendezvous, Data::Binary, &[b'x'; 20_000], false).await;
    exchange.until(b"\r\n").await;
    pass(A_WHILE).await;
    // At one go, as a server does that was busy.
    let mut piece = [0; 20_002];
    exchange.stream().read_exact(&mut piece).await.unwrap();
    pass(A_WHILE).await;
    send(&mut rendezvous, Data::Continue, b"end", true).await;
    exchange.until(b"end\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn a_server_may_take_its_time_between_two_stretches_of_an_answer() {
    let mut setting = patient().await;
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "GET", false)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        .await;
    assert!(response(&mut rendezvous).await.body);
    pass(A_MINUTE).await;
    exchange.say("data: 1\n\n").await;
    pass(A_MINUTE).await;
    drop(exchange.stream.take());
    assert_eq!(rendezvous.hear().await, binary(b"data: 1\n\n"));
}

#[tokio::test]
async fn an_answer_of_which_the_relay_takes_nothing_for_a_minute_ends() {
    let mut setting = patient().await;
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "GET", false)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange.say("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut stream = exchange.stream.take().unwrap();
    let stalls = async {
        loop {
            // The relay reads nothing. Once no more is taken, a minute passes.
            let some = stream.write_all(&[0; 16 * 1024]);
            match timeout(Duration::from_millis(100), some).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => pass(A_MINUTE).await,
            }
        }
    };
    timeout(PATIENCE * 1000, stalls).await.unwrap();
    assert_eq!(exchange.outcome().await, Outcome::SenderGone);
}
