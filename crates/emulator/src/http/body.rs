//! The body of an answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of an answer.
#[derive(Default)]
pub(crate) enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// All of it.
    Whole(Bytes),
    /// What a listener sends, as it sends it.
    Streamed(mpsc::Receiver<Piece>),
}

/// A piece of a streamed body. A stream that ends without [`Piece::End`] has broken off.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    End,
}

/// The listener's answer has broken off: its sender must see that, too.
#[derive(Debug, thiserror::Error)]
#[error("the listener broke its answer off")]
pub(crate) struct BrokenOff;

impl Body {
    /// As answers have it.
    pub(crate) fn boxed(self) -> UnsyncBoxBody<Bytes, io::Error> {
        UnsyncBoxBody::new(self)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        match bytes.is_empty() {
            true => Self::Empty,
            false => Self::Whole(bytes),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Streamed(pieces) => pieces.poll_recv(cx).map(|piece| match piece {
                Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::End) => None,
                None => Some(Err(io::Error::other(BrokenOff))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
