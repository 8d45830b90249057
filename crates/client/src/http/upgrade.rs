//! A WebSocket sender meets the upgrade of an HTTP server.
//!
//! 1. the sender's handshake is written to the server as a request;
//! 2. a 101 meets the sender with the subprotocol that it names, any other status rejects the sender;
//! 3. from then on frames pass, with their masks changed: what a client sends is masked, and on the way
//!    to the relay the listener is a client, on the way to the server the sender is one.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyco_protocol::{
    Accept,
    http::{AnswerParser, RequestHead, ResponseHead, upgrade_head},
    status::standard_phrase,
    uri::application_url,
};
use hyco_websocket::{MaskSource, Remasker};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};

use super::{
    answer::Gathered,
    forwarded::append_forwarded,
    requests::{Requests, Served},
    service::{HandlerFailed, Outcome, RequestInfo, Transport},
};
use crate::{
    dial::Upgraded,
    error::{Error, Result},
    rendezvous,
    stream::Stream,
};

/// Serves a sender from its handshake to its end.
pub(super) async fn run(requests: &Requests, served: &Served, mut accept: Accept) {
    let info = requests.info(&accept.id, accept.remote_endpoint.as_ref());
    let options = &served.options;
    if options.forwarded {
        append_forwarded(
            &mut accept.connect_headers,
            requests.secure,
            accept.remote_endpoint.as_ref(),
        );
    }
    let shown = RequestHead {
        framing: hyco_protocol::http::Framing::Empty,
        host: options.host.as_deref().unwrap_or(&requests.host),
        replace_host: options.host.is_some(),
        connection: "Upgrade",
        strip: &options.strip,
    };
    let head = match upgrade_head(
        &application_url(&accept.address),
        &accept.connect_headers,
        &shown,
    ) {
        Ok(head) => head,
        Err(refused) => {
            requests.failed(info, Error::BadRequest(refused.reason));
            return refuse(
                requests,
                &accept,
                refused.status,
                standard_phrase(refused.status),
            )
            .await;
        }
    };
    let mut transport = match served.service.open(info.clone()).await {
        Ok(transport) => transport,
        Err(source) => {
            requests.failed(info, Error::Upstream(source));
            return refuse(requests, &accept, 502, standard_phrase(502)).await;
        }
    };
    let answering = timeout(requests.accept_timeout, answer(transport.as_mut(), &head));
    let (status, reason, outcome) = match answering.await {
        Ok(Ok(Answer::Switched(head, rest))) => {
            return meet(requests, info, accept, transport, &head, rest).await;
        }
        Ok(Ok(Answer::Refused(head))) => {
            let done = Outcome::Answered { reusable: false };
            (head.status, head.reason, done)
        }
        Ok(Err(error)) => {
            let status = match is_handler(&error) {
                true => 500,
                false => {
                    requests.failed(info, Error::Upstream(error));
                    502
                }
            };
            (status, standard_phrase(status).to_owned(), Outcome::Failed)
        }
        Err(_) => {
            let after = requests.accept_timeout;
            requests.failed(
                info,
                Error::Timeout {
                    step: "answering",
                    after,
                },
            );
            (504, standard_phrase(504).to_owned(), Outcome::TimedOut)
        }
    };
    transport.finish(outcome);
    refuse(requests, &accept, status, &reason).await;
}

/// Has the sender's handshake answered with that status.
pub(super) async fn refuse(requests: &Requests, accept: &Accept, status: u16, reason: &str) {
    let reason = if reason.is_empty() {
        standard_phrase(status)
    } else {
        reason
    };
    let (dialer, within) = (&requests.dialer, requests.accept_timeout);
    if let Err(error) =
        rendezvous::reject(dialer, &accept.address, status, Some(reason), within).await
    {
        tracing::debug!(%error, "sender not rejected");
    }
}

/// What a server says to an upgrade.
enum Answer {
    /// A 101, and what came behind it.
    Switched(ResponseHead, Vec<u8>),
    /// Anything else.
    Refused(ResponseHead),
}

/// Writes the handshake and reads the answer's head.
async fn answer(transport: &mut dyn Transport, head: &[u8]) -> io::Result<Answer> {
    let mut written = 0;
    let mut parser = AnswerParser::new("GET");
    let mut gathered = Gathered::default();
    poll_fn(|cx| {
        while written < head.len() {
            match Pin::new(&mut *transport).poll_write(cx, &head[written..])? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => written += count,
                Poll::Pending => break,
            }
        }
        let _ = Pin::new(&mut *transport).poll_flush(cx)?;
        loop {
            let mut space = [MaybeUninit::uninit(); READ];
            let mut space = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *transport).poll_read(cx, &mut space))?;
            let bytes = space.filled();
            if bytes.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let rest = parser
                .feed(bytes, &mut gathered)
                .map_err(io::Error::other)?;
            if let Some(head) = gathered.head.take() {
                return Poll::Ready(Ok(match parser.is_upgraded() {
                    true => Answer::Switched(head, rest.to_vec()),
                    false => Answer::Refused(head),
                }));
            }
        }
    })
    .await
}

