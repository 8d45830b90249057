//! One TLS session of a client, without I/O: bytes in, bytes out.
//!
//! rustls is given one whole record at a time, so that
//! - the ciphertext of an incomplete record never reaches it and stays with the caller;
//! - a record it wants to keep, because a handshake message goes on in the next one, is kept here:
//!   the caller may drop its buffer, and writing works meanwhile.

use std::{fmt, ops::Range, sync::Arc};

use hyco_websocket::Direct;
use rustls::{
    ClientConfig, Error, HandshakeKind, InvalidMessage, ProtocolVersion, SupportedCipherSuite,
    client::UnbufferedClientConnection, pki_types::ServerName, unbuffered::EncryptError,
};

use super::{
    drive::{process, take_alert, write},
    in_place,
    record::{MAX_HELD, next_record, worst_length},
};

/// Where plaintext and ciphertext lie in a buffer after [`TlsSession::decrypt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decrypted {
    /// `buf[..plain]` is plaintext without gaps.
    pub plain: usize,
    /// `buf[cipher..end]` is the beginning of a record whose rest has not arrived.
    pub cipher: usize,
    /// End of that ciphertext; equal to `cipher` when there is none.
    pub end: usize,
    /// The peer has said (`close_notify`) that nothing more will follow.
    pub closed: bool,
}

/// The client's side of one TLS connection, from its first byte to its `close_notify`.
///
/// A failure is final: every later call reports the same error.
pub struct TlsSession {
    connection: UnbufferedClientConnection,
    /// Whole records with the beginning of a handshake message; empty nearly always.
    held: Vec<u8>,
    /// Records that have to be sent before the next one that is encrypted; empty nearly always.
    queued: Vec<u8>,
    failure: Option<Error>,
    peer_closed: bool,
    close_sent: bool,
}

