//! The listener's WebSocket to the relay, on which commands come and replies go.
//!
//! Text messages are commands, each a JSON object with one key. A binary message is the body of the
//! request before it. Whatever else arrives is logged and ignored (docs/protocol.md, C24).

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hyco_protocol::{
    Accept, Command, FullRequest, Reply, Request, Secrets, names::AUTHORIZATION_HEADER,
    status::CLOSE_NORMAL,
};
use tokio::{
    io::BufReader,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{
    dial::{Dial, Dialer},
    error::{Error, Result},
    http::Answer,
    stream::Stream,
    token::Token,
};

/// An open control channel.
#[derive(Debug)]
pub(crate) struct ControlChannel {
    socket: WebSocketStream<BufReader<Stream>>,
    tracking_id: Option<String>,
    /// When the relay gave its last sign of life.
    heard: Instant,
    /// It was asked for another, which must come until then.
    asked_until: Option<Instant>,
    /// What the relay was given, and may echo.
    secrets: Secrets,
    /// A request that announced a body, which is the next binary message.
    awaits_body: Option<FullRequest>,
    /// What arrived in place of a body.
    next: Option<Arrival>,
}

/// What the relay says to a listener.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A sender wants to connect.
    Accept(Accept),
    /// A request, with its body if it has one.
    Request(Request, Option<tungstenite::Bytes>),
    /// A request whose body did not come.
    WithoutBody(FullRequest),
    /// A request that cannot be understood.
    Malformed,
}

impl ControlChannel {
    /// Opens the control channel of that listen address.
    pub(crate) async fn open(
        dialer: &Dialer,
        address: String,
        token: &Token,
        user_agent: Option<&str>,
        timeout: Duration,
    ) -> Result<Self> {
        let mut headers = vec![(AUTHORIZATION_HEADER.to_owned(), token.text.clone())];
        let secrets = Secrets::sent(&address, &headers);
        if let Some(user_agent) = user_agent {
            headers.push(("User-Agent".to_owned(), user_agent.to_owned()));
        }
        let dial = Dial {
            address,
            headers,
            protocols: Vec::new(),
            timeout,
        };
        let upgraded = dialer.dial_home(dial).await?;
        let (stream, rest) = (upgraded.stream, upgraded.rest);
        let stream = BufReader::with_capacity(READ_SIZE, stream);
        Ok(Self {
            socket: WebSocketStream::from_partially_read(
                stream,
                rest,
                Role::Client,
                Some(config()),
            )
            .await,
            tracking_id: upgraded.tracking_id,
            heard: Instant::now(),
            asked_until: None,
            secrets,
            awaits_body: None,
            next: None,
        })
    }

    /// The service's id of this channel.
    pub(crate) fn tracking_id(&self) -> Option<&str> {
        self.tracking_id.as_deref()
    }

    /// When to call [`beat`](Self::beat), unless something is heard before; none in this century.
    pub(crate) fn next_beat(&self, period: Duration) -> Option<Instant> {
        let usual = || self.heard.checked_add(period);
        self.asked_until.or_else(usual)
    }

    /// Asks a relay that was silent for one period for a sign of life. One that was silent for two is
    /// lost (C21).
    pub(crate) async fn beat(&mut self, period: Duration) -> Result<()> {
        let now = Instant::now();
        match self.asked_until {
            Some(until) if until <= now => return Err(silent(self.heard.elapsed())),
            None if self.next_beat(period).is_some_and(|beat| beat <= now) => {}
            // Something was heard meanwhile.
            _ => return Ok(()),
        }
        self.ask(self.heard + period.saturating_mul(2)).await
    }

    /// Asks at once, after the machine was asleep: the connection may have died long ago.
    pub(crate) async fn wake(&mut self, period: Duration) -> Result<()> {
        self.ask(Instant::now() + period.min(WAKE_TIMEOUT)).await
    }

    async fn ask(&mut self, until: Instant) -> Result<()> {
        self.asked_until = Some(until);
        self.write([Message::Ping(tungstenite::Bytes::new())]).await
    }

