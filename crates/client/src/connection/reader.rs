//! One read step: from the socket into lent space, decrypted and decoded where it lies.

use std::{
    io,
    task::{Context, Poll, ready},
};

use hyco_websocket::{Decoder, DecoderConfig, Direct};

use super::{Batch, Connection, Inbox, registration::Readiness};

/// What is known of the bytes that came so far.
#[derive(Debug)]
pub(super) struct Reader {
    decoder: Decoder,
    secure: bool,
    /// Bytes that were read and could not be used yet: `plain` bytes of an incomplete frame, then
    /// an incomplete TLS record.
    carry: Vec<u8>,
    plain: usize,
    /// Nothing has been read yet: what came with the handshake is decoded first.
    fresh: bool,
}

/// What a read step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes came; there may be more.
    More,
    /// The peer has finished sending.
    Ended,
}

impl Reader {
    /// `plain` and `cipher` are what arrived behind the handshake, decrypted and not.
    pub(super) fn new(config: DecoderConfig, secure: bool, plain: Vec<u8>, cipher: &[u8]) -> Self {
        let length = plain.len();
        let mut carry = plain;
        carry.extend_from_slice(cipher);
        let fresh = !carry.is_empty();
        Self {
            decoder: Decoder::new(config),
            secure,
            carry,
            plain: length,
            fresh,
        }
    }

    /// Whether it decrypts what it reads.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Reads once. `Pending` when nothing has come, or when there is no space to read into.
    pub(super) fn poll_step<I: Inbox>(
        &mut self,
        cx: &mut Context<'_>,
        id: u32,
        readiness: &mut impl Readiness,
        connection: &Connection,
        inbox: &I,
    ) -> Poll<io::Result<Step>> {
        let waker = cx.waker();
        if !self.secure && !self.fresh && self.decoder.direct().is_some() {
            return inbox.poll_lend(waker, id, 0, |_, batch| {
                self.read_large(cx, batch, readiness, connection)
            });
        }
        let need = self.carry.len() + MIN_READ;
        inbox.poll_lend(waker, id, need, |space, batch| {
            self.read_into(cx, space, batch, readiness, connection)
        })
    }

    /// A large message on a plain connection goes straight from the socket into its buffer. This
    /// runs while space is lent: a full inbox lends none, and what was read must be accounted.
    fn read_large(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut impl Batch,
        readiness: &mut impl Readiness,
        connection: &Connection,
    ) -> Poll<io::Result<Step>> {
        let Some(direct) = self.decoder.direct() else {
            return Poll::Ready(Ok(Step::More));
        };
        let Direct { buffer, missing } = direct;
        if buffer.len() == buffer.capacity() {
            buffer.reserve(missing.min(MIN_READ));
        }
        let room = missing
            .min(buffer.capacity() - buffer.len())
            .min(LARGEST_READ);
        let socket = &connection.socket;
        if ready!(readiness.poll_read(cx, room, || socket.receive_behind(buffer, room)))? == 0 {
            batch.ended();
            return Poll::Ready(Ok(Step::Ended));
        }
        if let Err(violation) = self.decoder.filled(batch) {
            batch.violation(violation);
        }
        Poll::Ready(Ok(Step::More))
    }

    fn read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
        batch: &mut impl Batch,
        readiness: &mut impl Readiness,
        connection: &Connection,
    ) -> Poll<io::Result<Step>> {
        let start = self.carry.len();
        let mut end = start;
        if self.fresh {
            self.fresh = false;
        } else {
            let (unfilled, socket) = (&mut space[start..], &connection.socket);
            let room = unfilled.len();
            end += ready!(readiness.poll_read(cx, room, || socket.receive(unfilled)))?;
            if end == start {
                batch.ended();
                return Poll::Ready(Ok(Step::Ended));
            }
        }
        space[..start].copy_from_slice(&self.carry);

        let (mut broken, mut large) = (false, false);
        let (plain, cipher, closed) = if self.secure {
            let mut writer = connection.writer()?;
            let tls = writer
                .session()
                .ok_or_else(|| io::Error::other("no TLS session"))?;
            // Within a large frame all plaintext has been used: records go to its buffer.
            let direct = self.decoder.direct().filter(|_| self.plain == 0);
            large = direct.is_some();
            let decrypted = tls
                .session
                .decrypt_beside(space, self.plain, end, &mut tls.answers, direct)
                .map_err(io::Error::other)?;
            broken = tls.session.failure().is_some();
            (
                decrypted.plain,
                decrypted.cipher..decrypted.end,
                decrypted.closed,
            )
        } else {
            (end, end..end, false)
        };
        let filled = if large {
            self.decoder.filled(batch)
        } else {
            Ok(())
        };
        let used = match filled.and_then(|()| self.decoder.decode(&mut space[..plain], batch)) {
            Ok(used) => used,
            Err(violation) => {
                batch.violation(violation);
                plain
            }
        };

        self.carry.clear();
        self.carry.extend_from_slice(&space[used..plain]);
        self.carry.extend_from_slice(&space[cipher]);
        self.plain = plain - used;
        if self.carry.is_empty() && self.carry.capacity() > IDLE_CARRY {
            self.carry = Vec::new();
        }
        if broken {
            // What came before the bad record has been delivered.
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if closed {
            batch.ended();
            return Poll::Ready(Ok(Step::Ended));
        }
        Poll::Ready(Ok(Step::More))
    }
}

/// The least space worth a read: one TLS record of the largest size and its overhead.
const MIN_READ: usize = 17 * 1024;

/// What an idle connection may keep for its next incomplete frame.
const IDLE_CARRY: usize = 1024;

/// The most that one read takes, however large the message is.
pub(super) const LARGEST_READ: usize = 128 * 1024;
