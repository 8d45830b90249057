//! The relay's side of an exchange: the rendezvous, if the request or its answer needs one.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::Instant;

use super::{Failure, Pump, WINDOW};
use crate::http::{
    answer::{Way, response_json},
    channel::{MOST_STRETCHES, OfBody},
    service::Transport,
};

impl Pump<'_> {
    /// Reads what the relay sends: the body, or that the sender has left.
    pub(super) fn read_relay(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let Some(channel) = &mut self.channel else {
            return Ok(false);
        };
        let mut moved = false;
        let mut passed = 0;
        loop {
            // The server has its own window. What waits for it here is the rest of one read at the most.
            let waits = self.written < self.to_server.len();
            if self.body_follows && (waits || passed >= WINDOW) {
                return Ok(moved);
            }
            let found = channel.next_of_body().map_err(|broken| {
                tracing::debug!(%broken, "rendezvous dropped");
                Failure::SenderGone
            })?;
            match found {
                OfBody::Nothing => match channel.poll_fill(cx) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        self.given = Instant::now();
                        moved = true;
                    }
                    Poll::Ready(_) => return self.relay_ended().map(|()| moved),
                    Poll::Pending => return Ok(moved),
                },
                OfBody::Bytes { last } if self.body_follows => {
                    passed += channel.stretches().map(<[u8]>::len).sum::<usize>();
                    if !self.server_is_deaf {
                        self.unflushed = true;
                        let transport = Pin::new(&mut *self.transport);
                        let stretches = channel.stretches();
                        match write_chunk(transport, cx, stretches, last, &mut self.to_server) {
                            Ok(()) => {}
                            // It may have answered without reading, so what it wrote decides.
                            Err(_) => self.server_is_deaf = true,
                        }
                    }
                    self.body_follows = !last;
                    moved = true;
                }
                OfBody::Bytes { .. } => {}
                OfBody::Closed => return self.relay_ended().map(|()| moved),
                OfBody::Text => return Err(Failure::NoBody),
            }
        }
    }

    /// The rendezvous is closed. That is how it should be only when all has been sent.
    fn relay_ended(&self) -> Result<(), Failure> {
        let sent = self.streams.is_some() && self.parser.is_done();
        match sent
            && self
                .channel
                .as_ref()
                .is_some_and(|channel| channel.has_sent())
        {
            true => Ok(()),
            false => Err(Failure::SenderGone),
        }
    }

    /// Opens the rendezvous if the answer needs one, and begins the answer there.
    pub(super) fn choose_way(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        if self.streams.is_some() || self.gathered.head.is_none() {
            return Ok(false);
        }
        let done = self.parser.is_done();
        let way = self.way();
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
        let status = head.status;
        let body = mem::take(&mut self.gathered.body);
        let has_body = !body.is_empty() || !done;
        channel.queue_text(&response_json(
            head,
            self.id,
            self.options.cookies,
            has_body,
        ));
        if has_body && (done || !body.is_empty()) {
            channel.queue_data(&body, done);
        }
        self.streams = Some(status);
        Ok(true)
    }

    pub(super) fn write_relay(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let Some(channel) = &mut self.channel else {
            return Ok(false);
        };
        if channel.has_sent() {
            return Ok(false);
        }
        match channel.poll_send(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => {
                self.taken = Instant::now();
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "the sender left");
                Err(Failure::SenderGone)
            }
        }
    }
}

/// Writes a chunk of a body from where its stretches lie, to be flushed. What the server does not take yet
/// goes to `rest`, and all of it if something waits there.
fn write_chunk<'a>(
    mut server: Pin<&mut dyn Transport>,
    cx: &mut Context<'_>,
    stretches: impl Iterator<Item = &'a [u8]>,
    last: bool,
    rest: &mut Vec<u8>,
) -> io::Result<()> {
    let mut slices = [IoSlice::new(&[]); MOST_STRETCHES + 2];
    let (mut count, mut length) = (1, 0);
    for stretch in stretches {
        slices[count] = IoSlice::new(stretch);
        (count, length) = (count + 1, length + stretch.len());
    }
    let size = format!("{length:x}\r\n");
    match length {
        0 if !last => return Ok(()),
        0 => slices[0] = IoSlice::new(LAST_CHUNK),
        _ => {
            let end: &[u8] = if last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
            slices[0] = IoSlice::new(size.as_bytes());
            slices[count] = IoSlice::new(end);
            count += 1;
        }
    }
    let mut left = &mut slices[..count];
    while !left.is_empty() && rest.is_empty() {
        match server.as_mut().poll_write_vectored(cx, left)? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => IoSlice::advance_slices(&mut left, count),
            Poll::Pending => break,
        }
    }
    for slice in left {
        rest.extend_from_slice(slice);
    }
    Ok(())
}

/// What ends a body that comes in chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
