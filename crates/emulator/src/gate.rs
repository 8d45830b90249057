//! What a client sends behind a request that is not answered yet.
//!
//! hyper notices that a client has left only while it has nothing of it to read. A sender that waits
//! for its listener must be noticed all the same when it leaves, so bytes behind a request without a
//! body are held here until its answer is begun: hyper is shown the end of the connection, and nothing
//! else, in the meantime.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::stream::Stream;

/// A connection whose requests are read.
pub(crate) struct Gate {
    stream: Stream,
    state: State,
    /// The head that is being read.
    head: Vec<u8>,
    /// What came behind it.
    held: Vec<u8>,
    /// Runs when as much is held as may be.
    patience: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A request's head is being read.
    Head,
    /// A request without a body waits for its answer.
    Answering,
    /// A request had a body: everything passes.
    Open,
}

impl Gate {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            state: State::Head,
            head: Vec::new(),
            held: Vec::new(),
            patience: None,
        }
    }

    /// The connection, and what was held back of it.
    pub(crate) fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.held)
    }

    /// Looks at new bytes of a head; gives how many of them belong to it.
    fn scan(&mut self, bytes: &[u8]) -> usize {
        let from = self.head.len().saturating_sub(END_OF_HEAD.len() - 1);
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(at) = find(&self.head[from..], END_OF_HEAD) else {
            return bytes.len();
        };
        let end = from + at + END_OF_HEAD.len();
        self.state = match has_body(&self.head[..end]) {
            true => State::Open,
            false => State::Answering,
        };
        self.head = Vec::new();
        end - before
    }

    /// Whether the client leaves can no longer be seen, so it is sent away unless its answer comes.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(patience.as_mut().poll(cx));
        let reason = "too much was sent before the answer";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)))
    }

    /// Reads into the store, so that the end of the connection is seen.
    fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.patience.is_some() {
            return self.poll_patience(cx);
        }
        let mut bytes = [0; 4096];
        loop {
            let mut space = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
            if space.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(space.filled());
            if self.held.len() > MOST_HELD {
                return self.poll_patience(cx);
            }
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wanted: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state == State::Answering {
            return this.poll_hold(cx);
        }
        let before = wanted.filled().len();
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, wanted))?;
        } else {
            let count = this.held.len().min(wanted.remaining());
            wanted.put_slice(&this.held[..count]);
            this.held.drain(..count);
        }
        if this.state == State::Head {
            let count = this.scan(&wanted.filled()[before..]);
            let behind = wanted.filled()[before + count..].to_vec();
            this.held.splice(..0, behind);
            wanted.set_filled(before + count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.state == State::Answering {
            this.state = State::Head;
            this.patience = None;
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

/// Whether a head announces a body.
fn has_body(head: &[u8]) -> bool {
    head.split(|&byte| byte == b'\n').any(|line| {
        BODY_HEADERS.iter().any(|name| {
            line.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        })
    })
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const BODY_HEADERS: [&str; 2] = ["content-length:", "transfer-encoding:"];
/// What a client may send before it has its answer. RFC 6455 allows nothing; a little may be on its way.
const MOST_HELD: usize = 16 * 1024;
/// How long the answer may take when more than that is sent.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, timeout},
    };

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    /// The gate before a client that has sent a request and so many bytes behind it.
    async fn asked(behind: usize) -> (Gate, tokio::net::TcpStream) {
        let (stream, mut client) = Stream::pair().await;
        client.write_all(HEAD).await.expect("a connection");
        let mut gate = Gate::new(stream);
        let mut head = vec![0; HEAD.len()];
        gate.read_exact(&mut head).await.expect("a head");
        client.write_all(&vec![7; behind]).await.expect("room");
        (gate, client)
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_too_much_behind_its_request_has_a_second_for_its_answer() {
        let (mut gate, _client) = asked(16 * 1024 + 1).await;
        let started = Instant::now();
        let reading = timeout(Duration::from_secs(60), gate.read_u8()).await;
        let error = reading.expect("it ends").expect_err("nothing passes");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(started.elapsed().as_millis() / 10, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn sixteen_kibibytes_behind_a_request_wait_for_its_answer() {
        let (mut gate, _client) = asked(16 * 1024).await;
        let reading = timeout(Duration::from_secs(60), gate.read_u8()).await;
        assert!(reading.is_err(), "nothing passes before the answer");
        gate.write_all(b"HTTP/1.1 101 \r\n\r\n")
            .await
            .expect("room");
        let (_, held) = gate.into_parts();
        assert_eq!(held.len(), 16 * 1024);
    }
}
