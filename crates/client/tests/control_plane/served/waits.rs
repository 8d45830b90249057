//! How long a listener waits for what a relay may not send, and remembers what it has sent.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{Setting, binary, closes_with_1000, response, stalls::pass};

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
