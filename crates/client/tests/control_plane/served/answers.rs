//! How answers go: by the control channel, or by a rendezvous.

use std::time::Duration;

use futures_util::SinkExt;
use hyco_client::http::{Outcome, RequestInfo};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{Setting, binary, closes_with_1000, response};
use crate::support::PATIENCE;

#[tokio::test]
async fn a_small_answer_goes_by_the_control_channel_c40_c43_c48() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1_G1", "GET").await;
    let info = RequestInfo {
        tracking_id: "1_G1".to_owned(),
        remote_address: Some("1.2.3.4".to_owned()),
        remote_port: Some(5),
        secure: false,
    };
    assert_eq!(exchange.info, info);
    let host = format!("127.0.0.1:{}", setting.relay.port());
    assert_eq!(
        exchange.head().await,
        format!("GET /hyco/x?y HTTP/1.1\r\nX-A: 1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    );
    exchange.say("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 201 Made it\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok").await;
    let response = response(&mut setting.control).await;
    assert_eq!(
        (
            response.request_id.as_str(),
            response.status_code,
            response.body
        ),
        ("1_G1", 201, true)
    );
    assert_eq!(response.status_description.as_deref(), Some("Made it"));
    assert_eq!(
        response.response_headers.0,
        [("X-B".to_owned(), "2".to_owned())]
    );
    assert_eq!(setting.control.hear().await, binary(b"ok"));
    assert_eq!(
        exchange.outcome().await,
        Outcome::Answered { reusable: true }
    );
}

#[tokio::test]
async fn bodies_come_whole_and_may_be_empty_c40() {
    let mut setting = Setting::new(|_| ()).await;
    for (id, body) in [("1", &b"body"[..]), ("2", b"")] {
        let text = setting.request(id, "POST", true);
        setting.control.say(text).await;
        setting.control.socket.send(binary(body)).await.unwrap();
        let mut exchange = setting.exchange().await;
        let head = exchange.head().await;
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{head}"
        );
        let mut read = vec![0; body.len()];
        exchange.stream().read_exact(&mut read).await.unwrap();
        assert_eq!(read, body);
        exchange.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(response(&mut setting.control).await.request_id, id);
    }
    setting
        .control
        .say(setting.relay.accept_command("next"))
        .await;
    assert_eq!(
        setting.observed.accept().await.id,
        "next",
        "no body was sent, nor any awaited"
    );
}

#[tokio::test]
async fn head_204_304_and_empty_answers_send_no_body_c45() {
    let mut setting = Setting::new(|_| ()).await;
    for (id, method, answer) in [
        (
            "1",
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "2",
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        ("3", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (
            "4",
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n",
        ),
    ] {
        let mut exchange = setting.ask(id, method).await;
        exchange.head().await;
        exchange.say(answer).await;
        let response = response(&mut setting.control).await;
        assert_eq!((response.request_id.as_str(), response.body), (id, false));
    }
}

#[tokio::test]
async fn a_request_at_an_address_is_served_there_and_so_is_the_next_c41_c42_c46_c47() {
    let mut setting = Setting::new(|_| ()).await;
    let mut rendezvous = setting.point("9").await;
    rendezvous.say(setting.request("9", "PUT", true)).await;
    for (fin, opcode, data) in [
        (false, Data::Binary, &b"hello"[..]),
        (false, Data::Continue, b" world"),
        (true, Data::Continue, b""),
    ] {
        let frame = Frame::message(data.to_vec(), OpCode::Data(opcode), fin);
        rendezvous.socket.send(Message::Frame(frame)).await.unwrap();
    }
    let mut exchange = setting.exchange().await;
    let head = exchange.head().await;
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    // Frames that come together may be one chunk.
    assert_eq!(
        unchunked(&exchange.until(b"0\r\n\r\n").await),
        "hello world"
    );
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(response(&mut rendezvous).await.request_id, "9");
    assert_eq!(rendezvous.hear().await, binary(b"ok"));

    rendezvous.say(setting.request("10", "GET", false)).await;
    let mut exchange = setting.exchange().await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(response(&mut rendezvous).await.request_id, "10");
    closes_with_1000(&mut rendezvous).await;
}

#[tokio::test]
async fn a_large_answer_goes_by_a_rendezvous_and_ends_with_fin_and_1000_c44_c46() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    let (relay, body) = (&setting.relay, "x".repeat(70_000));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    exchange.say(&head).await;
    let ((), mut rendezvous) = tokio::join!(exchange.say(&body), relay.open());
    assert!(rendezvous.request.uri().to_string().contains("sb-hc-id=1"));
    assert!(response(&mut rendezvous).await.body);
    assert_eq!(rendezvous.hear().await, binary(body.as_bytes()));
    closes_with_1000(&mut rendezvous).await;
}

#[tokio::test]
async fn an_answer_that_says_that_it_is_long_gets_its_rendezvous_before_its_body_c44() {
    let mut setting = Setting::new(|options| options.flush_delay = Duration::from_secs(3600)).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n")
        .await;
    let mut rendezvous = setting.relay.open().await;
    assert!(response(&mut rendezvous).await.body);
    let body = "x".repeat(65_537);
    exchange.say(&body).await;
    assert_eq!(rendezvous.hear().await, binary(body.as_bytes()));
    closes_with_1000(&mut rendezvous).await;
}

#[tokio::test]
async fn an_event_stream_goes_out_at_once_and_other_answers_after_a_while_c44() {
    let mut setting = Setting::new(|options| options.flush_delay = Duration::from_secs(3600)).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        .await;
    let mut rendezvous = setting.relay.open().await;
    assert_eq!(response(&mut rendezvous).await.status_code, 200);
    drop(exchange.stream.take());
    assert_eq!(rendezvous.hear().await, binary(b"data: 1\n\n"));

    let mut setting = Setting::new(|options| options.flush_delay = Duration::from_millis(1)).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    let mut rendezvous = setting.relay.open().await;
    assert!(response(&mut rendezvous).await.body);
    exchange.say("1\r\nb\r\n0\r\n\r\n").await;
    assert_eq!(rendezvous.hear().await, binary(b"ab"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_has_no_last_frame_and_no_close() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\nabc")
        .await;
    let mut rendezvous = setting.relay.open().await;
    response(&mut rendezvous).await;
    drop(exchange.stream.take());
    let end = timeout(
        PATIENCE,
        futures_util::StreamExt::next(&mut rendezvous.socket),
    )
    .await
    .unwrap();
    assert!(matches!(end, Some(Err(_)) | None), "{end:?}");
    assert_eq!(exchange.outcome().await, Outcome::Failed);
    assert_eq!(setting.failure().await.1, "HYCO_ERR_BAD_ANSWER");
}

/// The body that comes in these chunks.
fn unchunked(chunks: &str) -> String {
    let (mut rest, mut body) = (chunks, String::new());
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        body.push_str(&behind[..size]);
        rest = behind[size..].strip_prefix("\r\n").expect("its end");
    }
    body
}
