//! A TLS stream over TCP, for handshakes and the control channel.
//!
//! An idle stream holds no buffers: memory comes with the bytes and goes with them.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TlsSession;
use crate::tcp::Tcp;

/// What a [`TlsStream`] consists of, for someone who goes on with the session alone.
#[derive(Debug)]
pub struct TlsParts {
    /// The connection underneath.
    pub tcp: Tcp,
    /// The session, past its handshake.
    pub session: TlsSession,
    /// Bytes that are decrypted and not yet read.
    pub plain: Vec<u8>,
    /// Bytes that are received and not yet decrypted: the beginning of a record.
    pub cipher: Vec<u8>,
    /// Bytes that are encrypted and not yet sent.
    pub outgoing: Vec<u8>,
}

/// An encrypted stream to a server whose certificate was verified.
#[derive(Debug)]
pub struct TlsStream {
    tcp: Tcp,
    session: TlsSession,
    incoming: Incoming,
    outgoing: Outgoing,
}

impl TlsStream {
    /// Performs the handshake with the server `name` on a fresh connection. The deadline is the caller's.
    ///
    /// # Errors
    /// Of kind `InvalidData` with a [`rustls::Error`] inside when the peers do not come to terms, and those
    /// of the connection underneath.
    pub async fn connect(
        tcp: Tcp,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let mut stream = Self {
            tcp,
            session: TlsSession::new(config, name).map_err(invalid)?,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
        };
        stream
            .session
            .start(&mut stream.outgoing.bytes)
            .map_err(invalid)?;
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    /// Takes the stream apart.
    pub fn into_parts(self) -> TlsParts {
        TlsParts {
            tcp: self.tcp,
            session: self.session,
            plain: self.incoming.plain().to_vec(),
            cipher: self.incoming.cipher().to_vec(),
            outgoing: self.outgoing.pending().to_vec(),
        }
    }

    /// The session: versions, suites and how it stands.
    pub fn session(&self) -> &TlsSession {
        &self.session
    }

    /// The connection underneath, for its addresses and options.
    pub fn tcp(&self) -> &Tcp {
        &self.tcp
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads once and decrypts what came; 0 is the end of the connection.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Asked first, so that waiting needs no memory.
        ready!(self.tcp.poll_read_ready(cx))?;
        let received = ready!(self.incoming.poll_fill(&mut self.tcp, cx))?;
        if received == 0 {
            return Poll::Ready(Ok(0));
        }
        let decrypted = self
            .incoming
            .decrypt(&mut self.session, &mut self.outgoing.bytes);
        if decrypted.is_err() || self.session.failure().is_some() {
            // The alert, if it goes out at once; the stream is lost either way.
            let _ = self.try_send();
        }
        decrypted.map_err(invalid)?;
        Poll::Ready(Ok(received))
    }

    /// Sends everything that is encrypted.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.pending().is_empty() {
            match ready!(Pin::new(&mut self.tcp).poll_write(cx, self.outgoing.pending()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.outgoing.advance(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what can be sent without waiting. Unlike [`poll_send`](Self::poll_send) it leaves alone the
    /// waker of a task that writes while another one reads.
    fn try_send(&mut self) -> io::Result<()> {
        while !self.outgoing.pending().is_empty() {
            let sent = self.tcp.try_write(self.outgoing.pending())?;
            self.outgoing.advance(sent);
        }
        Ok(())
    }
}

impl AsyncRead for TlsStream {
    /// An end of the connection without `close_notify` is an error of kind `UnexpectedEof`.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.incoming.read(buf) {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = this.session.failure() {
                return Poll::Ready(Err(invalid(error.clone())));
            }
            if this.session.is_closed() {
                return Poll::Ready(Ok(()));
            }
            if ready!(this.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    /// Takes the bytes once the ones before them are sent, and sends as much as the connection takes;
    /// the rest goes with the next write or flush.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        let taken = &buf[..buf.len().min(MAX_WRITE)];
        this.session
            .encrypt(taken, &mut this.outgoing.bytes)
            .map_err(invalid)?;
        match this.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    /// Sends `close_notify` and then ends the writing side of the connection.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.session.close_notify(&mut this.outgoing.bytes);
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// Received bytes: `buf[read..plain]` is decrypted, `buf[cipher..end]` is not yet.
#[derive(Default)]
struct Incoming {
    buf: Vec<u8>,
    read: usize,
    plain: usize,
    cipher: usize,
    end: usize,
}

impl Incoming {
    fn plain(&self) -> &[u8] {
        &self.buf[self.read..self.plain]
    }

    fn cipher(&self) -> &[u8] {
        &self.buf[self.cipher..self.end]
    }

    /// Moves plaintext to `out`; false when there is none.
    fn read(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let length = self.plain().len().min(out.remaining());
        out.put_slice(&self.plain()[..length]);
        self.read += length;
        if self.plain().is_empty() && self.cipher().is_empty() {
            *self = Self::default();
        }
        length > 0
    }

    /// Reads from `tcp` behind the ciphertext, with no plaintext left in the buffer.
    fn poll_fill(&mut self, tcp: &mut Tcp, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut space = ReadBuf::new(&mut self.buf[self.end..]);
        let outcome = ready!(Pin::new(tcp).poll_read(cx, &mut space));
        let received = space.filled().len();
        self.end += received;
        Poll::Ready(outcome.map(|()| received))
    }

    /// Puts the unread plaintext first, the ciphertext behind it, and free space behind that.
    fn make_room(&mut self) {
        self.buf.copy_within(self.read..self.plain, 0);
        self.plain -= self.read;
        self.read = 0;
        self.buf.copy_within(self.cipher..self.end, self.plain);
        self.end = self.plain + (self.end - self.cipher);
        self.cipher = self.plain;

        if self.buf.len() - self.end < MIN_READ {
            // Doubling finds room for any record soon; a stream that stays small stays small.
            self.buf.resize((self.buf.len() * 2).max(2 * MIN_READ), 0);
        }
    }

    fn decrypt(
        &mut self,
        session: &mut TlsSession,
        outgoing: &mut Vec<u8>,
    ) -> Result<(), rustls::Error> {
        // make_room has laid the ciphertext behind the plaintext.
        let decrypted =
            session.decrypt(&mut self.buf[..self.end], self.plain, self.end, outgoing)?;
        self.plain = decrypted.plain;
        self.cipher = decrypted.cipher;
        self.end = decrypted.end;
        Ok(())
    }
}

impl std::fmt::Debug for Incoming {
    /// Lengths only: the bytes may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("plain", &self.plain().len())
            .field("cipher", &self.cipher().len())
            .finish_non_exhaustive()
    }
}

/// Encrypted bytes on their way out.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn advance(&mut self, sent: usize) {
        self.sent += sent;
        if self.sent == self.bytes.len() {
            *self = Self::default();
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The most one write takes: enough for full records, little enough to hold for a slow peer.
const MAX_WRITE: usize = 64 * 1024;
/// The least space a read is worth, and half of what a stream begins with.
const MIN_READ: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_go_when_the_last_byte_has_gone() {
        let mut incoming = Incoming {
            buf: vec![7; 4096],
            read: 0,
            plain: 3,
            cipher: 20,
            end: 20,
        };
        let mut space = [0; 2];
        for (length, capacity) in [(2, 4096), (1, 0), (0, 0)] {
            let mut out = ReadBuf::new(&mut space);
            assert_eq!(incoming.read(&mut out), length > 0);
            assert_eq!(out.filled(), &[7; 2][..length]);
            assert_eq!(incoming.buf.capacity(), capacity);
        }

        let mut outgoing = Outgoing {
            bytes: vec![7; 100],
            sent: 0,
        };
        outgoing.advance(99);
        assert_eq!(outgoing.pending(), [7]);
        outgoing.advance(1);
        assert_eq!(outgoing.bytes.capacity(), 0);
    }
}