impl TlsSession {
    /// A session with the server `name`, before its first byte.
    ///
    /// # Errors
    /// When the configuration does not fit any connection.
    pub fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedClientConnection::new(config, name)?,
            held: Vec::new(),
            queued: Vec::new(),
            failure: None,
            peer_closed: false,
            close_sent: false,
        })
    }

    /// Appends the message that opens the handshake to `outgoing`. From there on
    /// [`decrypt`](Self::decrypt) drives the handshake, until [`is_handshaking`](Self::is_handshaking) ends.
    ///
    /// # Errors
    /// When the session has failed.
    pub fn start(&mut self, outgoing: &mut Vec<u8>) -> Result<(), Error> {
        self.alive()?;
        let outcome = process(&mut self.connection, &mut [], &mut Vec::new(), outgoing);
        self.settle(outcome, outgoing).map(drop)
    }

    /// Decrypts every whole record in `buf[plain..end]` within the buffer and joins the plaintext to
    /// `buf[..plain]`, which is left as it is.
    ///
    /// What the session has to send in answer is appended to `outgoing`, also when it fails, because the
    /// peer should still get the alert. When good records come before a bad one, their plaintext is
    /// returned first and the error by the next call; [`failure`](Self::failure) shows it at once.
    ///
    /// # Errors
    /// Bytes that are not TLS or were tampered with, a certificate that is not trusted, a fatal alert of
    /// the peer, or an earlier failure.
    pub fn decrypt(
        &mut self,
        buf: &mut [u8],
        plain: usize,
        end: usize,
        outgoing: &mut Vec<u8>,
    ) -> Result<Decrypted, Error> {
        self.decrypt_beside(buf, plain, end, outgoing, None)
    }

    /// As [`decrypt`](Self::decrypt), but records that lie whole within the rest of a large frame go
    /// straight to its buffer instead of `buf`. There may be such a rest only where `plain` is 0.
    ///
    /// # Errors
    /// As [`decrypt`](Self::decrypt).
    pub fn decrypt_beside(
        &mut self,
        buf: &mut [u8],
        plain: usize,
        end: usize,
        outgoing: &mut Vec<u8>,
        mut direct: Option<Direct<'_>>,
    ) -> Result<Decrypted, Error> {
        self.alive()?;

        let mut filled = plain;
        let mut delivered = false;
        let mut cipher = plain;
        let mut copied = Vec::new();
        while !self.peer_closed
            && let Some(length) = next_record(&buf[cipher..end])
        {
            let record = cipher..cipher + length;
            copied.clear();
            let outcome = self.process_record(&mut buf[record.clone()], &mut copied, outgoing);
            let place = match self.settle(outcome, outgoing) {
                Ok(place) => place.map(|place| cipher + place.start..cipher + place.end),
                Err(error) if !delivered => return Err(error),
                Err(_) => {
                    cipher = end;
                    break;
                }
            };
            cipher = record.end;
            // A record is longer than its plaintext.
            direct = direct.filter(|direct| length <= direct.missing);
            let count = place.as_ref().map_or(copied.len(), Range::len);
            match (&mut direct, place) {
                (Some(direct), place) => {
                    let bytes = place.map_or(&copied[..], |place| &buf[place]);
                    direct.buffer.extend_from_slice(bytes);
                    direct.missing -= count;
                }
                (None, Some(place)) => {
                    buf.copy_within(place, filled);
                    filled += count;
                }
                (None, None) => {
                    buf[filled..filled + count].copy_from_slice(&copied);
                    filled += count;
                }
            }
            delivered |= count > 0;
        }
        if self.peer_closed {
            cipher = end; // what follows a close_notify must be ignored (RFC 8446 section 6.1)
        }

        Ok(Decrypted {
            plain: filled,
            cipher,
            end,
            closed: self.peer_closed,
        })
    }

    /// Encrypts `plain` in records of the largest size and appends them to `out`.
    ///
    /// # Errors
    /// Before the handshake is complete, after `close_notify` was sent, and when the session has failed or
    /// its keys are used up.
    pub fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.resize(start + self.sealed_length(plain.len()), 0);
        let outcome = match self.seal(plain, &mut out[start..]) {
            Ok(Sealed::Needs(length)) => {
                out.resize(start + length, 0);
                self.seal(plain, &mut out[start..])
            }
            outcome => outcome,
        };
        let outcome = outcome.and_then(Sealed::length);
        out.truncate(start + outcome.as_ref().map_or(0, |length| *length));
        outcome.map(drop)
    }

    /// As [`encrypt`](Self::encrypt), into memory that is there already; returns how much of it was used.
    ///
    /// `out` should have [`sealed_length`](Self::sealed_length) bytes. A buffer that is kept this way spares
    /// the zeros that a growing `Vec` is filled with, some 8 % of the time for a full record.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt), and when `out` is too small; the session survives that one.
    pub fn encrypt_into(&mut self, plain: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.seal(plain, out).and_then(Sealed::length)
    }

    /// How much room encrypting `length` bytes takes at most.
    pub fn sealed_length(&self, length: usize) -> usize {
        self.queued.len() + worst_length(length)
    }

    /// Appends a `close_notify` to `out`, once. Before the handshake is complete and after a failure there
    /// is none to send.
    pub fn close_notify(&mut self, out: &mut Vec<u8>) {
        if self.writable().is_err() {
            return;
        }
        self.close_sent = true;
        out.append(&mut self.queued);
        let _ = write(
            &mut self.connection,
            &mut self.held,
            out,
            |traffic, out| match traffic.queue_close_notify(&mut []) {
                Err(EncryptError::InsufficientSize(size)) => {
                    let start = out.len();
                    out.resize(start + size.required_size, 0);
                    let written = traffic.queue_close_notify(&mut out[start..]).unwrap_or(0);
                    out.truncate(start + written);
                }
                Ok(_) | Err(EncryptError::EncryptExhausted) => {}
            },
        );
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer's `close_notify` has been read.
    pub fn is_closed(&self) -> bool {
        self.peer_closed
    }

    /// What ended the session before its time, if anything did.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// The protocol version agreed on, once it is.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.connection.protocol_version()
    }

    /// The cipher suite agreed on, once it is.
    pub fn cipher_suite(&self) -> Option<SupportedCipherSuite> {
        self.connection.negotiated_cipher_suite()
    }

    /// Whether the handshake took up an earlier session instead of starting from nothing.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    fn alive(&self) -> Result<(), Error> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn writable(&self) -> Result<(), Error> {
        self.alive()?;
        if self.is_handshaking() {
            return Err(Error::HandshakeNotComplete);
        }
        if self.close_sent {
            return Err(Error::General("the session is closed".into()));
        }
        Ok(())
    }

    /// Lets rustls work on one record, together with what it held on to before. Returns where plaintext
    /// lies in the record; where the cipher does not tell, it is copied to `copied`.
    fn process_record(
        &mut self,
        record: &mut [u8],
        copied: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
    ) -> Result<Option<Range<usize>>, Error> {
        if self.held.is_empty() {
            let (progress, place) = in_place::find(record, |record| {
                process(&mut self.connection, record, copied, outgoing)
            });
            let progress = progress?;
            self.peer_closed = progress.closed;
            self.held.extend_from_slice(&record[progress.used..]);
            return Ok(place);
        }

        if self.held.len() + record.len() > MAX_HELD {
            return Err(InvalidMessage::HandshakePayloadTooLarge.into());
        }
        self.held.extend_from_slice(record);
        let progress = process(&mut self.connection, &mut self.held, copied, outgoing)?;
        self.peer_closed = progress.closed;
        self.held.drain(..progress.used);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        Ok(None)
    }

    /// Makes a failure final and takes out the alert that tells the peer of it.
    fn settle<T>(&mut self, outcome: Result<T, Error>, outgoing: &mut Vec<u8>) -> Result<T, Error> {
        let Err(error) = &outcome else {
            return outcome;
        };
        self.failure = Some(error.clone());
        take_alert(&mut self.connection, outgoing);
        outcome
    }

    fn seal(&mut self, plain: &[u8], out: &mut [u8]) -> Result<Sealed, Error> {
        self.writable()?;
        let outcome = write(
            &mut self.connection,
            &mut self.held,
            &mut self.queued,
            |traffic, queued| {
                let Some(room) = out.get_mut(queued.len()..) else {
                    return Ok(Sealed::Needs(queued.len() + worst_length(plain.len())));
                };
                match traffic.encrypt(plain, room) {
                    Ok(written) => {
                        out[..queued.len()].copy_from_slice(queued);
                        let length = queued.len() + written;
                        queued.clear();
                        Ok(Sealed::Written(length))
                    }
                    Err(EncryptError::InsufficientSize(size)) => {
                        Ok(Sealed::Needs(queued.len() + size.required_size))
                    }
                    Err(EncryptError::EncryptExhausted) => Err(Error::EncryptError),
                }
            },
        );
        let outcome = outcome.and_then(|sealed| sealed);
        self.settle(outcome, &mut Vec::new())
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("version", &self.protocol_version())
            .field("suite", &self.cipher_suite().map(|suite| suite.suite()))
            .field("handshaking", &self.is_handshaking())
            .field("resumed", &self.is_resumed())
            .field("closed", &self.peer_closed)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// What came of an attempt to encrypt.
enum Sealed {
    /// So many bytes were written.
    Written(usize),
    /// Nothing was written, because so many bytes are needed.
    Needs(usize),
}

impl Sealed {
    fn length(self) -> Result<usize, Error> {
        match self {
            Self::Written(length) => Ok(length),
            Self::Needs(_) => Err(Error::General("the buffer is too small".into())),
        }
    }
}
