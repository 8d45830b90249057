//! Moves one request to a server and its answer back, with back-pressure both ways.
//!
//! | from | to | held at most |
//! |---|---|---|
//! | the rendezvous | the server | 64 KiB, and what one read took |
//! | the server | an answer that is gathered | 64 KiB, and what one read took |
//! | the server | the rendezvous | 128 KiB, and what one read took |
//!
//! A side that takes nothing is not read for.

use std::{
    future::Future,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyco_protocol::http::ResponseHead;
use hyco_websocket::Part;
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    answer::{Gathered, Way, response_json},
    channel::Channel,
    parser::{AnswerParser, AnswerSink},
    service::{HandlerFailed, HttpOptions, NotServed, Transport},
};
use crate::error::{Error, Result};

/// Gives the rendezvous of the request when its answer needs one.
pub(crate) type Dialling = Pin<Box<dyn Future<Output = Result<Channel>> + Send>>;

/// One request under way.
pub(crate) struct Pump<'a> {
    pub(crate) options: &'a HttpOptions,
    pub(crate) id: &'a str,
    pub(crate) transport: &'a mut dyn Transport,
    /// What the server still has to be sent: head and body.
    to_server: Vec<u8>,
    written: usize,
    /// The rest of the body comes by the rendezvous.
    body_follows: bool,
    server_is_deaf: bool,
    parser: AnswerParser,
    server_ended: bool,
    gathered: Gathered,
    channel: Option<Channel>,
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

/// How an exchange ended well.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The answer is whole and small; it has not been sent.
    Whole(ResponseHead, Vec<u8>),
    /// The answer was sent by the rendezvous, which is still open.
    Sent,
}

/// What is left of an exchange.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The rendezvous, if there is one.
    pub(crate) channel: Option<Channel>,
    /// The rest of the body still comes there.
    pub(crate) body_left: bool,
    /// The status of the answer that has begun there; none when no other can be in its way.
    pub(crate) status: Option<u16>,
    /// Whether the server's connection can serve another request.
    pub(crate) reusable: bool,
}

