//! An emulator per test, and clients that share no code with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{Emulator, EmulatorOptions};
use hyco_protocol::token::sign_canonical;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Response,
        http::{HeaderName, HeaderValue, Request},
        protocol::CloseFrame,
    },
};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// A running emulator with what clients need to know of it.
pub(crate) struct Relay {
    pub(crate) emulator: Emulator,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        Self::with(EmulatorOptions::default()).await
    }

    pub(crate) async fn with(options: EmulatorOptions) -> Self {
        Self {
            emulator: Emulator::bind(options).await.unwrap(),
        }
    }

    /// `ws://host:port/$hc/` and the target.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("{}/$hc/{target}", self.emulator.namespace())
    }

    /// A token of the namespace's rule for an hour.
    pub(crate) fn token(&self, path: &str) -> String {
        let rule = self.emulator.rule();
        self.sign(path, rule.name(), rule.primary_key(), unix_now() + 3600)
    }

    pub(crate) fn sign(&self, path: &str, rule: &str, key: &str, expires_at: u64) -> String {
        let uri = format!("{}/{path}", self.emulator.namespace());
        sign_canonical(&uri, rule, key, expires_at).unwrap()
    }

    /// A request for a WebSocket with a token in the header.
    pub(crate) fn request(&self, target: &str) -> Request<()> {
        let path = target.split('?').next().unwrap();
        with_headers(
            &self.url(target),
            &[("ServiceBusAuthorization", &self.token(path))],
        )
    }

    /// The control channel of a listener at `hyco`.
    pub(crate) async fn listen(&self) -> Socket {
        self.listen_at("hyco?sb-hc-action=listen").await
    }

    pub(crate) async fn listen_at(&self, target: &str) -> Socket {
        self.open(self.request(target)).await.unwrap().0
    }

    /// A sender whose handshake waits for a listener.
    pub(crate) fn connect(&self) -> JoinHandle<Result<(Socket, Response), Error>> {
        self.connect_at("hyco?sb-hc-action=connect")
    }

    pub(crate) fn connect_at(&self, target: &str) -> JoinHandle<Result<(Socket, Response), Error>> {
        tokio::spawn(self.open(self.request(target)))
    }

    /// Opens a WebSocket at the emulator.
    pub(crate) fn open(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Result<(Socket, Response), Error>> + Send + use<> {
        let address = self.emulator.local_addr();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            client_async(request, stream).await
        }
    }

    /// A sender and a listener that have met.
    pub(crate) async fn pair(&self) -> (Socket, Socket) {
        let mut control = self.listen().await;
        let (sender, listener) = self.pair_by(&mut control).await;
        control.close(None).await.unwrap();
        (sender, listener)
    }

    pub(crate) async fn pair_by(&self, control: &mut Socket) -> (Socket, Socket) {
        let sender = self.connect();
        let accept = next_accept(control).await;
        let (listener, _) = self.dial(&accept).await.unwrap();
        (sender.await.unwrap().unwrap().0, listener)
    }

    /// A sender and a listener that have met, as bare connections.
    pub(crate) async fn bare_pair(&self) -> (TcpStream, TcpStream) {
        let (sender, listener) = self.pair().await;
        (sender.into_inner(), listener.into_inner())
    }

    /// The listener's dial of an announced sender.
    pub(crate) async fn dial(&self, accept: &Value) -> Result<(Socket, Response), Error> {
        self.open(accept["address"].as_str().unwrap().into_client_request()?)
            .await
    }

    /// Sends text as it stands; returns the head of the answer.
    pub(crate) async fn raw(&self, request: &str) -> Head {
        let mut stream = TcpStream::connect(self.emulator.local_addr())
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_head(&mut stream).await
    }

    /// Sends a handshake for a target as it stands, with further header lines.
    pub(crate) async fn handshake(&self, target: &str, headers: &str) -> Head {
        self.raw(&handshake(target, headers)).await
    }

    /// Sends a handshake for a target with a token.
    pub(crate) async fn handshake_with(&self, target: &str, token: &str) -> Head {
        self.handshake(target, &format!("ServiceBusAuthorization: {token}\r\n"))
            .await
    }

    /// A connection on which a sender's handshake is sent, and not yet answered.
    pub(crate) async fn raw_connect(&self, target: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.emulator.local_addr())
            .await
            .unwrap();
        let token = self.token("hyco");
        let headers = format!("ServiceBusAuthorization: {token}\r\n{headers}");
        stream
            .write_all(handshake(target, &headers).as_bytes())
            .await
            .unwrap();
        stream
    }

    /// The listener's dial, as it stands in the address, with something behind it.
    pub(crate) async fn raw_dial(&self, accept: &Value, behind: &str, headers: &str) -> Head {
        let address = accept["address"].as_str().unwrap();
        let target = &address[address.find("/$hc").unwrap()..];
        self.handshake(&format!("{target}{behind}"), headers).await
    }
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) reason: String,
    text: String,
}

impl Head {
    fn parse(text: String) -> Self {
        let line = text.lines().next().expect("an answer");
        let mut words = line.splitn(3, ' ');
        assert_eq!(words.next(), Some("HTTP/1.1"));
        let status = words.next().unwrap().parse().unwrap();
        Self {
            status,
            reason: words.next().unwrap_or_default().to_owned(),
            text,
        }
    }

    /// The value of a header, by its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Reads up to and including the blank line, and no byte more.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Head {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.expect("a whole head"));
    }
    Head::parse(String::from_utf8(head).unwrap())
}

/// The text of a handshake.
pub(crate) fn handshake(target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

pub(crate) fn with_headers(url: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request
            .headers_mut()
            .append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// The next message; a test that waits too long fails.
pub(crate) async fn next(socket: &mut Socket) -> Message {
    within(socket.next())
        .await
        .expect("the socket has ended")
        .expect("the socket has failed")
}

/// The close frame that a socket receives.
pub(crate) async fn next_close(socket: &mut Socket) -> Option<CloseFrame> {
    match next(socket).await {
        Message::Close(frame) => frame,
        message => panic!("not a close frame: {message:?}"),
    }
}

/// The code and the reason of the close frame that a socket receives.
pub(crate) async fn next_close_code(socket: &mut Socket) -> (u16, String) {
    let frame = next_close(socket).await.expect("a close frame with a code");
    (frame.code.into(), frame.reason.to_string())
}

/// The next command on a control channel.
pub(crate) async fn next_command(control: &mut Socket) -> Value {
    let message = next(control).await;
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// What an `accept` command holds.
pub(crate) async fn next_accept(control: &mut Socket) -> Value {
    next_command(control).await["accept"].take()
}

/// Sees that the channel works by a Ping and its Pong.
pub(crate) async fn ping(socket: &mut Socket) {
    socket.send(Message::Ping("alive".into())).await.unwrap();
    assert_eq!(next(socket).await, Message::Pong("alive".into()));
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future)
        .await
        .expect("it takes too long")
}

/// Reads to the end of a connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    bytes
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Sends binary frames until no more is taken for half a second.
pub(crate) async fn fill(sender: &mut TcpStream) {
    let frame = [&[0x82, 0xfe, 0xea, 0x60, 0, 0, 0, 0][..], &[0; 60_000]].concat();
    let mut sent = 0;
    while let Ok(written) = timeout(
        Duration::from_millis(500),
        sender.write(&frame[sent % frame.len()..]),
    )
    .await
    {
        sent += written.unwrap();
        assert!(sent < 64 * 1024 * 1024, "everything is taken");
    }
}
