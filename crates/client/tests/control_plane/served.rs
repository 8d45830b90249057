//! Relayed HTTP requests that a server answers: docs/protocol.md, 5 and 8.1.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::SinkExt;
use hyco_client::{
    ListenerEvent,
    http::{HandlerFailed, HttpOptions, Opening, Outcome, RequestInfo, Service, Transport},
};
use hyco_protocol::{Reply, Response};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{Observed, PATIENCE, Relay, Visit};

/// Gives the far end of every stream to the test, which is the server.
struct Streams(mpsc::UnboundedSender<Exchange>);

/// A request as the server sees it.
struct Exchange {
    info: RequestInfo,
    stream: Option<DuplexStream>,
    throws: mpsc::UnboundedSender<()>,
    outcome: mpsc::UnboundedReceiver<Outcome>,
}

struct Pipe {
    stream: DuplexStream,
    thrown: mpsc::UnboundedReceiver<()>,
    outcome: mpsc::UnboundedSender<Outcome>,
}

impl Service for Streams {
    fn open(&self, info: RequestInfo) -> Opening {
        let (near, far) = duplex(16 * 1024);
        let (throws, thrown) = mpsc::unbounded_channel();
        let (told, outcome) = mpsc::unbounded_channel();
        let exchange = Exchange {
            info,
            stream: Some(far),
            throws,
            outcome,
        };
        let sent = self.0.send(exchange);
        Box::pin(async move {
            sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(Pipe {
                stream: near,
                thrown,
                outcome: told,
            }) as Box<dyn Transport>)
        })
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Some(())) = self.thrown.poll_recv(cx) {
            return Poll::Ready(Err(io::Error::other(HandlerFailed)));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Transport for Pipe {
    fn finish(self: Box<Self>, outcome: Outcome) {
        let _ = self.outcome.send(outcome);
    }
}

impl Exchange {
    fn stream(&mut self) -> &mut DuplexStream {
        self.stream.as_mut().unwrap()
    }

    /// Reads up to the blank line.
    async fn head(&mut self) -> String {
        self.until(b"\r\n\r\n").await
    }

    async fn until(&mut self, end: &[u8]) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            let byte = timeout(PATIENCE, self.stream().read_u8())
                .await
                .expect("nothing comes");
            bytes.push(byte.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.stream().write_all(text.as_bytes()).await.unwrap();
    }

    async fn outcome(&mut self) -> Outcome {
        timeout(PATIENCE, self.outcome.recv())
            .await
            .expect("no outcome")
            .unwrap()
    }
}

/// A listener that serves, the relay it listens at, and its control channel.
struct Setting {
    relay: Relay,
    observed: Observed,
    control: Visit,
    exchanges: mpsc::UnboundedReceiver<Exchange>,
}

impl Setting {
    async fn new(change: impl FnOnce(&mut HttpOptions)) -> Self {
        let relay = Relay::bind().await;
        let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
        let (sender, exchanges) = mpsc::unbounded_channel();
        let mut options = HttpOptions::default();
        change(&mut options);
        observed
            .listener
            .serve(Some((Arc::new(Streams(sender)), options)));
        let control = observed.come_online(&relay).await;
        Self {
            relay,
            observed,
            control,
            exchanges,
        }
    }

    fn request(&self, id: &str, method: &str, body: bool) -> String {
        let address = self
            .relay
            .address(&format!("/$hc/hyco?sb-hc-action=request&sb-hc-id={id}"));
        format!(
            r#"{{"request":{{"address":"{address}","id":"{id}","requestTarget":"/hyco/x?y","method":"{method}","remoteEndpoint":{{"address":"1.2.3.4","port":5}},"requestHeaders":{{"X-A":"1"}},"body":{body}}}}}"#
        )
    }

    /// Sends a request without a body.
    async fn ask(&mut self, id: &str, method: &str) -> Exchange {
        let text = self.request(id, method, false);
        self.control.say(text).await;
        self.exchange().await
    }

    /// Lets the listener fetch a request.
    async fn point(&mut self, id: &str) -> Visit {
        let address = self
            .relay
            .address(&format!("/$hc/hyco?sb-hc-action=request&sb-hc-id={id}"));
        self.control
            .say(format!(r#"{{"request":{{"address":"{address}"}}}}"#))
            .await;
        self.relay.open().await
    }

    async fn exchange(&mut self) -> Exchange {
        timeout(PATIENCE, self.exchanges.recv())
            .await
            .expect("no request")
            .unwrap()
    }

    async fn failure(&mut self) -> (RequestInfo, &'static str) {
        match self.observed.event().await {
            Some(ListenerEvent::RequestFailed { info, error }) => (info, error.code()),
            other => panic!("no failure: {other:?}"),
        }
    }
}

async fn response(visit: &mut Visit) -> Response {
    let text = visit.hear_text().await;
    match Reply::parse(&text) {
        Ok(Reply::Response(response)) => response,
        other => panic!("no response: {other:?}"),
    }
}

async fn closes_with_1000(visit: &mut Visit) {
    loop {
        match visit.hear().await {
            Message::Close(Some(frame)) => return assert_eq!(u16::from(frame.code), 1000),
            Message::Close(None) => panic!("no code"),
            _ => {}
        }
    }
}

fn binary(bytes: &[u8]) -> Message {
    Message::binary(bytes.to_vec())
}

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
    assert_eq!(
        exchange.until(b"0\r\n\r\n").await,
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
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

#[tokio::test]
async fn an_answer_goes_by_a_rendezvous_when_no_channel_comes_up() {
    let mut setting = Setting::new(|_| ()).await;
    let mut exchange = setting.ask("1", "GET").await;
    exchange.head().await;
    setting.control.socket.get_mut().shutdown().await.unwrap();
    setting.observed.offline().await;
    exchange
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    setting.observed.connecting().await;
    // The relay leaves the listener's dial for a channel unanswered.
    let _dial = setting.relay.tcp().await;
    let mut rendezvous = setting.relay.open().await;
    assert_eq!(response(&mut rendezvous).await.request_id, "1");
    assert_eq!(rendezvous.hear().await, binary(b"ok"));
}
