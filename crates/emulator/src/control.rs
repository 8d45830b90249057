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
//! | the listener closes, or is lost | forget it at once |
//! | the emulator closes | close 1001 |

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hyco_protocol::{
    Demand, Reply, Right,
    command::MAX_CONTROL_BODY,
    status::{CLOSE_GOING_AWAY, CLOSE_POLICY_VIOLATION, clean_reason},
    verify,
};
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use tracing::debug;

use crate::{
    bridge::Joined,
    hybrid_connection::{HybridConnection, Registration},
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

/// A close frame to be sent: code and reason.
type Closing = (u16, String);

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
        let ended = self.run(&mut socket).await;
        let id = self.id;
        // From here on no sender is sent this way.
        drop((self.registration, self.commands));
        match ended {
            Ok(Some((code, reason))) => {
                debug!(id, code, reason, "closing the control channel");
                close(&mut socket, code, &reason).await;
            }
            Ok(None) => debug!(id, "the listener closed its control channel"),
            Err(error) => debug!(id, %error, "the control channel is lost"),
        }
    }

    /// Gives the close frame to be sent, or none after the listener's own.
    async fn run(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
    ) -> Result<Option<Closing>, Error> {
        let timing = self.relay.timing;
        let relay = Arc::clone(&self.relay);
        let stopped = relay.stopped();
        tokio::pin!(stopped);
        let pause = if timing.keep_alive.is_zero() {
            FOREVER
        } else {
            timing.keep_alive
        };
        let mut keep_alive = interval_at(Instant::now() + pause, pause);
        loop {
            let expiry = sleep_until(self.deadline());
            let sent = tokio::select! {
                () = &mut stopped => {
                    return Ok(Some((CLOSE_GOING_AWAY, "The relay is shutting down.".to_owned())));
                }
                () = expiry => return Ok(Some(self.policy_violation("The token has expired."))),
                Some(command) = self.commands.recv() => {
                    timeout(timing.send, self.send(socket, command)).await
                }
                _ = keep_alive.tick() => {
                    timeout(timing.send, socket.send(Message::Pong("".into()))).await
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => match self.obey(&text) {
                        Ok(()) => continue,
                        Err(closing) => return Ok(Some(closing)),
                    },
                    Some(Ok(Message::Close(_))) => return self.conclude(socket).await,
                    // Bodies belong to responses, of which there are none.
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(error),
                    None => return Ok(None),
                },
            };
            sent.map_err(|_| Error::ConnectionClosed)??;
        }
    }

    /// Sends what waits in one go.
    async fn send(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
        command: String,
    ) -> Result<(), Error> {
        socket.feed(Message::text(command)).await?;
        while let Ok(command) = self.commands.try_recv() {
            socket.feed(Message::text(command)).await?;
        }
        socket.flush().await
    }

    fn obey(&mut self, text: &str) -> Result<(), Closing> {
        let id = &self.id;
        match Reply::parse(text) {
            Ok(Reply::RenewToken(token)) => return self.renew(&token),
            Ok(reply) => debug!(id, ?reply, "ignoring a command"),
            Err(error) => debug!(id, %error, "ignoring a message"),
        }
        Ok(())
    }

    fn renew(&mut self, token: &str) -> Result<(), Closing> {
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

    fn policy_violation(&self, message: &str) -> Closing {
        (
            CLOSE_POLICY_VIOLATION,
            format!("{message} TrackingId:{}", self.id),
        )
    }

    /// Answers the listener's close frame.
    async fn conclude(
        &self,
        socket: &mut WebSocketStream<Stream>,
    ) -> Result<Option<Closing>, Error> {
        let answered = timeout(CLOSE_TIMEOUT, async {
            while socket.next().await.is_some() {}
        });
        let _ = answered.await;
        Ok(None)
    }
}

/// Sends a close frame and waits for the listener's.
async fn close(socket: &mut WebSocketStream<Stream>, code: u16, reason: &str) {
    let reason = clean_reason(reason);
    let reason: Utf8Bytes = reason[..reason.len().min(LONGEST_REASON)].into();
    let frame = CloseFrame {
        code: code.into(),
        reason,
    };
    let closed = timeout(CLOSE_TIMEOUT, async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    let _ = closed.await;
}

/// What fits into a close frame beside its code.
const LONGEST_REASON: usize = 123;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// More than any process runs, and still a time that a timer can hold.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
