//! How long a listener waits for what may not come, and remembers what it has sent.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    select,
    time::timeout,
};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{Exchange, Setting, binary, closes_with_1000, response};
use crate::support::{Visit, pass};

/// Long enough for what is due at once, and shorter than any of the waits.
const SOON: Duration = Duration::from_secs(15);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_rendezvous_at_which_no_request_comes_is_closed_after_twenty_seconds() {
    let mut setting = Setting::new(|_| ()).await;
    let mut slow = setting.point("1").await;
    let mut silent = setting.point("2").await;
    pass(Duration::from_secs(10)).await;
    slow.say(setting.request("1", "GET", false)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    pass(Duration::from_secs(11)).await;
    closes_with_1000(&mut silent).await;
    exchange.say(OK).await;
    assert_eq!(response(&mut slow).await.request_id, "1");
}

#[tokio::test]
async fn an_answer_that_was_sent_a_while_before_its_channel_was_lost_is_not_said_again() {
    let mut setting = Setting::new(|_| ()).await;
    let mut first = setting.ask("1", "GET").await;
    first.head().await;
    first.say(OK).await;
    assert_eq!(response(&mut setting.control).await.request_id, "1");
    assert_eq!(setting.control.hear().await, binary(b"ok"));
    pass(Duration::from_secs(11)).await;
    setting.control.socket.get_mut().shutdown().await.unwrap();
    setting.observed.offline().await;
    setting.observed.connecting().await;
    setting.control = setting.relay.open().await;
    setting.observed.online().await;
    let mut second = setting.ask("2", "GET").await;
    second.head().await;
    second.say(OK).await;
    assert_eq!(response(&mut setting.control).await.request_id, "2");
}

/// A request at a rendezvous that has been answered.
async fn answered(setting: &mut Setting) -> Visit {
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "GET", false)).await;
    answer_next(setting, &mut rendezvous).await;
    rendezvous
}

async fn answer_next(setting: &mut Setting, rendezvous: &mut Visit) {
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange.say(OK).await;
    response(rendezvous).await;
    assert_eq!(rendezvous.hear().await, binary(b"ok"));
}

#[tokio::test]
async fn a_rendezvous_is_kept_for_the_next_request_for_two_seconds() {
    let mut setting = Setting::new(|_| ()).await;
    let mut rendezvous = answered(&mut setting).await;
    pass(Duration::from_secs(1)).await;
    rendezvous.say(setting.request("2", "GET", false)).await;
    answer_next(&mut setting, &mut rendezvous).await;
    pass(Duration::from_secs(3)).await;
    rendezvous.say(setting.request("3", "GET", false)).await;
    select! {
        () = closes_with_1000(&mut rendezvous) => {}
        exchange = setting.exchange() => panic!("{} is served", exchange.info.tracking_id),
    }
}

#[tokio::test]
async fn a_relay_that_does_not_answer_the_close_of_a_rendezvous_is_left_after_five_seconds() {
    let mut setting = Setting::new(|_| ()).await;
    let mut rendezvous = answered(&mut setting).await;
    pass(Duration::from_secs(3)).await;
    // What comes is read beside the WebSocket, which would answer the close.
    let stream = rendezvous.socket.get_mut();
    let mut close = [0; 4];
    let read = timeout(SOON, stream.read_exact(&mut close)).await;
    read.expect("no close comes").unwrap();
    assert_eq!(close, [0x88, 0x82, close[2], close[3]]);
    pass(Duration::from_secs(6)).await;
    let mut rest = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut rest)).await;
    drop(end.expect("the connection is kept"));
}

/// An upload that the server has answered without reading its body.
async fn unread(setting: &mut Setting) -> (Visit, Exchange) {
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "PUT", true)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange.say(OK).await;
    drop(exchange.stream.take());
    response(&mut rendezvous).await;
    assert_eq!(rendezvous.hear().await, binary(b"ok"));
    (rendezvous, exchange)
}

