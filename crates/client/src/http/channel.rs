//! A rendezvous for requests: commands as text messages, bodies as binary ones, both without limits.

use std::{
    future::Future as _,
    io,
    ops::Range,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyco_protocol::status::CLOSE_NORMAL;
use hyco_websocket::{
    Broken, MaskSource, OpCode, Part, PartReader, append_frame, frame_header, mask_in_place,
};
use tokio::io::{AsyncReadExt as _, AsyncWrite};

use super::chunk::Chunk;
use crate::{
    connection::BufferPool,
    dial::{Dial, Dialer, Upgraded},
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
    /// Where in `input` the stretches lie that [`Self::next_of_body`] gave.
    stretches: Vec<Range<usize>>,
    /// What came behind them.
    interrupted: Option<OfBody>,
    /// What is to be written; `output[sent..]` is still to be sent.
    output: Vec<u8>,
    sent: usize,
    /// Where `output` goes back to, if that is another pool.
    lender: Option<Arc<BufferPool>>,
    masks: MaskSource,
    /// A binary message has begun.
    in_message: bool,
    /// Where large buffers come from. One is held only while something is in it.
    buffers: Arc<BufferPool>,
}

/// What has come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfBody {
    /// More has to be read first.
    Nothing,
    /// [`Channel::stretches`], and whether they end it.
    Bytes { last: bool },
    /// The relay has closed.
    Closed,
    /// A text message, which can be no part of one.
    Text,
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
        Ok(Box::new(Self::new(upgraded, buffers)))
    }

    pub(super) fn new(upgraded: Upgraded, buffers: Arc<BufferPool>) -> Self {
        Self {
            stream: upgraded.stream,
            reader: PartReader::new(false),
            input: upgraded.rest,
            taken: 0,
            stretches: Vec::new(),
            interrupted: None,
            output: Vec::new(),
            sent: 0,
            lender: None,
            masks: MaskSource::new(),
            in_message: false,
            buffers,
        }
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

    /// What has been read of a body, as much as there is. Pings are answered.
    pub(crate) fn next_of_body(&mut self) -> std::result::Result<OfBody, Broken> {
        self.stretches.clear();
        if let Some(interrupted) = self.interrupted.take() {
            return Ok(interrupted);
        }
        while self.taken < self.input.len() && self.stretches.len() < MOST_STRETCHES {
            let (count, part) = self.reader.next(&mut self.input[self.taken..])?;
            self.taken += count;
            let interrupted = match part {
                None if count == 0 => break,
                None | Some(Part::Pong) => continue,
                Some(Part::Binary { bytes, last }) => {
                    if !bytes.is_empty() {
                        self.stretches.push(self.taken - bytes.len()..self.taken);
                    }
                    if last {
                        return Ok(OfBody::Bytes { last });
                    }
                    continue;
                }
                Some(Part::Ping(payload)) => {
                    let payload = payload.to_vec();
                    self.queue_pong(&payload);
                    continue;
                }
                Some(Part::Close(_)) => OfBody::Closed,
                Some(Part::Text { .. }) => OfBody::Text,
            };
            if self.stretches.is_empty() {
                return Ok(interrupted);
            }
            self.interrupted = Some(interrupted);
            break;
        }
        Ok(match self.stretches.is_empty() {
            true => OfBody::Nothing,
            false => OfBody::Bytes { last: false },
        })
    }

    /// The stretches of a body that were just found.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = &[u8]> {
        self.stretches
            .iter()
            .map(|range| &self.input[range.clone()])
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
        let opcode = self.continue_message(last);
        self.append(last, opcode, bytes);
    }

    /// Queues a stretch of a binary message that does not end it, where it lies.
    pub(crate) fn queue_chunk(&mut self, mut chunk: Chunk) {
        let waits = &self.output[self.sent..];
        if waits.len() + FRAME_HEADER > chunk.room() {
            self.queue_data(chunk.bytes(), false);
            return;
        }
        let mask = self.masks.next();
        let length = chunk.bytes().len();
        mask_in_place(chunk.bytes_mut(), mask, 0);
        let opcode = self.continue_message(false);
        let (header, size) = frame_header(false, opcode, length, Some(mask));
        chunk.prepend(&header[..size]);
        chunk.prepend(&self.output[self.sent..]);
        let (memory, start, pool) = chunk.into_parts();
        self.replace_output(memory, Some(pool));
        self.sent = start;
    }

    /// What the next frame of a binary message is.
    fn continue_message(&mut self, last: bool) -> OpCode {
        let opcode = match self.in_message {
            true => OpCode::Continuation,
            false => OpCode::Binary,
        };
        self.in_message = !last;
        opcode
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
            true => self.replace_output(Vec::new(), None),
            false => self.output.clear(),
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on with other memory; the old one goes back to where it came from.
    fn replace_output(&mut self, memory: Vec<u8>, lender: Option<Arc<BufferPool>>) {
        let before = std::mem::replace(&mut self.output, memory);
        let lent = std::mem::replace(&mut self.lender, lender);
        lent.as_ref().unwrap_or(&self.buffers).give(before);
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
            self.replace_output(larger, None);
        }
        let mask = Some(self.masks.next());
        append_frame(&mut self.output, fin, opcode, payload, mask);
    }
}

/// How much one read takes.
const READ: usize = 64 * 1024;
/// How many stretches of a body are passed on together.
pub(crate) const MOST_STRETCHES: usize = 16;
/// How much of an answer may wait for the relay before more of it is read.
const OUTPUT: usize = 64 * 1024;
/// At least what a frame has before its payload.
const FRAME_HEADER: usize = 16;
/// A buffer up to this size is kept for the next frames; an event stream holds one.
const KEPT: usize = 4 * 1024;

#[cfg(test)]
mod tests;
