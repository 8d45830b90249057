//! The service's end of a control channel.
//!
//! | event | action |
//! |---|---|
//! | a sender is announced | send `accept` |
//! | `renewToken` with a valid token | keep its expiry |
//! | `renewToken` with another token | close 1008 |
//! | the token has expired, and the grace has passed | close 1008 |
//! | it has lived for a day | close 1011 |
//! | Ping | answer it |
//! | `response`, and its body | answer the request that waits for it |
//! | another command, garbage | ignore it |
//! | nothing for 210 s | send a Pong, so that nothing in between thinks the channel dead |
//! | a message that breaks the protocol, or is too long | close 1002, 1007 or 1009 |
//! | the listener takes nothing for 60 s | forget it |
//! | the listener closes, or is lost | forget it at once |
//! | the hybrid connection is deleted, or the emulator closes | close 1001 |

mod end;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyco_protocol::{
    Demand, Reply, Response, Right,
    command::MAX_CONTROL_BODY,
    status::{CLOSE_GOING_AWAY, CLOSE_POLICY_VIOLATION},
    token::WebToken,
    verify,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{Role, WebSocketConfig},
    },
};
use tracing::{debug, warn};

use self::end::End;
use crate::{
    authorize::verify_web_token,
    bridge::Joined,
    events::EventKind,
    faults::{Exposure, FaultTarget, State},
    http::Answered,
    hybrid_connection::{HybridConnection, Outgoing, Registration},
    relay::Relay,
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
    pub(crate) commands: mpsc::Receiver<Outgoing>,
    /// An answer whose body is the next binary message.
    pub(crate) answering: Option<Response>,
    /// Something may wait in the socket's buffer.
    pub(crate) unwritten: bool,
}

impl ControlChannel {
    /// Serves the channel until either side ends it.
    pub(crate) async fn serve(mut self, joined: Joined) {
        let started = Instant::now();
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(4 * 1024)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (stream, rest) = (joined.stream, joined.rest.to_vec());
        let mut socket =
            WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
        let end = self.run(&mut socket).await;
        let id = self.id;
        let serial = self.registration.serial;
        // From here on no sender is sent this way.
        drop((self.registration, self.commands));
        if matches!(end, End::Lost(_) | End::Dropped) {
            let (relay, connection) = (Arc::clone(&self.relay), Arc::clone(&self.connection));
            tokio::spawn(abandon(relay, connection, serial));
        }
        debug!(id, %end, "the control channel ends");
        self.relay.events.tell(EventKind::Closed {
            what: "listener",
            connection: None,
            hybrid_connection: self.connection.path.clone(),
            tracking_id: id,
            reason: end.to_string(),
            duration: started.elapsed().as_millis() as u64,
            to_listener: None,
            to_sender: None,
        });
        end.conclude(socket).await;
    }

