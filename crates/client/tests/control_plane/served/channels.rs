//! Requests that outlive a control channel, and more of them than are taken.

use futures_util::SinkExt;
use hyco_client::ListenerEvent;
use hyco_client::http::Outcome;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Setting, binary, closes_with_1000, response};
use crate::support::PATIENCE;

#[tokio::test]
async fn a_lost_channel_forgets_a_body_and_the_next_one_takes_the_answers() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    let awaiting = setting.request("2", "POST", true);
    setting.control.say(awaiting).await;
    setting.control.socket.get_mut().shutdown().await.unwrap();
    setting.observed.offline().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    setting.observed.connecting().await;
    setting.control = setting.relay.open().await;
    setting.observed.online().await;
    assert_eq!(response(&mut setting.control).await.request_id, "1");
    assert_eq!(setting.control.hear().await, binary(b"ok"));
    setting.control.socket.send(binary(b"stray")).await.unwrap();
    assert_eq!(setting.ask("3", "GET").await.info.tracking_id, "3");
}

#[tokio::test]
async fn more_requests_than_allowed_are_answered_503() {
    let mut setting = Setting::new(|options| options.max_requests = 1).await;
    let mut first = setting.ask("1", "GET").await;
    setting
        .control
        .say(setting.request("2", "GET", false))
        .await;
    assert_eq!(response(&mut setting.control).await.status_code, 503);
    assert_eq!(setting.failure().await.1, "HYCO_ERR_TOO_MANY_REQUESTS");
    first.head().await;
    first
        .say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    response(&mut setting.control).await;
    setting.ask("3", "GET").await;
}

#[tokio::test]
async fn a_closed_listener_answers_what_is_open_by_rendezvous_until_it_is_told_to_give_up() {
    let mut setting = Setting::new(|_| ()).await;
    let mut first = setting.ask("1", "GET").await;
    first.head().await;
    let mut second = setting.ask("2", "GET").await;
    second.head().await;
    setting.observed.listener.close();
    closes_with_1000(&mut setting.control).await;
    setting.control.finish().await;
    let event = setting.observed.event().await;
    assert!(matches!(event, Some(ListenerEvent::Closed)), "{event:?}");
    first
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let mut rendezvous = setting.relay.open().await;
    assert_eq!(response(&mut rendezvous).await.request_id, "1");
    assert_eq!(rendezvous.hear().await, binary(b"ok"));
    setting.observed.listener.end_requests();
    assert_eq!(second.outcome().await, Outcome::SenderGone);
    let mut rendezvous = setting.relay.open().await;
    let answer = response(&mut rendezvous).await;
    assert_eq!((answer.request_id.as_str(), answer.status_code), ("2", 502));
}

#[tokio::test]
async fn requests_that_are_given_up_are_answered_502_before_the_channel_is_closed() {
    let mut setting = Setting::new(|_| ()).await;
    let mut first = setting.ask("1", "GET").await;
    first.head().await;
    setting.observed.listener.end_requests();
    setting.observed.listener.close();
    let answer = response(&mut setting.control).await;
    assert_eq!((answer.request_id.as_str(), answer.status_code), ("1", 502));
    assert_eq!(first.outcome().await, Outcome::SenderGone);
    closes_with_1000(&mut setting.control).await;
    timeout(PATIENCE, setting.observed.listener.idle())
        .await
        .expect("a request is still open");
}

#[tokio::test]
async fn what_a_lost_channel_may_have_swallowed_is_said_again_on_the_next_one() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(response(&mut setting.control).await.request_id, "1");
    setting.control.socket.get_mut().shutdown().await.unwrap();
    setting.observed.offline().await;
    setting.observed.connecting().await;
    setting.control = setting.relay.open().await;
    setting.observed.online().await;
    assert_eq!(response(&mut setting.control).await.request_id, "1");
    assert_eq!(setting.control.hear().await, binary(b"ok"));
}