/// How an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No head came within its time.
    TimedOut,
    /// The handler threw.
    HandlerFailed,
    /// No server takes it.
    NotServed,
    /// The server gave up, or wrote what cannot be relayed.
    Server(Error),
    /// The rendezvous could not be opened.
    Rendezvous(Error),
    /// The sender left.
    SenderGone,
    /// The relay, or the sender behind it, does not move any more.
    Stalled,
    /// What came in place of a body is none.
    NoBody,
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
    pub(crate) fn at(&mut self, channel: Channel, body_follows: bool) {
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
        }
    }

    /// Goes on until the answer is whole, or cannot become so.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<Ended, Failure>> {
        for _ in 0..STEPS_A_TURN {
            let mut moved = self.write_to_server(cx);
            moved |= self.read_relay(cx)?;
            moved |= self.read_server(cx)?;
            moved |= self.choose_way(cx)?;
            moved |= self.write_relay(cx)?;
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

    fn ended(&mut self) -> Option<Ended> {
        if !self.parser.is_done() {
            return None;
        }
        if self.streams.is_some() {
            let sent = self
                .channel
                .as_ref()
                .is_some_and(|channel| channel.unsent() == 0);
            return sent.then_some(Ended::Sent);
        }
        if self.channel.is_some()
            || self.dialling.is_some()
            || self.gathered.way(true, self.options.flush_delay) != Way::Control
        {
            return None;
        }
        let head = self.gathered.head.take()?;
        Some(Ended::Whole(head, mem::take(&mut self.gathered.body)))
    }

    fn write_to_server(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while self.written < self.to_server.len() {
            let rest = &self.to_server[self.written..];
            match Pin::new(&mut *self.transport).poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => self.written += count,
                // It may have answered without reading, so what it wrote decides.
                Poll::Ready(_) => {
                    self.server_is_deaf = true;
                    self.written = self.to_server.len();
                }
                Poll::Pending => return moved,
            }
            moved = true;
        }
        if moved && !self.server_is_deaf {
            // Only sends what is written; a failure shows when the answer is read.
            let _ = Pin::new(&mut *self.transport).poll_flush(cx);
        }
        self.written = 0;
        match self.to_server.capacity() > KEPT {
            true => self.to_server = Vec::new(),
            false => self.to_server.clear(),
        }
        moved
    }

    /// Reads what the relay sends: the body, or that the sender has left.
    fn read_relay(&mut self, cx: &mut Context<'_>) -> std::result::Result<bool, Failure> {
        let Some(channel) = &mut self.channel else {
            return Ok(false);
        };
        let mut moved = false;
        loop {
            if self.body_follows && self.to_server.len() - self.written >= WINDOW {
                self.given = Instant::now();
                return Ok(moved);
            }
            let part = channel.next().map_err(|broken| {
                tracing::debug!(%broken, "rendezvous dropped");
                Failure::SenderGone
            })?;
            match part {
                None => match channel.poll_fill(cx) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        self.given = Instant::now();
                        moved = true;
                    }
                    Poll::Ready(_) => return self.relay_ended().map(|()| moved),
                    Poll::Pending => return Ok(moved),
                },
                Some(Part::Binary { bytes, last }) if self.body_follows => {
                    if !self.server_is_deaf {
                        append_chunk(&mut self.to_server, bytes, last);
                    }
                    self.body_follows = !last;
                    moved = true;
                }
                Some(Part::Binary { .. } | Part::Pong) => {}
                Some(Part::Ping(payload)) => {
                    let payload = payload.to_vec();
                    channel.queue_pong(&payload);
                    moved = true;
                }
                Some(Part::Close(_)) => return self.relay_ended().map(|()| moved),
                Some(Part::Text { .. }) => return Err(Failure::NoBody),
            }
        }
    }

    /// The rendezvous is closed. That is how it should be only when all has been sent.
    fn relay_ended(&self) -> std::result::Result<(), Failure> {
        let sent = self.streams.is_some() && self.parser.is_done();
        match sent
            && self
                .channel
                .as_ref()
                .is_some_and(|channel| channel.unsent() == 0)
        {
            true => Ok(()),
            false => Err(Failure::SenderGone),
        }
    }

    fn read_server(&mut self, cx: &mut Context<'_>) -> std::result::Result<bool, Failure> {
        let mut moved = false;
        while !self.parser.is_done() && !self.server_ended && self.has_room() {
            let mut space = [MaybeUninit::uninit(); READ];
            let mut space = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *self.transport).poll_read(cx, &mut space) {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Err(error)) => return Err(failure_of(error)),
                Poll::Ready(Ok(())) => moved = true,
            }
            let bytes = space.filled();
            if bytes.is_empty() {
                self.server_ended = true;
                self.parser
                    .finish()
                    .map_err(|bad| Failure::Server(Error::BadAnswer(bad.0)))?;
                break;
            }
            let fed = match (&mut self.channel, self.streams.is_some()) {
                (Some(channel), true) => self.parser.feed(bytes, &mut Streamed(channel)),
                _ => self.parser.feed(bytes, &mut self.gathered),
            };
            fed.map_err(|bad| Failure::Server(Error::BadAnswer(bad.0)))?;
            if self.parser.is_upgraded() {
                return Err(Failure::Server(Error::BadAnswer(
                    "a 101 to a request that is no upgrade",
                )));
            }
        }
        if self.streams.is_some()
            && self.parser.is_done()
            && moved
            && let Some(channel) = &mut self.channel
        {
            channel.queue_data(&[], true);
        }
        Ok(moved)
    }

    fn has_room(&self) -> bool {
        match (&self.channel, self.streams.is_some()) {
            (Some(channel), true) => channel.unsent() < OUTPUT,
            _ => self.gathered.body.len() <= WINDOW,
        }
    }

    /// Opens the rendezvous if the answer needs one, and begins the answer there.
    fn choose_way(&mut self, cx: &mut Context<'_>) -> std::result::Result<bool, Failure> {
        if self.streams.is_some() || self.gathered.head.is_none() {
            return Ok(false);
        }
        let done = self.parser.is_done();
        let way = self.gathered.way(done, self.options.flush_delay);
        let Some(channel) = &mut self.channel else {
            if way == Way::Rendezvous
                && let Some(dial) = self.dial.take()
            {
                self.dialling = Some(dial());
            }
            let Some(dialling) = &mut self.dialling else {
                return Ok(false);
            };
            return match dialling.as_mut().poll(cx) {
                Poll::Pending => Ok(false),
                // What has become whole and small meanwhile can still go by the control channel. It waits
                // for the outcome, since the relay may take no other way once the rendezvous is open.
                Poll::Ready(Err(_)) if done && way == Way::Control => {
                    self.dialling = None;
                    Ok(true)
                }
                Poll::Ready(Err(error)) => Err(Failure::Rendezvous(error)),
                Poll::Ready(Ok(channel)) => {
                    (self.channel, self.dialling) = (Some(channel), None);
                    Ok(true)
                }
            };
        };
        if way == Way::Undecided {
            return Ok(false);
        }
        let Some(head) = self.gathered.head.take() else {
            return Ok(false);
        };
        let body = mem::take(&mut self.gathered.body);
        let has_body = !body.is_empty() || !done;
        channel.queue_text(&response_json(
            &head,
            self.id,
            self.options.cookies,
            has_body,
        ));
        if has_body && (done || !body.is_empty()) {
            channel.queue_data(&body, done);
        }
        self.streams = Some(head.status);
        Ok(true)
    }

    fn write_relay(&mut self, cx: &mut Context<'_>) -> std::result::Result<bool, Failure> {
        let Some(channel) = &mut self.channel else {
            return Ok(false);
        };
        if channel.unsent() == 0 {
            self.taken = Instant::now();
            return Ok(false);
        }
        match channel.poll_send(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(_)) => {
                self.taken = Instant::now();
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "the sender left");
                Err(Failure::SenderGone)
            }
        }
    }

    /// Waits for whatever comes first, or for the next deadline.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<Ended, Failure>> {
        loop {
            let next = self.next_deadline();
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if self.head_deadline.is_some_and(|at| at <= now) && !self.has_head() {
                return Poll::Ready(Err(Failure::TimedOut));
            }
            if self.stalls_at().is_some_and(|at| at <= now) {
                return Poll::Ready(Err(Failure::Stalled));
            }
            if self.flushes_at().is_some_and(|at| at <= now) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let head = self.head_deadline.filter(|_| !self.has_head());
        let never = Instant::now() + STALL;
        [head, self.stalls_at(), self.flushes_at()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(never)
    }

    fn has_head(&self) -> bool {
        self.streams.is_some() || self.gathered.head.is_some()
    }

    /// When an answer that has begun stops waiting to be whole; none once it has.
    fn flushes_at(&self) -> Option<Instant> {
        let waits = self.streams.is_none() && self.dialling.is_none() && !self.parser.is_done();
        self.gathered
            .flush_at(self.options.flush_delay)
            .filter(|_| waits)
    }

    /// When a relay that should take what is queued, or send the rest of a body, has had its time.
    fn stalls_at(&self) -> Option<Instant> {
        let unsent = self
            .channel
            .as_ref()
            .is_some_and(|channel| channel.unsent() > 0);
        let take = unsent.then(|| self.taken + STALL);
        let give = self.body_follows.then(|| self.given + STALL);
        take.into_iter().chain(give).min()
    }
}