/// The last of a body, and the next request.
async fn say_next(setting: &Setting, rendezvous: &mut Visit) {
    let last = Frame::message(b"end".to_vec(), OpCode::Data(Data::Binary), true);
    // What the listener has left cannot be written to.
    drop(rendezvous.socket.send(Message::Frame(last)).await);
    let next = Message::text(setting.request("2", "GET", false));
    drop(rendezvous.socket.send(next).await);
}

#[tokio::test]
async fn the_rest_of_a_body_that_nobody_reads_is_taken_for_ten_seconds() {
    let mut setting = Setting::new(|_| ()).await;
    let (mut rendezvous, _exchange) = unread(&mut setting).await;
    pass(Duration::from_secs(5)).await;
    say_next(&setting, &mut rendezvous).await;
    answer_next(&mut setting, &mut rendezvous).await;

    let mut setting = Setting::new(|_| ()).await;
    let (mut rendezvous, _exchange) = unread(&mut setting).await;
    pass(Duration::from_secs(11)).await;
    say_next(&setting, &mut rendezvous).await;
    let left = async { while let Some(Ok(_)) = rendezvous.socket.next().await {} };
    select! {
        left = timeout(SOON, left) => left.expect("the connection is kept"),
        exchange = setting.exchange() => panic!("{} is served", exchange.info.tracking_id),
    }
}

/// A listener that has lost its channel before a request was answered, and its dial for the next one.
async fn answered_offline(setting: &mut Setting) -> TcpStream {
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    setting.control.socket.get_mut().shutdown().await.unwrap();
    setting.observed.offline().await;
    exchange.say(OK).await;
    setting.observed.connecting().await;
    setting.relay.tcp().await
}

#[tokio::test]
async fn an_answer_waits_three_seconds_for_a_channel_and_goes_by_a_rendezvous_then() {
    let mut setting = Setting::new(|_| ()).await;
    let dial = answered_offline(&mut setting).await;
    pass(Duration::from_secs(2)).await;
    setting.control = Visit {
        request: Request::new(()),
        socket: accept_async(dial).await.unwrap(),
    };
    setting.observed.online().await;
    assert_eq!(response(&mut setting.control).await.request_id, "1");
    assert_eq!(setting.control.hear().await, binary(b"ok"));

    let mut setting = Setting::new(|_| ()).await;
    let _dial = answered_offline(&mut setting).await;
    pass(Duration::from_secs(4)).await;
    let rendezvous = timeout(SOON, setting.relay.open()).await;
    let mut rendezvous = rendezvous.expect("nobody comes to the rendezvous");
    assert_eq!(response(&mut rendezvous).await.request_id, "1");
    assert_eq!(rendezvous.hear().await, binary(b"ok"));
}

#[tokio::test]
async fn requests_that_are_given_up_have_a_second_to_tell_their_senders() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    setting.observed.listener.close();
    closes_with_1000(&mut setting.control).await;
    setting.observed.listener.end_requests();
    // The relay leaves the dial for the rendezvous unanswered.
    let _dial = setting.relay.tcp().await;
    pass(Duration::from_secs(2)).await;
    timeout(Duration::from_secs(5), setting.observed.listener.idle())
        .await
        .expect("a request is still open");
}

#[tokio::test]
async fn a_relay_that_takes_no_answers_for_ten_seconds_is_given_up() {
    let mut setting = Setting::new(|_| ()).await;
    let body = "x".repeat(64_000);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 64000\r\n\r\n{body}");
    // Their answers are more than both ends of a loopback connection hold. All of them come before the
    // first answer, since a listener that cannot write does not read.
    let mut exchanges = Vec::new();
    for id in 0..300 {
        exchanges.push(setting.ask(&id.to_string(), "GET").await);
    }
    for exchange in &mut exchanges {
        exchange.head().await;
        exchange.say(&answer).await;
    }
    pass(Duration::from_secs(11)).await;
    let lost = setting.observed.offline().await.error;
    assert_eq!(lost.reason(), Some("the relay does not read"));
}
