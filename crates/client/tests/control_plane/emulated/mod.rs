//! Listener and sender together, on the emulator.

mod accept;
mod reconnect;
mod reject;
mod renew_token;
mod shutdown;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_client::{
    AcceptRequest, ConnectOptions, Dialer, Error, ListenOptions, Stream, TlsOptions, TokenSource,
    Upgraded, sender,
};
use hyco_emulator::{Emulator, EmulatorOptions};
use hyco_protocol::token::sign_canonical;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::support::{Observed, PATIENCE, unix_now};

/// A running emulator with the hybrid connection `hyco`, and how to reach it.
struct Relay {
    emulator: Emulator,
    dialer: Dialer,
}

impl Relay {
    async fn start(options: EmulatorOptions) -> Self {
        Self::of(Emulator::bind(options).await.unwrap())
    }

    fn of(emulator: Emulator) -> Self {
        let ca = emulator
            .certificate()
            .map(ToOwned::to_owned)
            .into_iter()
            .collect();
        let dialer = Dialer::new(&TlsOptions {
            ca,
            ..TlsOptions::default()
        })
        .unwrap();
        Self { emulator, dialer }
    }

    fn address(&self, path: &str) -> String {
        format!("{}/$hc/{path}", self.emulator.namespace())
    }

    /// A token for everything, which ends in so many seconds.
    fn token(&self, life: u64) -> String {
        let rule = self.emulator.rule();
        let end = unix_now() + life;
        sign_canonical(
            &self.emulator.namespace(),
            rule.name(),
            rule.primary_key(),
            end,
        )
        .unwrap()
    }

    fn listen(&self, change: impl FnOnce(&mut ListenOptions)) -> Observed {
        let token = TokenSource::Fixed(self.token(3600));
        Observed::listen_with(self.dialer.clone(), &self.address("hyco"), |options| {
            options.token = token;
            change(options);
        })
    }

    /// A listener that is online.
    async fn online(&self) -> Observed {
        let mut observed = self.listen(|_| ());
        observed.connecting().await;
        observed.online().await;
        observed
    }

    fn sender(&self, path: &str) -> ConnectOptions {
        let mut options = ConnectOptions::new(self.address(path));
        options.token = Some(self.token(3600));
        options.timeout = PATIENCE;
        options
    }

    async fn connect(&self, options: ConnectOptions) -> Result<Upgraded, Error> {
        sender::connect(&self.dialer, options).await
    }

    /// Connects a sender, which the listener accepts: sender's end, listener's end.
    async fn join(&self, observed: &mut Observed) -> (Socket, Socket) {
        let accept = async {
            let number = observed.accept().await.accept;
            observed.listener.accept(number, None, Vec::new()).await
        };
        let (sent, accepted) = tokio::join!(self.connect(self.sender("hyco")), accept);
        (
            Socket::new(sent.unwrap()).await,
            Socket::new(accepted.unwrap()).await,
        )
    }
}

/// One end of a relayed WebSocket.
struct Socket(WebSocketStream<Stream>);

impl Socket {
    async fn new(upgraded: Upgraded) -> Self {
        let (stream, rest) = (upgraded.stream, upgraded.rest);
        Self(WebSocketStream::from_partially_read(stream, rest, Role::Client, None).await)
    }

    async fn say(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    async fn hear(&mut self) -> Message {
        let message = timeout(PATIENCE, self.0.next()).await;
        message.expect("silence").expect("the end").unwrap()
    }
}

fn header<'a>(accept: &'a AcceptRequest, name: &str) -> Option<&'a str> {
    let mut headers = accept.headers.iter();
    let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Waits until something has become so.
async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, polling)
        .await
        .expect("it never became so");
}
