//! Requests and answers that fail.

use std::time::Duration;

use super::{Setting, binary, response};
use futures_util::SinkExt;
use hyco_client::http::Outcome;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_sender_that_leaves_ends_the_exchange() {
    let mut setting = Setting::new(|_| ()).await;
    let mut rendezvous = setting.point("1").await;
    rendezvous.say(setting.request("1", "GET", false)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    drop(rendezvous);
    assert_eq!(exchange.outcome().await, Outcome::SenderGone);
}

#[tokio::test]
async fn without_an_answer_the_sender_gets_500_502_or_504_c50() {
    let mut setting =
        Setting::new(|options| options.response_timeout = Some(Duration::from_millis(50))).await;
    let mut late = setting.ask("1", "GET").await;
    let answer = response(&mut setting.control).await;
    assert_eq!(answer.status_code, 504);
    assert!(answer.status_description.unwrap().contains("TrackingId:1"));
    assert_eq!(late.outcome().await, Outcome::TimedOut);
    assert_eq!(setting.failure().await.1, "HYCO_ERR_TIMEOUT");

    let mut setting = Setting::new(|_| ()).await;
    let mut thrown = setting.ask("2", "GET").await;
    thrown.head().await;
    thrown.throws.send(()).unwrap();
    let answer = response(&mut setting.control).await;
    assert_eq!(answer.status_code, 500);
    assert!(answer.status_description.unwrap().contains("TrackingId:2"));
    let mut gone = setting.ask("3", "GET").await;
    gone.head().await;
    drop(gone.stream.take());
    assert_eq!(response(&mut setting.control).await.status_code, 502);
    assert_eq!(setting.failure().await.1, "HYCO_ERR_BAD_ANSWER");
    let mut garbage = setting.ask("4", "GET").await;
    garbage.head().await;
    garbage.say("SMTP hello\r\n\r\n").await;
    assert_eq!(response(&mut setting.control).await.status_code, 502);
}

#[tokio::test]
async fn answers_come_in_any_order_and_one_slow_handler_delays_nobody_c26_c53() {
    let mut setting = Setting::new(|_| ()).await;
    let mut waiting = Vec::new();
    for id in ["1", "2", "3"] {
        let mut exchange = setting.ask(id, "GET").await;
        exchange.head().await;
        waiting.push((id, exchange));
    }
    for (id, mut exchange) in waiting.into_iter().rev() {
        exchange
            .say(&format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{id}"))
            .await;
        assert_eq!(response(&mut setting.control).await.request_id, id);
        assert_eq!(setting.control.hear().await, binary(id.as_bytes()));
    }
}

#[tokio::test]
async fn what_is_no_request_is_reported_and_survived_c24() {
    let mut setting = Setting::new(|_| ()).await;
    let bad_header = setting
        .request("1", "GET", false)
        .replace(r#""X-A":"1""#, r#""X-A":"1\r\nEvil: 1""#);
    setting.control.say(bad_header).await;
    assert_eq!(response(&mut setting.control).await.status_code, 400);
    let (info, code) = setting.failure().await;
    assert_eq!(
        (info.tracking_id.as_str(), code),
        ("1", "HYCO_ERR_BAD_REQUEST")
    );
    for malformed in [
        r#"{"request":{"address":1}}"#,
        r#" { "request" : [] }"#,
        r#"{"request":{"address":"x","method":{},"body":true}}"#,
    ] {
        setting.control.say(malformed).await;
        assert_eq!(
            setting.failure().await.1,
            "HYCO_ERR_BAD_REQUEST",
            "{malformed}"
        );
    }
    setting
        .control
        .say(r#"{"request":{"address":"ftp://x","id":"","method":"GET","body":false}}"#)
        .await;
    assert_eq!(setting.failure().await.1, "HYCO_ERR_BAD_REQUEST");
    setting
        .control
        .say(r#"{"request":{"address":"not an address"}}"#)
        .await;
    assert_eq!(setting.failure().await.1, "HYCO_ERR_INVALID_ADDRESS");
    setting.ask("2", "GET").await;
}

#[tokio::test]
async fn a_text_in_place_of_a_body_fails_that_request_only() {
    let mut setting = Setting::new(|_| ()).await;
    let (first, second) = (
        setting.request("1", "POST", true),
        setting.request("2", "POST", true),
    );
    setting.control.say(first).await;
    setting.control.say(second).await;
    setting.control.socket.send(binary(b"of 2")).await.unwrap();
    let answer = response(&mut setting.control).await;
    assert_eq!((answer.request_id.as_str(), answer.status_code), ("1", 400));
    assert_eq!(setting.failure().await.0.tracking_id, "1");
    let mut exchange = setting.exchange().await;
    assert_eq!(exchange.info.tracking_id, "2");
    exchange.until(b"of 2").await;
}

#[tokio::test]
async fn a_request_at_a_rendezvous_may_have_a_mebibyte() {
    let mut setting = Setting::new(|_| ()).await;
    let padded = |setting: &Setting, length: usize| {
        Message::text([setting.request("1", "GET", false), " ".repeat(length)].concat())
    };
    let mut long = setting.point("1").await;
    let request = padded(&setting, 1000 * 1024);
    long.socket.send(request).await.unwrap();
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(response(&mut long).await.status_code, 204);
    let mut longer = setting.point("2").await;
    let request = padded(&setting, 1100 * 1024);
    // It is not read to its end.
    drop(longer.socket.send(request).await);
    assert_eq!(setting.failure().await.1, "HYCO_ERR_BAD_REQUEST");
}
