//! A relay of which every word is written by the test, and a listener whose events are collected.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request};
use hyco_client::{
    AcceptRequest, Dialer, Error, Events, ListenOptions, Listener, ListenerEvent, TlsOptions,
    TokenSource,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::mpsc,
    task::yield_now,
    time::{advance, pause, resume, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// No test waits longer than this for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Relay {
    listener: TcpListener,
}

/// A WebSocket that the relay has taken, and the request that opened it.
pub(crate) struct Visit {
    pub(crate) request: Request<()>,
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Relay {
    pub(crate) async fn bind() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The address of a path.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port())
    }

    /// The text of an accept whose rendezvous is here.
    pub(crate) fn accept_command(&self, id: &str) -> String {
        let address = self.address(&format!("/$hc/hyco?sb-hc-action=accept&sb-hc-id={id}"));
        format!(r#"{{"accept":{{"address":"{address}","id":"{id}","connectHeaders":{{}}}}}}"#)
    }

    /// Takes the next connection.
    pub(crate) async fn tcp(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept())
            .await
            .expect("nobody connects")
            .unwrap()
            .0
    }

    /// Opens the next WebSocket; like the service, it answers whatever sub-protocol is asked for.
    pub(crate) async fn open(&self) -> Visit {
        let mut seen = Request::new(());
        #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
        let callback = |request: &server::Request, mut response: server::Response| {
            seen = request.clone();
            let headers = response.headers_mut();
            headers.insert("TrackingId", HeaderValue::from_static("relay_G1"));
            if let Some(protocol) = request.headers().get("Sec-WebSocket-Protocol") {
                headers.insert("Sec-WebSocket-Protocol", protocol.clone());
            }
            Ok(response)
        };
        let socket = accept_hdr_async(self.tcp().await, callback).await.unwrap();
        Visit {
            request: seen,
            socket,
        }
    }

    /// Answers the next request with this and closes; gives the head of the request.
    pub(crate) async fn answer(&self, response: &str) -> String {
        let mut stream = self.tcp().await;
        let head = read_head(&mut stream).await;
        stream.write_all(response.as_bytes()).await.unwrap();
        head
    }

    /// Refuses the next request with a status line.
    pub(crate) async fn refuse(&self, status: &str) -> String {
        self.answer(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
            .await
    }
}

impl Visit {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    pub(crate) async fn say(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// The next message, whatever it is.
    pub(crate) async fn hear(&mut self) -> Message {
        timeout(PATIENCE, self.socket.next())
            .await
            .expect("silence")
            .unwrap()
            .unwrap()
    }

    /// The next text message.
    pub(crate) async fn hear_text(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.hear().await {
                return text.to_string();
            }
        }
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
    }

    /// Closes, and waits until the other side has gone.
    pub(crate) async fn finish(mut self) {
        drop(self.socket.close(None).await);
        while let Ok(Some(Ok(_))) = timeout(PATIENCE, self.socket.next()).await {}
    }
}

/// Reads up to the blank line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A listener and what it reports.
pub(crate) struct Observed {
    pub(crate) listener: Listener,
    events: mpsc::UnboundedReceiver<ListenerEvent>,
}

impl Observed {
    /// A listener at that address whose schedule has short pauses.
    pub(crate) fn listen(address: &str, change: impl FnOnce(&mut ListenOptions)) -> Self {
        Self::listen_with(dialer(), address, change)
    }

    /// The same with that dialer.
    pub(crate) fn listen_with(
        dialer: Dialer,
        address: &str,
        change: impl FnOnce(&mut ListenOptions),
    ) -> Self {
        let mut options = ListenOptions::new(address, TokenSource::Fixed("secret".to_owned()));
        options.reconnect.schedule.delays = [0, 1].map(Duration::from_millis).to_vec();
        change(&mut options);
        let (sender, events) = mpsc::unbounded_channel();
        // The receiver may be gone when the runtime ends.
        let put: Events = Arc::new(move |event| drop(sender.send(event)));
        let listener = Listener::spawn(&Handle::current(), dialer, options, put);
        Self { listener, events }
    }

    /// A listener whose events arrive there.
    pub(crate) fn new(listener: Listener, events: mpsc::UnboundedReceiver<ListenerEvent>) -> Self {
        Self { listener, events }
    }

    /// The next event; none after the last.
    pub(crate) async fn event(&mut self) -> Option<ListenerEvent> {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("no event")
    }

    pub(crate) async fn connecting(&mut self) -> u32 {
        match self.event().await {
            Some(ListenerEvent::Connecting { attempt }) => attempt,
            other => panic!("not connecting: {other:?}"),
        }
    }

    pub(crate) async fn online(&mut self) -> Option<String> {
        match self.event().await {
            Some(ListenerEvent::Online { tracking_id }) => tracking_id,
            other => panic!("not online: {other:?}"),
        }
    }

    /// Whether the next event is that it is online.
    pub(crate) async fn try_online(&mut self) -> Option<()> {
        matches!(self.event().await, Some(ListenerEvent::Online { .. })).then_some(())
    }

    /// The next failure or loss; that a fixed token ends may be told before.
    pub(crate) async fn offline(&mut self) -> Offline {
        let mut event = self.event().await;
        if matches!(event, Some(ListenerEvent::TokenExpiring { .. })) {
            event = self.event().await;
        }
        match event {
            Some(ListenerEvent::Offline {
                attempt,
                delay,
                is_final,
                is_fatal,
                error,
            }) => Offline {
                attempt,
                delay,
                is_final,
                is_fatal,
                error,
            },
            other => panic!("not offline: {other:?}"),
        }
    }

    /// The next sender; that a token was renewed may be told first.
    pub(crate) async fn accept(&mut self) -> AcceptRequest {
        let mut event = self.event().await;
        if matches!(event, Some(ListenerEvent::Renewed)) {
            event = self.event().await;
        }
        match event {
            Some(ListenerEvent::Accept(request)) => request,
            other => panic!("no accept: {other:?}"),
        }
    }

    /// The next question for a token; that the one before was sent may be told first.
    pub(crate) async fn token_request(&mut self) -> u32 {
        let mut event = self.event().await;
        if matches!(event, Some(ListenerEvent::Renewed)) {
            event = self.event().await;
        }
        match event {
            Some(ListenerEvent::TokenNeeded { request }) => request,
            other => panic!("no token asked: {other:?}"),
        }
    }

    /// Nothing but the end follows.
    pub(crate) async fn closed(&mut self) {
        let event = self.event().await;
        assert!(matches!(event, Some(ListenerEvent::Closed)), "{event:?}");
        assert!(self.event().await.is_none());
    }

    /// Opens the first control channel.
    pub(crate) async fn come_online(&mut self, relay: &Relay) -> Visit {
        assert_eq!(self.connecting().await, 1);
        let visit = relay.open().await;
        self.online().await;
        visit
    }
}

/// A failure or loss as it was reported.
#[derive(Debug)]
pub(crate) struct Offline {
    pub(crate) attempt: u32,
    pub(crate) delay: Duration,
    pub(crate) is_final: bool,
    pub(crate) is_fatal: bool,
    pub(crate) error: Arc<Error>,
}

pub(crate) fn dialer() -> Dialer {
    Dialer::new(&TlsOptions::default()).unwrap()
}

/// A token that ends in so many seconds.
pub(crate) fn token(life: u64) -> String {
    let end = unix_now() + life;
    format!("SharedAccessSignature sr=x&sig=x&se={end}&skn=x")
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Lets what is due be done.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Lets time pass in which nothing happens.
pub(crate) async fn pass(time: Duration) {
    settle().await;
    pause();
    advance(time).await;
    resume();
    settle().await;
}
