//! A rendezvous for requests: commands as text messages, bodies as binary ones, both without limits.

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyco_protocol::status::CLOSE_NORMAL;
use hyco_websocket::{Broken, MaskSource, OpCode, Part, PartReader, append_frame};
use tokio::io::{AsyncReadExt as _, AsyncWrite};

use crate::{
    connection::BufferPool,
    dial::{Dial, Dialer},
    error::{Error, Result},
    stream::Stream,
};

/// An open rendezvous. It is boxed where it is passed on, since most requests have none.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: Stream,
    reader: PartReader,
    /// What was read; `input[taken..]` is still to be parsed.
    input: Vec<u8>,
    taken: usize,
    /// What is to be written; `output[sent..]` is still to be sent.
    output: Vec<u8>,
    sent: usize,
    masks: MaskSource,
    /// A binary message has begun.
    in_message: bool,
    /// Where large buffers come from. One is held only while something is in it.
    buffers: Arc<BufferPool>,
}

impl Channel {
    /// Dials the address of a request; it is its own credential (docs/protocol.md, 5.5).
    pub(crate) async fn dial(
        dialer: Dialer,
        address: String,
        timeout: Duration,
        buffers: Arc<BufferPool>,
    ) -> Result<Box<Self>> {
        let dial = Dial {
            address,
            headers: Vec::new(),
            protocols: Vec::new(),
            timeout,
        };
        let upgraded = dialer.dial(dial).await.map_err(Error::of_rendezvous)?;
        Ok(Box::new(Self {
            stream: upgraded.stream,
            reader: PartReader::new(false),
            input: upgraded.rest,
            taken: 0,
            output: Vec::new(),
            sent: 0,
            masks: MaskSource::new(),
            in_message: false,
            buffers,
        }))
    }

    /// The next part of what has been read; none when more has to be read first.
    pub(crate) fn next(&mut self) -> std::result::Result<Option<Part<'_>>, Broken> {
        if self.taken == self.input.len() {
            return Ok(None);
        }
        let (count, part) = self.reader.next(&mut self.input[self.taken..])?;
        self.taken += count;
        Ok(part)
    }

    /// Reads what has come; zero bytes are the end of the stream.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.taken == self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..self.taken);
        }
        self.taken = 0;
        if self.input.capacity() == 0 {
            self.input = self.buffers.take(READ);
        }
        // At most the beginning of a header or of a control frame lies here.
        self.input.reserve(READ / 2);
        let read = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        if self.input.is_empty() {
            self.buffers.give(std::mem::take(&mut self.input));
        }
        read
    }

    /// Queues a text message.
    pub(crate) fn queue_text(&mut self, text: &str) {
        self.append(true, OpCode::Text, text.as_bytes());
    }

    /// Queues a stretch of a binary message; `last` ends it.
    pub(crate) fn queue_data(&mut self, bytes: &[u8], last: bool) {
        let opcode = match self.in_message {
            true => OpCode::Continuation,
            false => OpCode::Binary,
        };
        self.in_message = !last;
        self.append(last, opcode, bytes);
    }

    /// Queues the answer to a ping.
    pub(crate) fn queue_pong(&mut self, payload: &[u8]) {
        self.append(true, OpCode::Pong, payload);
    }

    /// Queues a close with 1000.
    pub(crate) fn queue_close(&mut self) {
        self.append(true, OpCode::Close, &CLOSE_NORMAL.to_be_bytes());
    }

    /// Whether nothing waits for [`Self::poll_send`]: what was written may still be on its way through
    /// TLS, which takes more than the connection does.
    pub(crate) fn has_sent(&self) -> bool {
        self.output.is_empty()
    }

    /// Whether more of an answer should be queued. What is sent in part is finished first: behind it the
    /// rest would have to be moved.
    pub(crate) fn has_room(&self) -> bool {
        self.sent == 0 && self.output.len() < OUTPUT
    }

    /// Sends what is queued. Ready once something has left.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.sent;
        while self.sent < self.output.len() {
            let rest = &self.output[self.sent..];
            match Pin::new(&mut self.stream).poll_write(cx, rest)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => self.sent += count,
                Poll::Pending if self.sent == before => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.sent = 0;
        match self.output.capacity() > KEPT {
            true => self.buffers.give(std::mem::take(&mut self.output)),
            false => self.output.clear(),
        }
        Poll::Ready(Ok(()))
    }

    fn append(&mut self, fin: bool, opcode: OpCode, payload: &[u8]) {
        if self.sent > 0 && self.sent >= self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        let need = payload.len() + FRAME_HEADER;
        if payload.len() > KEPT && self.output.capacity() - self.output.len() < need {
            let mut larger = self.buffers.take(self.output.len() + need);
            larger.extend_from_slice(&self.output);
            self.buffers
                .give(std::mem::replace(&mut self.output, larger));
        }
        let mask = Some(self.masks.next());
        append_frame(&mut self.output, fin, opcode, payload, mask);
    }
}

/// How much one read takes.
const READ: usize = 64 * 1024;
/// How much of an answer may wait for the relay before more of it is read.
const OUTPUT: usize = 64 * 1024;
/// At least what a frame has before its payload.
const FRAME_HEADER: usize = 16;
/// A buffer up to this size is kept for the next frames; an event stream holds one.
const KEPT: usize = 4 * 1024;
