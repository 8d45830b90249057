//! The service's end of a control channel.
//!
//! | event | action |
//! |---|---|
//! | a sender is announced | send `accept` |
//! | `renewToken` with a valid token | keep its expiry |
//! | `renewToken` with another token | close 1008 |
//! | the token has expired, and the grace has passed | close 1008 |
//! | Ping | answer it |
//! | another command, garbage | ignore it |
//! | nothing for 210 s | send a Pong, so that nothing in between thinks the channel dead |
//! | a message that breaks the protocol, or is too long | close 1002, 1007 or 1009 |
//! | the listener takes nothing for 60 s | forget it |
//! | the listener closes, or is lost | forget it at once |
//! | the emulator closes | close 1001 |

use std::{io, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hyco_protocol::{
    Demand, Reply, Right,
    command::MAX_CONTROL_BODY,
    status::{CLOSE_GOING_AWAY, CLOSE_POLICY_VIOLATION, clean_reason},
    verify,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use tracing::debug;

use crate::{
    bridge::Joined,
    hybrid_connection::{HybridConnection, Registration},
    linger::{LINGER, linger},
    relay::{Relay, unix_now},
    stream::Stream,
};

/// A registered listener whose connection is being upgraded.
pub(crate) struct ControlChannel {
    pub(crate) relay: Arc<Relay>,
    pub(crate) connection: Arc<HybridConnection>,
    /// The path that the token has to be good for.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) expires_at: u64,
    pub(crate) registration: Registration,
    pub(crate) commands: mpsc::Receiver<String>,
}

impl ControlChannel {
    /// Serves the channel until either side ends it.
    pub(crate) async fn serve(mut self, joined: Joined) {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(4 * 1024)
            .max_message_size(Some(MAX_CONTROL_BODY))
            .max_frame_size(Some(MAX_CONTROL_BODY));
        let (stream, rest) = (joined.stream, joined.rest.to_vec());
        let mut socket =
            WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
        let end = self.run(&mut socket).await;
        let id = self.id;
        // From here on no sender is sent this way.
        drop((self.registration, self.commands));
        match end {
            End::Close(code, reason) => {
                debug!(id, code, reason, "closing the control channel");
                close(socket, code, &reason).await;
            }
            End::ByListener => {
                debug!(id, "the listener closed its control channel");
                conclude(socket).await;
            }
            End::Lost(error) => debug!(id, %error, "the control channel is lost"),
        }
    }

    async fn run(&mut self, socket: &mut WebSocketStream<Stream>) -> End {
        let relay = Arc::clone(&self.relay);
        let stopped = relay.stopped();
        tokio::pin!(stopped);
        let pause = match relay.timing.keep_alive {
            Duration::ZERO => FOREVER,
            pause => pause,
        };
        let mut keep_alive = interval_at(Instant::now() + pause, pause);
        loop {
            // A listener that takes nothing holds up its own step, and not the end of the relay.
            let step = tokio::select! {
                () = &mut stopped => {
                    return End::Close(CLOSE_GOING_AWAY, "The relay is shutting down.".to_owned());
                }
                () = sleep_until(self.deadline()) => {
                    return self.policy_violation("The token has expired.");
                }
                step = self.step(socket, &mut keep_alive) => step,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends what is to be sent, or obeys one message.
    async fn step(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
        keep_alive: &mut Interval,
    ) -> Result<(), End> {
        tokio::select! {
            Some(command) = self.commands.recv() => self.send(socket, command).await,
            _ = keep_alive.tick() => {
                let pong = socket.send(Message::Pong("".into()));
                within(self.relay.timing.send, pong).await
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => self.obey(&text),
                // Nothing else is read before the pong has been taken, so that a listener that
                // reads nothing cannot pile up pongs.
                Some(Ok(Message::Ping(_))) => within(self.relay.timing.send, socket.flush()).await,
                Some(Ok(Message::Close(_))) => Err(End::ByListener),
                // Bodies belong to responses, of which there are none.
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error.into()),
                None => Err(End::Lost(Error::ConnectionClosed)),
            },
        }
    }

    /// Sends what waits in one go.
    async fn send(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
        command: String,
    ) -> Result<(), End> {
        let limit = self.relay.timing.send;
        within(limit, socket.feed(Message::text(command))).await?;
        while let Ok(command) = self.commands.try_recv() {
            within(limit, socket.feed(Message::text(command))).await?;
        }
        within(limit, socket.flush()).await
    }

    fn obey(&mut self, text: &str) -> Result<(), End> {
        let id = &self.id;
        match Reply::parse(text) {
            Ok(Reply::RenewToken(token)) => return self.renew(&token),
            Ok(reply) => debug!(id, ?reply, "ignoring a command"),
            Err(error) => debug!(id, %error, "ignoring a message"),
        }
        Ok(())
    }

    fn renew(&mut self, token: &str) -> Result<(), End> {
        let demand = Demand {
            hosts: &self.relay.hosts,
            path: &self.path,
            right: Some(Right::Listen),
            now: unix_now(),
            clock_skew: self.relay.clock_skew,
        };
        let verified = verify(token, &self.connection.rules, &self.relay.rules, &demand)
            .map_err(|error| self.policy_violation(&error.to_string()))?;
        self.expires_at = verified.expires_at;
        debug!(id = self.id, expires_at = self.expires_at, "token renewed");
        Ok(())
    }

    /// When the token and the grace are over.
    fn deadline(&self) -> Instant {
        let left = Duration::from_secs(self.expires_at.saturating_sub(unix_now())).min(FOREVER);
        Instant::now() + left + self.relay.timing.renewal_grace
    }

    fn policy_violation(&self, message: &str) -> End {
        let reason = format!("{message} TrackingId:{}", self.id);
        End::Close(CLOSE_POLICY_VIOLATION, reason)
    }
}

/// Why a channel ends.
#[derive(Debug)]
enum End {
    /// The relay ends it, with code and reason.
    Close(u16, String),
    /// The listener has sent a close frame.
    ByListener,
    /// The connection has failed.
    Lost(Error),
}

/// What breaks the protocol is told why; what fails is lost.
impl From<Error> for End {
    fn from(error: Error) -> Self {
        match &error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost(error),
            Error::Protocol(violation) => Self::Close(1002, violation.to_string()),
            Error::Utf8(_) => Self::Close(1007, "The text is not valid UTF-8.".to_owned()),
            Error::Capacity(_) => {
                let reason = format!("A message has at most {MAX_CONTROL_BODY} bytes.");
                Self::Close(1009, reason)
            }
            _ => Self::Lost(error),
        }
    }
}

/// Waits for a listener to take what it is sent.
async fn within(
    limit: Duration,
    sending: impl Future<Output = Result<(), Error>>,
) -> Result<(), End> {
    match timeout(limit, sending).await {
        Ok(sent) => sent.map_err(End::from),
        Err(_) => Err(End::Lost(Error::Io(io::ErrorKind::TimedOut.into()))),
    }
}

/// Answers the listener's close frame.
async fn conclude(mut socket: WebSocketStream<Stream>) {
    let _ = timeout(LINGER, socket.flush()).await;
    linger(socket.into_inner()).await;
}

/// Sends a close frame and waits for the listener's end.
async fn close(mut socket: WebSocketStream<Stream>, code: u16, reason: &str) {
    let reason = clean_reason(reason);
    let reason: Utf8Bytes = reason[..reason.len().min(LONGEST_REASON)].into();
    let frame = CloseFrame {
        code: code.into(),
        reason,
    };
    if let Ok(Ok(())) = timeout(LINGER, socket.close(Some(frame))).await {
        linger(socket.into_inner()).await;
    }
}

/// What fits into a close frame beside its code.
const LONGEST_REASON: usize = 123;
/// More than any process runs, and still a time that a timer can hold.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
