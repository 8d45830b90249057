//! Writes the outbox to the socket, encrypted where there is a TLS session.

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    BufferPool, Pumped,
    outbox::{CHUNK, Chunk, Outbox},
    socket::Socket,
};
use crate::tls::TlsSession;

/// The state of writing; whoever holds it writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// The chunk being written and how far it was given to TLS or to the socket.
    chunk: Chunk,
    taken: usize,
    /// Boxed: it is large, and plain connections have none.
    tls: Option<Box<Tls>>,
    blocked: bool,
    finished: bool,
    /// Bytes that the socket took, modulo 2³².
    sent: u32,
}

/// A TLS session with the bytes that it wants on the wire.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) session: TlsSession,
    /// What the session itself wants to send. It was encrypted after `scratch`.
    pub(super) answers: Vec<u8>,
    /// Encrypted frames: `scratch[sent..sealed]` has not left yet.
    scratch: Vec<u8>,
    sealed: usize,
    sent: usize,
    close_notified: bool,
    pool: Arc<BufferPool>,
}

impl Writer {
    pub(super) fn plain() -> Self {
        Self {
            chunk: Chunk::default(),
            taken: 0,
            tls: None,
            blocked: false,
            finished: false,
            sent: 0,
        }
    }

    pub(super) fn tls(session: TlsSession, answers: Vec<u8>, pool: Arc<BufferPool>) -> Self {
        let tls = Tls {
            session,
            answers,
            scratch: Vec::new(),
            sealed: 0,
            sent: 0,
            close_notified: false,
            pool,
        };
        Self {
            tls: Some(Box::new(tls)),
            ..Self::plain()
        }
    }

    /// The session, for the reader.
    pub(super) fn session(&mut self) -> Option<&mut Tls> {
        self.tls.as_deref_mut()
    }

    /// The socket took no more at the last try: the driver waits for it.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// A number that changes whenever the socket takes something.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Writes as much as the socket takes. Returns how far it came and how many frames that
    /// wanted to be acknowledged were written.
    pub(super) fn pump(
        &mut self,
        socket: &Socket,
        outbox: &Mutex<Outbox>,
    ) -> (io::Result<Pumped>, u32) {
        let mut acknowledged = 0;
        let outcome = self.pump_counting(socket, outbox, &mut acknowledged);
        self.blocked = matches!(outcome, Ok(Pumped::Blocked));
        (outcome, acknowledged)
    }

    fn pump_counting(
        &mut self,
        socket: &Socket,
        outbox: &Mutex<Outbox>,
        acknowledged: &mut u32,
    ) -> io::Result<Pumped> {
        loop {
            if let Some(tls) = &mut self.tls
                && !tls.send(socket, &mut self.sent)?
            {
                return Ok(Pumped::Blocked);
            }
            if self.taken < self.chunk.bytes.len() {
                let part = &self.chunk.bytes[self.taken..];
                let count = match &mut self.tls {
                    Some(tls) => tls.encrypt(part)?,
                    None => match socket.send(part) {
                        Ok(count) => {
                            self.sent = self.sent.wrapping_add(count as u32);
                            count
                        }
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
                    tls.rest();
                }
                return Ok(Pumped::Idle);
            }
            if let Some(tls) = &mut self.tls
                && !tls.close_notified
            {
                tls.close_notified = true;
                tls.session.close_notify(&mut tls.answers);
                continue;
            }
            if !self.finished {
                self.finished = true;
                socket.finish()?;
            }
            return Ok(Pumped::Finished);
        }
    }
}

impl Tls {
    /// Encrypts the start of `plain`, at most [`STRETCH`] bytes; returns how many it took. Nothing
    /// may be left to send.
    fn encrypt(&mut self, plain: &[u8]) -> io::Result<usize> {
        let count = plain.len().min(STRETCH);
        let most = self.session.sealed_length(count);
        if self.scratch.len() < most {
            self.scratch = self.pool.take_scratch(most);
        }
        let sealed = self
            .session
            .encrypt_into(&plain[..count], &mut self.scratch);
        self.sealed = sealed.map_err(io::Error::other)?;
        self.sent = 0;
        Ok(count)
    }

    /// Sends encrypted bytes in their order, and counts them; false when the socket took not all of
    /// them.
    fn send(&mut self, socket: &Socket, taken: &mut u32) -> io::Result<bool> {
        while self.sent < self.sealed {
            match socket.send(&self.scratch[self.sent..self.sealed]) {
                Ok(count) => {
                    self.sent += count;
                    *taken = taken.wrapping_add(count as u32);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        while !self.answers.is_empty() {
            match socket.send(&self.answers) {
                Ok(count) => {
                    drop(self.answers.drain(..count));
                    *taken = taken.wrapping_add(count as u32);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Gives back what an idle connection need not hold.
    fn rest(&mut self) {
        if !self.scratch.is_empty() {
            self.pool.give_scratch(mem::take(&mut self.scratch));
            (self.sealed, self.sent) = (0, 0);
        }
        self.answers = Vec::new();
    }
}

fn lock(outbox: &Mutex<Outbox>) -> MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much is encrypted before it is sent: a chunk of small frames, and still in the cache.
const STRETCH: usize = CHUNK;