    async fn run(&mut self, socket: &mut WebSocketStream<Stream>) -> End {
        let relay = Arc::clone(&self.relay);
        let stopped = relay.stopped();
        tokio::pin!(stopped);
        let mut orders = self.registration.orders.clone();
        let mut exposure = Exposure::default();
        let started = Instant::now();
        let mut keep_alive = interval_of(relay.timing().keep_alive);
        loop {
            // Faults, orders and times may have changed.
            let state = self.look_around(&mut exposure);
            if let Some(end) = state.ending {
                return end.into();
            }
            if let Some(closing) = orders.borrow_and_update().end.clone() {
                return match closing {
                    Some((code, reason)) => End::Close(code, reason),
                    None => End::Dropped,
                };
            }
            let timing = relay.timing();
            if keep_alive.period() != pause_of(timing.keep_alive) {
                keep_alive = interval_of(timing.keep_alive);
            }
            let life = match timing.channel_life {
                Duration::ZERO => FOREVER,
                life => life,
            };
            let silent = state.hole_to_listener || state.hole_to_sender;
            let expiry = deadline(&relay, self.expires_at);
            // A listener that takes nothing holds up its own step, and not the end of the relay.
            let step = async {
                match silent {
                    true => std::future::pending().await,
                    false => self.step(socket, &mut keep_alive, timing.send).await,
                }
            };
            let step = tokio::select! {
                () = &mut stopped => {
                    return End::Close(CLOSE_GOING_AWAY, "The relay is shutting down.".to_owned());
                }
                _ = orders.changed() => Ok(()),
                () = sleep_until(state.next.unwrap_or_else(|| Instant::now() + FOREVER)) => Ok(()),
                () = sleep_until(started + life) => {
                    let reason = format!("NameRenewalFailed TrackingId:{}", self.id);
                    return End::Close(CLOSE_INTERNAL_ERROR, reason);
                }
                () = sleep_until(expiry) => {
                    return policy_violation(&self.id, "The token has expired.");
                }
                step = step => step,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sees what the faults are now.
    fn look_around(&self, exposure: &mut Exposure) -> State {
        let path = &self.connection.path;
        let new = exposure.refresh(&self.relay.faults, FaultTarget::Control, path);
        for active in new {
            self.relay.events.tell(EventKind::Fault {
                fault: active.id,
                kind: active.fault.kind.as_str(),
                target: self.id.clone(),
            });
        }
        exposure.state(Instant::now())
    }

    /// Sends what is to be sent, or obeys one message. Dropping it loses nothing: what was taken is in
    /// the socket's buffer, which the next step writes first.
    async fn step(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
        keep_alive: &mut Interval,
        limit: Duration,
    ) -> Result<(), End> {
        if self.unwritten {
            within(limit, socket.flush()).await?;
            self.unwritten = false;
        }
        tokio::select! {
            Some(command) = self.commands.recv() => self.send(socket, command)?,
            _ = keep_alive.tick() => self.put(socket, Message::Pong("".into()))?,
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => self.obey(&text)?,
                // Nothing else is read before the pong has been taken, so that a listener that
                // reads nothing cannot pile up pongs.
                Some(Ok(Message::Ping(_))) => self.unwritten = true,
                Some(Ok(Message::Close(_))) => return Err(End::ByListener),
                Some(Ok(Message::Binary(body))) => match self.answering.take() {
                    Some(response) => self.answer(response, body),
                    None => debug!(id = self.id, "ignoring a stray body"),
                },
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(End::Lost(Error::ConnectionClosed)),
            },
        }
        Ok(())
    }

    /// Sends what waits in one go.
    fn send(&mut self, socket: &mut WebSocketStream<Stream>, command: Outgoing) -> Result<(), End> {
        let mut size = 0;
        let mut next = Some(command);
        while let Some((text, body)) = next {
            size += text.len() + body.as_ref().map_or(0, Bytes::len);
            self.put(socket, Message::text(text))?;
            if let Some(body) = body {
                self.put(socket, Message::Binary(body))?;
            }
            next = match size < MOST_AT_ONCE {
                true => self.commands.try_recv().ok(),
                false => None,
            };
        }
        Ok(())
    }

    fn put(&mut self, socket: &mut WebSocketStream<Stream>, message: Message) -> Result<(), End> {
        self.unwritten = true;
        Ok(socket.start_send_unpin(message)?)
    }

    fn obey(&mut self, text: &str) -> Result<(), End> {
        let id = &self.id;
        match Reply::parse(text) {
            Ok(Reply::RenewToken(token)) => return self.renew(&token),
            Ok(Reply::Response(response)) if response.body => self.answering = Some(response),
            Ok(Reply::Response(response)) => self.answer(response, Bytes::new()),
            Ok(reply) => debug!(id, ?reply, "ignoring a command"),
            Err(error) => debug!(id, %error, "ignoring a message"),
        }
        Ok(())
    }

    /// Hands an answer to the request that waits for it; one that is too late is ignored.
    fn answer(&self, response: Response, body: Bytes) {
        if body.len() > MAX_CONTROL_BODY {
            warn!(
                id = self.id,
                "an answer on a control channel is longer than 64 KiB"
            );
        }
        let exchanges = &self.relay.exchanges;
        match exchanges.claim(&response.request_id, &self.connection) {
            Some(sender) => {
                let body = body.into();
                // The sender may have left just now.
                let _ = sender.send(Ok(Answered {
                    response,
                    body,
                    kept: None,
                }));
            }
            None => debug!(
                id = response.request_id,
                "ignoring an answer nobody waits for"
            ),
        }
    }

    fn renew(&mut self, token: &str) -> Result<(), End> {
        let demand = Demand {
            hosts: &self.relay.hosts,
            path: &self.path,
            right: Some(Right::Listen),
            now: self.relay.now(),
            clock_skew: self.relay.clock_skew,
        };
        if self.relay.accept_jwt
            && let Ok(web) = WebToken::parse(token)
        {
            let verified = verify_web_token(web, Right::Listen, &demand)
                .map_err(|failure| policy_violation(&self.id, &failure.message))?;
            self.expires_at = verified.expires_at;
            return Ok(());
        }
        let (own, common) = (self.connection.rules(), self.relay.rules());
        let verified = verify(token, &own, &common, &demand)
            .map_err(|error| policy_violation(&self.id, &error.to_string()))?;
        self.expires_at = verified.expires_at;
        debug!(id = self.id, expires_at = self.expires_at, "token renewed");
        Ok(())
    }
}

/// Gives up the requests that a lost listener was told of, unless it comes back in time: it could still
/// answer them by its next control channel.
async fn abandon(relay: Arc<Relay>, connection: Arc<HybridConnection>, serial: u64) {
    let stopped = relay.within(|times| times.comeback, relay.stopped());
    if stopped.await.is_some() {
        return;
    }
    if !connection.has_listener_since(serial) {
        relay.exchanges.abandon(serial);
    }
}

/// When a token and its grace are over. It is asked again after every step, so it is the same moment
/// each time: a busy channel must end as a quiet one does.
fn deadline(relay: &Relay, expires_at: u64) -> Instant {
    let end = Duration::from_secs(expires_at).saturating_add(relay.timing().renewal_grace);
    Instant::now() + end.saturating_sub(relay.clock()).min(FOREVER)
}

fn policy_violation(id: &str, message: &str) -> End {
    End::Close(CLOSE_POLICY_VIOLATION, format!("{message} TrackingId:{id}"))
}

fn pause_of(pause: Duration) -> Duration {
    match pause {
        Duration::ZERO => FOREVER,
        pause => pause,
    }
}

fn interval_of(pause: Duration) -> Interval {
    let pause = pause_of(pause);
    interval_at(Instant::now() + pause, pause)
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

/// The longest message. An answer has 64 KiB, but a listener that sends a longer one is not lost.
const MAX_MESSAGE: usize = 1024 * 1024;
/// How many bytes of commands are written together.
const MOST_AT_ONCE: usize = 64 * 1024;
const CLOSE_INTERNAL_ERROR: u16 = 1011;
/// More than any process runs, and still a time that a timer can hold.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