    /// What comes next. May be dropped and called again without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival> {
        let next = self.next.take();
        if let Some(arrival) = next.and_then(|arrival| self.hold(arrival)) {
            return Ok(arrival);
        }
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(lost(&error)),
                None => return Err(lost(&tungstenite::Error::ConnectionClosed)),
            };
            (self.heard, self.asked_until) = (Instant::now(), None);
            match message {
                Message::Text(text) => {
                    let arrival = self.read(&text);
                    if let Some(request) = self.awaits_body.take_if(|_| arrival.is_some()) {
                        self.next = arrival;
                        return Ok(Arrival::WithoutBody(request));
                    }
                    if let Some(arrival) = arrival.and_then(|arrival| self.hold(arrival)) {
                        return Ok(arrival);
                    }
                }
                Message::Binary(body) => {
                    if let Some(request) = self.awaits_body.take() {
                        return Ok(Arrival::Request(Request::Full(request), Some(body)));
                    }
                    tracing::debug!("stray binary message ignored");
                }
                Message::Close(frame) => {
                    // tungstenite has queued the answer; the relay may not wait for it.
                    drop(timeout(WRITE_TIMEOUT, self.socket.flush()).await);
                    return Err(self.closed(frame));
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Gives the relay a successor of its token.
    pub(crate) async fn renew(&mut self, token: &Token) -> Result<()> {
        self.secrets.add(&token.text);
        let reply = Reply::RenewToken(token.text.clone());
        self.write([Message::text(reply.to_json())]).await
    }

    /// Sends answers to requests, each with its body right behind it (C43).
    pub(crate) async fn answer(&mut self, answers: &VecDeque<Answer>) -> Result<()> {
        let mut messages = Vec::with_capacity(2 * answers.len());
        for answer in answers {
            messages.push(Message::Text(answer.json.clone()));
            messages.extend(answer.body.clone().map(Message::Binary));
        }
        self.write(messages).await
    }

    /// Closes with 1000 and waits for the relay's close, but not for long (C17).
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame {
            code: CLOSE_NORMAL.into(),
            reason: "Normal Closure".into(),
        };
        let goodbye = async {
            self.socket.close(Some(frame)).await?;
            while let Some(message) = self.socket.next().await {
                if message?.is_close() {
                    break;
                }
            }
            Ok::<_, tungstenite::Error>(())
        };
        match timeout(CLOSE_TIMEOUT, goodbye).await {
            Ok(Ok(())) => tracing::debug!("control channel closed"),
            Ok(Err(error)) => tracing::debug!(%error, "control channel broke while closing"),
            Err(_) => tracing::debug!("the relay did not answer the close"),
        }
    }

    fn closed(&self, frame: Option<CloseFrame>) -> Error {
        match frame {
            Some(frame) => Error::Lost {
                code: frame.code.into(),
                reason: self.secrets.hide(&frame.reason),
            },
            None => Error::Lost {
                code: CloseCode::Status.into(),
                reason: String::new(),
            },
        }
    }

    /// Keeps a request back until its body is there.
    fn hold(&mut self, arrival: Arrival) -> Option<Arrival> {
        match arrival {
            Arrival::Request(Request::Full(request), None) if request.body => {
                self.awaits_body = Some(request);
                None
            }
            arrival => Some(arrival),
        }
    }

    fn read(&self, text: &str) -> Option<Arrival> {
        match Command::parse(text) {
            Ok(Command::Accept(accept)) => Some(Arrival::Accept(accept)),
            Ok(Command::Request(request)) => Some(Arrival::Request(request, None)),
            Ok(Command::Unknown(key)) => {
                let key = self.secrets.hide(&key);
                tracing::debug!(key, "unknown command ignored");
                None
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "malformed command ignored");
                let named = text.trim_start().trim_start_matches('{').trim_start();
                named
                    .starts_with("\"request\"")
                    .then_some(Arrival::Malformed)
            }
        }
    }

    async fn write(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<()> {
        let sending = async {
            for message in messages {
                self.socket.feed(message).await?;
            }
            self.socket.flush().await
        };
        match timeout(WRITE_TIMEOUT, sending).await {
            Ok(sent) => sent.map_err(|error| lost(&error)),
            Err(_) => Err(Error::Lost {
                code: ABNORMAL,
                reason: "the relay does not read".to_owned(),
            }),
        }
    }
}

/// The error of a channel on which nothing was heard for that long.
fn silent(silence: Duration) -> Error {
    let reason = format!("no sign of life for {} ms", silence.as_millis());
    Error::Lost {
        code: ABNORMAL,
        reason,
    }
}

fn lost(error: &tungstenite::Error) -> Error {
    Error::Lost {
        code: ABNORMAL,
        reason: error.to_string(),
    }
}

/// What is written goes out when it is flushed. tungstenite clears its read buffer whenever it asks for
/// more, so it gets a small one, which is filled out of ours.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(64 * 1024)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// Senders and requests come in crowds, and one read takes several.
const READ_SIZE: usize = 16 * 1024;
/// What a lost connection is called, which no close frame may say.
const ABNORMAL: u16 = 1006;
/// The relay promises 64 KiB; a message beyond this is an attack or a mistake.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Replies are small; a relay that takes none for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a relay has to answer after a sleep of this machine.
const WAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A relay answers a close at once; beyond this the connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
