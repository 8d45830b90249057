//! The server's side of an exchange: the request goes there, the answer comes from there.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyco_protocol::http::{AnswerSink, ResponseHead};

use super::{Failure, Pump, WINDOW};
use crate::{
    error::Error,
    http::{
        channel::Channel,
        service::{HandlerFailed, NotServed, Written},
    },
};

impl Pump<'_> {
    pub(super) fn write_to_server(&mut self, cx: &mut Context<'_>) -> bool {
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
        self.unflushed |= moved;
        if self.unflushed {
            // A failure shows when the answer is read.
            let flushed = Pin::new(&mut *self.transport).poll_flush(cx);
            self.unflushed = flushed.is_pending();
        }
        self.written = 0;
        match self.to_server.capacity() > KEPT {
            true => self.to_server = Vec::new(),
            false => self.to_server.clear(),
        }
        moved
    }

    pub(super) fn read_server(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let mut moved = false;
        while !self.parser.is_done() && !self.server_ended && self.has_room() {
            let Self {
                transport,
                parser,
                channel,
                gathered,
                ..
            } = self;
            let streams = self.streams.is_some();
            let mut fed = Ok(0);
            let taken = transport.poll_take(cx, &mut |written| {
                let length = written.bytes().len();
                fed = match (written, channel.as_deref_mut()) {
                    (Written::Own(chunk), Some(channel))
                        if streams && parser.pass_over(length as u64) =>
                    {
                        channel.queue_chunk(chunk);
                        Ok(length)
                    }
                    (written, Some(channel)) if streams => {
                        let read = parser.feed(written.bytes(), &mut Streamed(channel));
                        read.map(|_| length)
                    }
                    (written, _) => parser.feed(written.bytes(), gathered).map(|_| length),
                };
            });
            match taken {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Err(error)) => return Err(failure_of(error)),
                Poll::Ready(Ok(())) => moved = true,
            }
            match fed {
                Ok(0) => {
                    self.server_ended = true;
                    let (has_begun, given_up) = (self.has_head(), self.transport.is_given_up());
                    self.parser
                        .finish()
                        .map_err(|bad| match (has_begun, given_up) {
                            (true, true) => Failure::GivenUp,
                            (true, false) => Failure::BrokenOff(Error::BadAnswer(bad.0)),
                            (false, _) => Failure::Server(Error::BadAnswer(bad.0)),
                        })?;
                    break;
                }
                Ok(_) => {}
                Err(bad) => return Err(Failure::Server(Error::BadAnswer(bad.0))),
            }
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
            (Some(channel), true) => channel.has_room(),
            _ => self.gathered.body.len() <= WINDOW && !self.is_long(),
        }
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

fn failure_of(error: std::io::Error) -> Failure {
    match error.get_ref() {
        Some(inner) if inner.is::<HandlerFailed>() => Failure::HandlerFailed,
        Some(inner) if inner.is::<NotServed>() => Failure::NotServed,
        _ => Failure::Server(Error::Upstream(error)),
    }
}

/// A written head up to this size stays until the exchange is over.
const KEPT: usize = 16 * 1024;
