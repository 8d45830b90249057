//! Serves relayed requests by an HTTP server at the other end of a TCP connection, as a proxy does.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::service::{Opening, Outcome, RequestInfo, Service, Transport};
use crate::{
    dial::Dialer,
    endpoint::Endpoint,
    error::{Error, Result},
    stream::Stream,
};

/// Passes requests on to one server. Connections are kept for further requests.
#[derive(Debug)]
pub struct Forward {
    dialer: Dialer,
    endpoint: Endpoint,
    timeout: Duration,
    pool: Arc<Pool>,
}

/// Connections that wait for a request, the one used last at the end.
#[derive(Debug, Default)]
struct Pool(Mutex<VecDeque<(Instant, Stream)>>);

impl Forward {
    /// Requests go to `http://host:port` or `https://host:port`; `timeout` is for each connection.
    pub fn new(dialer: Dialer, target: &str, timeout: Duration) -> Result<Self> {
        Ok(Self {
            dialer,
            endpoint: Endpoint::parse(target)?,
            timeout,
            pool: Arc::default(),
        })
    }
}

impl Service for Forward {
    fn open(&self, _: RequestInfo) -> Opening {
        let pool = Arc::clone(&self.pool);
        let kept = pool.take();
        let (dialer, endpoint, timeout) =
            (self.dialer.clone(), self.endpoint.clone(), self.timeout);
        Box::pin(async move {
            let (stream, is_reused) = match kept {
                Some(stream) => (stream, true),
                None => {
                    let connecting = dialer.connect_to(&endpoint, timeout).await;
                    (connecting.map_err(into_io)?, false)
                }
            };
            Ok(Box::new(Upstream {
                stream,
                is_reused,
                pool,
            }) as Box<dyn Transport>)
        })
    }
}

impl Pool {
    /// A connection that the server has not closed meanwhile.
    fn take(&self) -> Option<Stream> {
        loop {
            let (since, mut stream) = self.lock().pop_back()?;
            let mut byte = [0];
            let mut space = ReadBuf::new(&mut byte);
            let mut cx = Context::from_waker(Waker::noop());
            // A server says nothing between two requests, so whatever there is to read ends it.
            let read = Pin::new(&mut stream).poll_read(&mut cx, &mut space);
            if read.is_pending() && since.elapsed() < IDLE {
                return Some(stream);
            }
        }
    }

    fn give(&self, stream: Stream) {
        let mut kept = self.lock();
        if kept.len() >= MOST_IDLE {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), stream));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Stream)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to the server, in use.
struct Upstream {
    stream: Stream,
    is_reused: bool,
    pool: Arc<Pool>,
}

impl Transport for Upstream {
    fn finish(self: Box<Self>, outcome: Outcome) {
        if outcome == (Outcome::Answered { reusable: true }) {
            self.pool.give(self.stream);
        }
    }

    fn is_reused(&self) -> bool {
        self.is_reused
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, space)
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The failure of the system where there is one: its code tells why a server cannot be reached.
fn into_io(error: Error) -> io::Error {
    match error {
        Error::Connect { source, .. } | Error::Lookup { source, .. } => source,
        error @ Error::Timeout { .. } => io::Error::new(io::ErrorKind::TimedOut, error),
        error => io::Error::other(error),
    }
}

/// Node's servers close an idle connection after 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// More connections than that are closed when they are no longer used.
const MOST_IDLE: usize = 256;
