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
}

/// Registered with the poller of the I/O thread.
#[derive(Debug)]
pub(super) struct Registration(Registered);

#[cfg(unix)]
type Registered = AsyncFd<Watched>;
#[cfg(not(unix))]
type Registered = Arc<Connection>;

/// Keeps the descriptor open while it is registered.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Watched(Arc<Connection>);

#[cfg(unix)]
impl std::os::fd::AsRawFd for Watched {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.socket.as_raw_fd()
    }
}

#[cfg(unix)]
impl Registration {
    /// Registers. On the I/O thread, whose poller reports at once what is ready already.
    pub(super) fn new(connection: &Arc<Connection>) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "the descriptor must stay what it is")]
        // SAFETY: the connection owns its socket as long as it lives, and `Watched` holds it. It is
        // dropped after it was taken off the poller.
        let socket = unsafe { AsyncFd::register(Watched(Arc::clone(connection))) }?;
        Ok(Self(socket))
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
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match read() {
                Ok(count) => {
                    // Room was left: the poller tells when more comes, so nobody need ask.
                    if count > 0 && count < room {
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
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match write()? {
                Pumped::Blocked => ready.clear_ready(),
                pumped => return Poll::Ready(Ok(pumped)),
            }
        }
    }
}

#[cfg(not(unix))]
impl Registration {
    /// The socket is registered from its dial on.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn new(connection: &Arc<Connection>) -> io::Result<Self> {
        Ok(Self(Arc::clone(connection)))
    }
}

#[cfg(not(unix))]
impl Readiness for Registration {
    const STEPS: usize = STEPS;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        _room: usize,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.socket.tcp().poll_read_ready(cx))?;
            match read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
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
}

/// How many reads a turn of the I/O thread takes of one connection.
const STEPS: usize = 16;
