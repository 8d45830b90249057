//! One side of a relayed connection: its stream, the pongs that it is owed, and what faults do on the
//! way to it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyco_websocket::{OpCode, append_frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    faults::{Shape, Shaper},
    stream::Stream,
};

/// One side of a relayed connection.
pub(crate) struct Side {
    stream: Stream,
    /// What slows down the way to this side, if a fault does.
    shaper: Option<Box<Shaper>>,
    /// Pongs that this side is owed, as frames.
    replies: Vec<u8>,
    /// Pongs were added since the direction towards this side was last polled.
    has_new_replies: bool,
    /// A close frame went to this side, or nothing can: no pong may follow.
    closed: bool,
}

impl Side {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            shaper: None,
            replies: Vec::new(),
            has_new_replies: false,
            closed: false,
        }
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether the direction towards this side has to be polled again.
    pub(crate) fn has_new_replies(&self) -> bool {
        self.has_new_replies
    }

    /// The direction towards this side is being polled.
    pub(crate) fn note_replies(&mut self) {
        self.has_new_replies = false;
    }

    /// Sends no more pongs.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.has_new_replies = false;
        self.replies = Vec::new();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn is_owed_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// Owes an answer to a ping. Of too many pings only the last one is answered, which is all that
    /// RFC 6455 asks for.
    pub(crate) fn owe_pong(&mut self, payload: &[u8]) {
        if self.closed {
            return;
        }
        if self.replies.len() > MOST_REPLIES {
            self.replies.clear();
        }
        append_frame(&mut self.replies, true, OpCode::Pong, payload, None);
        self.has_new_replies = true;
    }

    /// Lets the faults have their way with what goes to this side.
    pub(crate) fn shape(&mut self, shape: Shape) {
        match &mut self.shaper {
            // What waits in it keeps its place.
            Some(shaper) if shape.is_plain() && shaper.is_empty() => self.shaper = None,
            Some(shaper) => shaper.reshape(shape),
            None if shape.is_plain() => {}
            None => self.shaper = Some(Box::new(Shaper::new(shape))),
        }
    }

    /// A fault has cut the way to this side.
    pub(crate) fn is_cut(&self) -> bool {
        self.shaper.as_ref().is_some_and(|shaper| shaper.is_cut())
    }

    /// Lets what waits go now.
    pub(crate) fn release(&mut self) {
        if let Some(shaper) = &mut self.shaper {
            shaper.release();
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, space)
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.shaper {
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Some(shaper) => shaper.poll_take(cx, &mut self.stream, bytes),
        }
    }

    /// Ready when all that was written has left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(shaper) = &mut self.shaper {
            ready!(shaper.poll_write(cx, &mut self.stream))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

const MOST_REPLIES: usize = 4096;

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn pongs_that_nobody_takes_are_bounded_and_the_last_one_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut side = Side::new(Stream::Plain(stream));
        for n in 0..100_000u32 {
            side.owe_pong(&n.to_be_bytes());
            assert!(side.replies.len() <= MOST_REPLIES + 6);
        }
        let last = [&[0x8a, 4][..], &99_999u32.to_be_bytes()].concat();
        assert!(side.take_replies().ends_with(&last));
    }
}
