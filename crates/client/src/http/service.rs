//! Who serves relayed requests.

use std::{
    fmt,
    future::Future,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyco_protocol::http::Cookies;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunk::Chunk;

/// Gives a stream to an HTTP server for each request.
pub trait Service: Send + Sync {
    /// Opens a stream on which one request is written and one answer read.
    fn open(&self, info: RequestInfo) -> Opening;
}

/// A stream that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// A stream to an HTTP server.
///
/// The end of what can be read is the end of the server's answer; an error means that the server gave
/// the request up, and [`HandlerFailed`] in it that its handler threw. The stream is shut down only
/// after an upgrade, when the sender has ended its side.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {
    /// The exchange is over.
    fn finish(self: Box<Self>, outcome: Outcome);

    /// Whether a handler in this process ended the stream on purpose before its answer was whole. It
    /// knows that already, so an answer that has begun breaks off without being reported.
    fn is_given_up(&self) -> bool {
        false
    }

    /// Whether an earlier request was served on this stream, so that its server may just have closed it.
    fn is_reused(&self) -> bool {
        false
    }

    /// Reads what the server has written next, where it lies: `take` gets it, or nothing at its end.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(Written<'_>),
    ) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(self).poll_read(cx, &mut space))?;
        take(Written::Here(space.filled()));
        Poll::Ready(Ok(()))
    }
}

/// What a server has written.
#[derive(Debug)]
pub enum Written<'a> {
    /// It lies here; nothing is its end.
    Here(&'a [u8]),
    /// A large piece, to keep.
    Own(Chunk),
}

impl Written<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Own(chunk) => chunk.bytes(),
        }
    }
}

/// How much one read takes.
const READ: usize = 32 * 1024;

/// What is known about a request beside its head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// The service's id of the request.
    pub tracking_id: String,
    /// The sender's IP address as the relay saw it.
    pub remote_address: Option<String>,
    /// The sender's port.
    pub remote_port: Option<u16>,
    /// Whether the way to the relay is encrypted.
    pub secure: bool,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer has been taken in whole.
    Answered {
        /// Whether the server's connection can serve another request.
        reusable: bool,
    },
    /// The sender left, or the listener was closed.
    SenderGone,
    /// No answer began within its time.
    TimedOut,
    /// The server failed, or what it wrote cannot be relayed.
    Failed,
}

/// Marks an I/O error of a [`Transport`] that comes from an exception of the handler.
#[derive(Debug, thiserror::Error)]
#[error("the handler threw an exception")]
pub struct HandlerFailed;

/// Marks an I/O error of a [`Transport`] that means that no server takes the request.
#[derive(Debug, thiserror::Error)]
#[error("no server takes the request")]
pub struct NotServed;

/// How requests are served.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// How long the head of an answer may take; none waits for ever.
    pub response_timeout: Option<Duration>,
    /// How long an answer that has begun may wait to be whole and small.
    pub flush_delay: Duration,
    /// How many requests may be unanswered; further ones are answered 503.
    pub max_requests: usize,
    /// How several cookies are sent.
    pub cookies: Cookies,
    /// A path that is cut off the request's target; empty cuts nothing.
    pub strip: String,
    /// What `Connection` says to the server.
    pub connection: &'static str,
    /// A `Host` in place of the sender's.
    pub host: Option<String>,
    /// Whether the sender's address is told in `X-Forwarded-For` and `X-Forwarded-Proto`.
    pub forwarded: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            response_timeout: Some(Duration::from_secs(60)),
            flush_delay: Duration::from_millis(50),
            max_requests: 1024,
            cookies: Cookies::default(),
            strip: String::new(),
            connection: "close",
            host: None,
            forwarded: false,
        }
    }
}

impl fmt::Debug for dyn Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
