//! Moves one request to a server and its answer back, with back-pressure both ways.
//!
//! | from | to | held at most |
//! |---|---|---|
//! | the rendezvous | the server | what one read took, twice |
//! | the server | an answer that is gathered | 64 KiB, and what one read took |
//! | the server | the rendezvous | 64 KiB, and what one read took |
//!
//! A side that takes nothing is not read for.

mod deadlines;
mod outcome;
mod relay;
mod server;

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyco_protocol::{command::MAX_CONTROL_BODY, http::AnswerParser};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    answer::{Gathered, Way},
    channel::Channel,
    service::{HttpOptions, Transport},
};
use crate::error::Result;

pub(crate) use outcome::{Answered, Ended, Failure};

/// Gives the rendezvous of the request when its answer needs one.
pub(crate) type Dialling = Pin<Box<dyn Future<Output = Result<Box<Channel>>> + Send>>;

/// One request under way.
pub(crate) struct Pump<'a> {
    pub(crate) options: &'a HttpOptions,
    pub(crate) id: &'a str,
    pub(crate) transport: &'a mut dyn Transport,
    /// What the server still has to be sent: head and body.
    to_server: Vec<u8>,
    written: usize,
    /// What was written may still be on its way through TLS.
    unflushed: bool,
    /// The rest of the body comes by the rendezvous.
    body_follows: bool,
    server_is_deaf: bool,
    parser: AnswerParser,
    server_ended: bool,
    gathered: Gathered,
    channel: Option<Box<Channel>>,
    dial: Option<Box<dyn FnOnce() -> Dialling + Send + 'a>>,
    dialling: Option<Dialling>,
    /// The status of the answer whose head has been queued at the rendezvous.
    streams: Option<u16>,
    head_deadline: Option<Instant>,
    /// When the relay last took something, or had nothing to take.
    taken: Instant,
    /// When the relay last gave something, or was not asked to.
    given: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        options: &'a HttpOptions,
        id: &'a str,
        method: &str,
        transport: &'a mut dyn Transport,
        to_server: Vec<u8>,
    ) -> Self {
        let now = Instant::now();
        let head_deadline = options.response_timeout.map(|after| now + after);
        Self {
            options,
            id,
            transport,
            to_server,
            written: 0,
            unflushed: false,
            body_follows: false,
            server_is_deaf: false,
            parser: AnswerParser::new(method),
            server_ended: false,
            gathered: Gathered::default(),
            channel: None,
            dial: None,
            dialling: None,
            streams: None,
            head_deadline,
            taken: now,
            given: now,
            timer: Box::pin(sleep_until(head_deadline.unwrap_or(now + STALL))),
        }
    }

    /// The request came by this rendezvous; with `body_follows` its body comes there.
    pub(crate) fn at(&mut self, channel: Box<Channel>, body_follows: bool) {
        self.channel = Some(channel);
        self.body_follows = body_follows;
    }

    /// The request came by the control channel; this opens its rendezvous.
    pub(crate) fn dial_with(&mut self, dial: impl FnOnce() -> Dialling + Send + 'a) {
        self.dial = Some(Box::new(dial));
    }

    /// What is left when it is over.
    pub(crate) fn finish(self) -> Answered {
        Answered {
            reusable: self.parser.keeps_alive() && !self.body_follows && !self.server_is_deaf,
            channel: self.channel,
            body_left: self.body_follows,
            status: self.streams,
            is_unanswered: self.parser.is_untouched(),
        }
    }

    /// Goes on until the answer is whole, or cannot become so.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<Ended, Failure>> {
        self.restart_clocks();
        for _ in 0..STEPS_A_TURN {
            let mut moved = self.write_to_server(cx);
            moved |= self.read_relay(cx)?;
            moved |= self.read_server(cx)?;
            match self.choose_way(cx)? {
                // The head leaves with what there is of the body.
                true => moved = true,
                false => moved |= self.write_relay(cx)?,
            }
            if let Some(ended) = self.ended() {
                return Poll::Ready(Ok(ended));
            }
            if !moved {
                return self.wait(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Which way the answer goes. That of one that says that it is long is known before its body comes.
    fn way(&self) -> Way {
        match self.is_long() {
            true => Way::Rendezvous,
            false => {
                let delay = self.options.flush_delay;
                self.gathered.way(self.parser.is_done(), delay)
            }
        }
    }

    /// Whether the answer says that it is too long for the control channel. Nothing of it is gathered:
    /// it stays with the server until the rendezvous is open.
    fn is_long(&self) -> bool {
        self.parser
            .body_left()
            .is_some_and(|left| left > MAX_CONTROL_BODY as u64)
    }

    fn ended(&mut self) -> Option<Ended> {
        if !self.parser.is_done() {
            return None;
        }
        if self.streams.is_some() {
            let sent = self
                .channel
                .as_ref()
                .is_some_and(|channel| channel.has_sent());
            return sent.then_some(Ended::Sent);
        }
        if self.channel.is_some() || self.dialling.is_some() || self.way() != Way::Control {
            return None;
        }
        let head = self.gathered.head.take()?;
        Some(Ended::Whole(head, mem::take(&mut self.gathered.body)))
    }
}

/// How much of a body is passed to the server at a time, and how much of an answer waits to become whole.
const WINDOW: usize = 64 * 1024;
/// The relay cuts a body that makes no progress for a minute (docs/protocol.md, 5.7).
const STALL: Duration = Duration::from_secs(60);
/// After so many rounds other requests have their turn.
const STEPS_A_TURN: usize = 16;