/// Passes the body of an answer on as it comes.
struct Streamed<'a>(&'a mut Channel);

impl AnswerSink for Streamed<'_> {
    fn head(&mut self, _: ResponseHead) {}

    fn data(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.queue_data(bytes, false);
        }
    }
}

fn append_chunk(out: &mut Vec<u8>, bytes: &[u8], last: bool) {
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    if last {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

fn failure_of(error: std::io::Error) -> Failure {
    match error.get_ref() {
        Some(inner) if inner.is::<HandlerFailed>() => Failure::HandlerFailed,
        Some(inner) if inner.is::<NotServed>() => Failure::NotServed,
        _ => Failure::Server(Error::Upstream(error)),
    }
}

/// How much of a body may wait for the server, and how much of an answer to become whole.
const WINDOW: usize = 64 * 1024;
/// How much of an answer may wait for the relay.
const OUTPUT: usize = 128 * 1024;
/// How much one read from the server takes.
const READ: usize = 32 * 1024;
/// A written head up to this size stays until the exchange is over.
const KEPT: usize = 16 * 1024;
/// The relay cuts a body that makes no progress for a minute (docs/protocol.md, 5.7).
const STALL: Duration = Duration::from_secs(60);
/// After so many rounds other requests have their turn.
const STEPS_A_TURN: usize = 16;
