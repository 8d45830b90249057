//! How a driver on the I/O thread learns that its socket is ready. A move ends the registration, and
//! begins one with the other home.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, ready},
};

#[cfg(unix)]
use tokio::io::unix::AsyncFd;

use super::{Connection, Pumped};
#[cfg(unix)]
use crate::tcp::{Shared, Tcp};

/// Asks whether a socket is ready, in the home where its driver is.
pub(super) trait Readiness {
    /// How many reads one turn may take before other connections have theirs.
    const STEPS: usize;

    /// Runs `read` when there may be something to read; it has room for `room` bytes. `Pending` when
    /// nothing is there: the home gives the driver another turn when something has come.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;

    /// Runs `write` when a socket that was full may take more.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnMut() -> io::Result<Pumped>,
    ) -> Poll<io::Result<Pumped>>;

    /// What was learned in this turn.
    fn progress(&mut self) -> &mut Progress;

    /// Whether nothing is to be read, so that nobody need ask: the home looks by itself.
    fn is_drained(&self) -> bool;
}

/// What one turn of a driver learned about its socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Bytes that were read.
    pub(super) bytes: usize,
    /// All that had come was read.
    pub(super) drained: bool,
    /// The socket takes no more at the moment.
    pub(super) blocked: bool,
}

impl Progress {
    /// Takes account of a read with room for `room` bytes.
    fn read(&mut self, count: usize, room: usize) {
        self.bytes += count;
        // Room was left, so nothing more is there, except perhaps the end.
        self.drained = count > 0 && count < room;
    }
}

/// A driver at home on an event loop, which said whether there is something to read.
#[derive(Debug, Default)]
pub(super) struct OnLoop(Progress);

impl OnLoop {
    pub(super) fn new(readable: bool) -> Self {
        Self(Progress {
            drained: !readable,
            ..Progress::default()
        })
    }
}

impl Readiness for OnLoop {
    const STEPS: usize = STEPS_ON_LOOP;

    fn poll_read(
        &mut self,
        _cx: &mut Context<'_>,
        room: usize,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.0.drained {
            return Poll::Pending;
        }
        match read() {
            Ok(count) => {
                self.0.read(count, room);
                Poll::Ready(Ok(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.0.drained = true;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_write(
        &mut self,
        _cx: &mut Context<'_>,
        _write: impl FnMut() -> io::Result<Pumped>,
    ) -> Poll<io::Result<Pumped>> {
        self.0.blocked = true;
        Poll::Pending
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.0
    }

    fn is_drained(&self) -> bool {
        self.0.drained
    }
}

/// Registered with the poller of the I/O thread.
#[derive(Debug)]
pub(super) struct Registration(Registered, Progress);

#[cfg(unix)]
type Registered = AsyncFd<Shared>;
#[cfg(not(unix))]
type Registered = Arc<Connection>;

#[cfg(unix)]
impl Registration {
    /// Registers. On the I/O thread, whose poller reports at once what is ready already.
    pub(super) fn new(connection: &Arc<Connection>) -> io::Result<Self> {
        Tcp::register(connection.socket.share()).map(Self::go_on)
    }

    /// Goes on with the registration of a dial: most connections stay with the I/O thread, and to
    /// begin one costs each of them two system calls.
    pub(super) fn go_on(tcp: Tcp) -> Self {
        Self(tcp.into_inner(), Progress::default())
    }

    pub(super) fn socket(&self) -> &Shared {
        self.0.get_ref()
    }
}

#[cfg(unix)]
impl Readiness for Registration {
    const STEPS: usize = STEPS;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.1.drained = true;
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match read() {
                Ok(count) => {
                    self.1.read(count, room);
                    // The poller tells when more comes, so nobody need ask.
                    if self.1.drained {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<Pumped>,
    ) -> Poll<io::Result<Pumped>> {
        self.1.blocked = true;
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match write()? {
                Pumped::Blocked => ready.clear_ready(),
                pumped => {
                    self.1.blocked = false;
                    return Poll::Ready(Ok(pumped));
                }
            }
        }
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.1
    }

    /// Only who asks is told.
    fn is_drained(&self) -> bool {
        false
    }
}

#[cfg(not(unix))]
impl Registration {
    /// The socket is registered from its dial on.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn new(connection: &Arc<Connection>) -> io::Result<Self> {
        Ok(Self(Arc::clone(connection), Progress::default()))
    }
}

#[cfg(not(unix))]
impl Readiness for Registration {
    const STEPS: usize = STEPS;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.1.drained = true;
        loop {
            ready!(self.0.socket.tcp().poll_read_ready(cx))?;
            match read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) => {
                    self.1.read(count, room);
                    return Poll::Ready(Ok(count));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<Pumped>,
    ) -> Poll<io::Result<Pumped>> {
        loop {
            ready!(self.0.socket.tcp().poll_write_ready(cx))?;
            match write()? {
                Pumped::Blocked => {}
                pumped => return Poll::Ready(Ok(pumped)),
            }
        }
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.1
    }

    /// Only who asks is told.
    fn is_drained(&self) -> bool {
        false
    }
}

/// How many reads a turn of the I/O thread takes of one connection.
const STEPS: usize = 16;

/// How many reads a turn of the loop does: each fills what is left of a slab.
const STEPS_ON_LOOP: usize = 2;
