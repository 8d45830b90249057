//! Writes the outbox to the socket, encrypted where there is a TLS session.

use std::{
    io, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use super::{
    Pumped,
    outbox::{Chunk, Outbox},
};
use crate::tls::TlsSession;

/// The state of writing; whoever holds it writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// The chunk being written and how far it was given to TLS or to the socket.
    chunk: Chunk,
    taken: usize,
    tls: Option<Tls>,
    blocked: bool,
    finished: bool,
}

/// A TLS session with the bytes that it wants on the wire.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) session: TlsSession,
    /// Encrypted bytes in the order in which they must leave, and how many of them have left.
    pub(super) cipher: Vec<u8>,
    sent: usize,
    close_notified: bool,
}

impl Writer {
    pub(super) fn plain() -> Self {
        Self {
            chunk: Chunk::default(),
            taken: 0,
            tls: None,
            blocked: false,
            finished: false,
        }
    }

    pub(super) fn tls(session: TlsSession, cipher: Vec<u8>) -> Self {
        let tls = Tls {
            session,
            cipher,
            sent: 0,
            close_notified: false,
        };
        Self {
            tls: Some(tls),
            ..Self::plain()
        }
    }

    /// The session, for the reader.
    pub(super) fn session(&mut self) -> Option<&mut Tls> {
        self.tls.as_mut()
    }

    /// The socket took no more at the last try: the task waits for it.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Tries again after the socket became writable.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Writes as much as the socket takes. Returns how far it came and how many frames that
    /// wanted to be acknowledged were written.
    pub(super) fn pump(
        &mut self,
        socket: &OwnedWriteHalf,
        outbox: &Mutex<Outbox>,
    ) -> (io::Result<Pumped>, u32) {
        let mut acknowledged = 0;
        let outcome = self.pump_counting(socket, outbox, &mut acknowledged);
        self.blocked = matches!(outcome, Ok(Pumped::Blocked));
        (outcome, acknowledged)
    }

    fn pump_counting(
        &mut self,
        socket: &OwnedWriteHalf,
        outbox: &Mutex<Outbox>,
        acknowledged: &mut u32,
    ) -> io::Result<Pumped> {
        loop {
            if let Some(tls) = &mut self.tls
                && !tls.send(socket)?
            {
                return Ok(Pumped::Blocked);
            }
            if self.taken < self.chunk.bytes.len() {
                let part = &self.chunk.bytes[self.taken..];
                let count = match &mut self.tls {
                    Some(tls) => tls.encrypt(part)?,
                    None => match socket.try_write(part) {
                        Ok(count) => count,
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                            return Ok(Pumped::Blocked);
                        }
                        Err(e) => return Err(e),
                    },
                };
                self.taken += count;
                lock(outbox).written(count);
                continue;
            }
            let mut outbox = lock(outbox);
            let done = mem::take(&mut self.chunk);
            *acknowledged += done.acknowledge;
            outbox.recycle(done.bytes);
            self.taken = 0;
            if let Some(next) = outbox.take() {
                self.chunk = next;
                continue;
            }
            let ending = outbox.is_ending();
            drop(outbox);
            if !ending {
                if let Some(tls) = &mut self.tls {
                    tls.shrink();
                }
                return Ok(Pumped::Idle);
            }
            if let Some(tls) = &mut self.tls
                && !tls.close_notified
            {
                tls.close_notified = true;
                tls.session.close_notify(&mut tls.cipher);
                continue;
            }
            if !self.finished {
                self.finished = true;
                SockRef::from(socket.as_ref()).shutdown(std::net::Shutdown::Write)?;
            }
            return Ok(Pumped::Finished);
        }
    }
}

impl Tls {
    /// Encrypts the start of `plain`, at most [`STRETCH`] bytes; returns how many it took.
    fn encrypt(&mut self, plain: &[u8]) -> io::Result<usize> {
        let count = plain.len().min(STRETCH);
        self.session
            .encrypt(&plain[..count], &mut self.cipher)
            .map_err(io::Error::other)?;
        Ok(count)
    }

    /// Sends encrypted bytes; false when the socket took not all of them.
    fn send(&mut self, socket: &OwnedWriteHalf) -> io::Result<bool> {
        while self.sent < self.cipher.len() {
            match socket.try_write(&self.cipher[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        self.cipher.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Releases what an idle connection need not hold.
    fn shrink(&mut self) {
        if self.cipher.capacity() > IDLE_CIPHER {
            self.cipher = Vec::new();
        }
    }
}

fn lock(outbox: &Mutex<Outbox>) -> MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much is encrypted before it is sent: four records a system call, and still in the cache.
const STRETCH: usize = 64 * 1024;

/// What an idle session may keep for its next records; thousands of them are idle together.
const IDLE_CIPHER: usize = 2 * 1024;
