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
/// How much of an answer may wait for the relay before more of it is read.
const OUTPUT: usize = 64 * 1024;
/// At least what a frame has before its payload.
const FRAME_HEADER: usize = 16;
/// A buffer up to this size is kept for the next frames; an event stream holds one.
const KEPT: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair() -> (Channel, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let channel = Channel {
            stream: Stream::Plain(near.unwrap()),
            reader: PartReader::new(false),
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
            lender: None,
            masks: MaskSource::new(),
            in_message: false,
            buffers: Arc::default(),
        };
        (channel, far.unwrap().0)
    }

    /// What the relay gets when all was sent: the text, the binary message, whether that has ended.
    async fn sent(mut channel: Channel, mut relay: TcpStream) -> (String, Vec<u8>, bool) {
        let mut came = Vec::new();
        let sending = async {
            while !channel.has_sent() {
                poll_fn(|cx| channel.poll_send(cx)).await.unwrap();
            }
            drop(channel);
        };
        let (_, read) = tokio::join!(sending, relay.read_to_end(&mut came));
        read.unwrap();
        let mut reader = PartReader::new(true);
        let (mut at, mut text, mut body, mut has_ended) = (0, Vec::new(), Vec::new(), false);
        while at < came.len() {
            let (count, part) = reader.next(&mut came[at..]).unwrap();
            match part {
                Some(Part::Text { bytes, .. }) => text.extend_from_slice(bytes),
                Some(Part::Binary { bytes, last }) => {
                    body.extend_from_slice(bytes);
                    has_ended = last;
                }
                _ => {}
            }
            at += count;
        }
        (String::from_utf8(text).unwrap(), body, has_ended)
    }

    fn counted(length: usize) -> Vec<u8> {
        (0..length).map(|index| index as u8).collect()
    }

    #[tokio::test]
    async fn a_chunk_becomes_a_frame_where_it_lies_and_its_memory_goes_back() {
        let (mut channel, relay) = pair().await;
        let pool = Arc::new(BufferPool::default());
        // More than is asked for, by which it is known again.
        pool.give(Vec::with_capacity(150_000));
        let (mut body, head) = (counted(100_000), "x".repeat(500));
        channel.queue_text(&head);
        channel.queue_chunk(Chunk::copied(&body, &pool));
        channel.queue_data(b"end", true);
        assert_eq!(channel.output.capacity(), 150_000, "nothing was copied");
        body.extend_from_slice(b"end");
        assert_eq!(sent(channel, relay).await, (head, body, true));
    }

    #[tokio::test]
    async fn memory_of_a_chunk_goes_back_to_its_pool_once_it_was_sent() {
        let (mut channel, mut relay) = pair().await;
        let pool = Arc::new(BufferPool::default());
        pool.give(Vec::with_capacity(150_000));
        for _ in 0..3 {
            channel.queue_chunk(Chunk::copied(&counted(100_000), &pool));
            assert!(!channel.has_room(), "what waits is sent first");
            let mut came = vec![0; 100_000];
            let sending = async {
                while !channel.has_sent() {
                    poll_fn(|cx| channel.poll_send(cx)).await.unwrap();
                }
            };
            let (_, read) = tokio::join!(sending, relay.read_exact(&mut came));
            read.unwrap();
            assert!(channel.has_room());
        }
        assert_eq!(pool.take(100_000).capacity(), 150_000);
        assert!(channel.buffers.take(100_000).capacity() < 150_000);
    }

    #[tokio::test]
    async fn a_chunk_before_which_there_is_no_room_is_copied() {
        let (mut channel, relay) = pair().await;
        let pool = Arc::new(BufferPool::default());
        let (body, head) = (counted(100_000), "x".repeat(5_000));
        channel.queue_text(&head);
        channel.queue_chunk(Chunk::copied(&body, &pool));
        assert_eq!(sent(channel, relay).await, (head, body, false));
    }
}