/// Meets the sender, then passes frames until both sides have ended.
async fn meet(
    requests: &Requests,
    info: RequestInfo,
    accept: Accept,
    mut transport: Box<dyn Transport>,
    head: &ResponseHead,
    rest: Vec<u8>,
) {
    let protocol = head
        .headers
        .get("sec-websocket-protocol")
        .map(ToOwned::to_owned);
    let dial = rendezvous::accept(
        &requests.dialer,
        accept.address,
        protocol,
        Vec::new(),
        requests.accept_timeout,
    );
    let met: Result<Upgraded> = dial.await;
    let upgraded = match met {
        Ok(upgraded) => upgraded,
        Err(error) => {
            // A sender that leaves is no failure.
            if !matches!(error, Error::SenderGone(_)) {
                requests.failed(info, error);
            }
            return transport.finish(Outcome::SenderGone);
        }
    };
    let mut passage = Passage::new(upgraded, rest);
    let outcome = match poll_fn(|cx| passage.poll(cx, transport.as_mut())).await {
        Ok(()) => Outcome::Answered { reusable: false },
        Err(error) => {
            tracing::debug!(%error, "an upgraded connection broke");
            Outcome::SenderGone
        }
    };
    transport.finish(outcome);
}

/// The two directions of an upgraded connection.
pub(super) struct Passage {
    stream: Stream,
    masks: MaskSource,
    to_server: Way,
    to_relay: Way,
}

/// One direction: what was read and is to be written.
#[derive(Default)]
pub(super) struct Way {
    remasker: Remasker,
    bytes: Vec<u8>,
    written: usize,
    /// What was written may still be on its way through TLS.
    unflushed: bool,
    /// The reading side has ended, and the writing side was told.
    ended: bool,
    shut: bool,
}

impl Passage {
    pub(super) fn new(upgraded: Upgraded, rest: Vec<u8>) -> Self {
        let mut passage = Self {
            stream: upgraded.stream,
            masks: MaskSource::new(),
            to_server: Way::default(),
            to_relay: Way::default(),
        };
        passage.to_server.take(&upgraded.rest, || NO_MASK);
        passage.to_relay.take(&rest, || passage.masks.next());
        passage
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        server: &mut dyn Transport,
    ) -> Poll<io::Result<()>> {
        let Self {
            stream,
            masks,
            to_server,
            to_relay,
        } = self;
        for _ in 0..STEPS_A_TURN {
            let mut moved = to_server.poll_read(cx, stream, || NO_MASK)?;
            moved |= to_server.poll_write(cx, &mut *server)?;
            moved |= to_relay.poll_read(cx, &mut *server, || masks.next())?;
            moved |= to_relay.poll_write(cx, stream)?;
            if to_server.shut && to_relay.shut {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Way {
    pub(super) fn take(&mut self, bytes: &[u8], mask: impl FnMut() -> [u8; 4]) {
        self.remasker.write(bytes, &mut self.bytes, mask);
    }

    fn poll_read<S: AsyncRead + Unpin + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut S,
        mask: impl FnMut() -> [u8; 4],
    ) -> io::Result<bool> {
        if self.ended || self.bytes.len() - self.written >= WINDOW {
            return Ok(false);
        }
        let mut space = [MaybeUninit::uninit(); READ];
        let mut space = ReadBuf::uninit(&mut space);
        let Poll::Ready(read) = Pin::new(from).poll_read(cx, &mut space) else {
            return Ok(false);
        };
        read?;
        self.ended = space.filled().is_empty();
        self.take(space.filled(), mask);
        Ok(true)
    }

    pub(super) fn poll_write<S: AsyncWrite + Unpin + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut S,
    ) -> io::Result<bool> {
        let mut moved = false;
        while self.written < self.bytes.len() {
            match Pin::new(&mut *to).poll_write(cx, &self.bytes[self.written..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => self.written += count,
                Poll::Pending => return Ok(moved),
            }
            moved = true;
        }
        if moved {
            // An idle connection holds no buffer.
            (self.bytes, self.written) = (Vec::new(), 0);
            self.unflushed = true;
        }
        if self.unflushed {
            self.unflushed = Pin::new(&mut *to).poll_flush(cx)?.is_pending();
        }
        if self.ended && !self.shut && Pin::new(to).poll_shutdown(cx)?.is_ready() {
            (self.shut, moved) = (true, true);
        }
        Ok(moved)
    }
}

fn is_handler(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<HandlerFailed>())
}

/// Servers need the mask bit; a key of zeros changes nothing.
const NO_MASK: [u8; 4] = [0; 4];
const READ: usize = 16 * 1024;
/// How much of one direction may wait to be written.
const WINDOW: usize = 64 * 1024;
/// After so many rounds other connections have their turn.
const STEPS_A_TURN: usize = 16;
