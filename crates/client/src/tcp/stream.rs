//! A TCP connection from its dial to the data plane.
//!
//! The data plane shares the socket among threads and moves it between pollers, which tokio's own type
//! does not allow. Here the registration with the poller is apart from the socket: it is made once, by the
//! dial, and whoever drives the connection goes on with it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
#[cfg(unix)]
use std::{
    net::Shutdown,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    task::ready,
};

#[cfg(unix)]
use socket2::{Domain, Protocol, SockRef, Socket, Type};
#[cfg(unix)]
use tokio::io::unix::AsyncFd;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A socket as threads share it. It never blocks.
#[cfg(unix)]
pub(crate) type Shared = Arc<std::net::TcpStream>;

/// A TCP connection that is registered with the poller of the thread which dialled it.
#[cfg(unix)]
#[derive(Debug)]
pub struct Tcp(AsyncFd<Shared>);

/// A TCP connection.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Tcp(TcpStream);

#[cfg(unix)]
impl Tcp {
    /// Connects to that address.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = unblocking(Domain::for_address(address))?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let tcp = Self::register(Arc::new(socket.into()))?;
        drop(tcp.0.writable().await?);
        match tcp.0.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(tcp),
        }
    }

    /// Takes over a connection that tokio has made. Within a runtime of tokio.
    ///
    /// # Errors
    /// When the operating system does not give the socket away.
    pub fn adopt(tcp: TcpStream) -> io::Result<Self> {
        Self::register(Arc::new(tcp.into_std()?))
    }

    /// Has the poller of this thread watch a socket, and report at once what is ready already.
    pub(crate) fn register(socket: Shared) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "the descriptor must stay what it is")]
        // SAFETY: the socket is held beside its registration, which ends first, and nobody takes the
        // descriptor out of it.
        let registered = unsafe { AsyncFd::register(socket) }?;
        Ok(Self(registered))
    }

    /// The socket, and its registration with the poller.
    pub(crate) fn into_inner(self) -> AsyncFd<Shared> {
        self.0
    }

    /// Sends what can be sent without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut self.0.get_ref().as_ref(), bytes)
    }

    /// Whether there may be something to read, which is told when it comes.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx).map_ok(drop)
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.get_ref().set_nodelay(nodelay)
    }

    /// The other end.
    ///
    /// # Errors
    /// When there is none any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        send: impl Fn(&std::net::TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut writable = ready!(self.0.poll_write_ready(cx))?;
            match send(self.0.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => writable.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

/// A socket that never blocks.
#[cfg(target_os = "linux")]
fn unblocking(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

/// A socket that never blocks.
#[cfg(all(unix, not(target_os = "linux")))]
fn unblocking(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(unix)]
impl AsFd for Tcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

#[cfg(unix)]
impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut readable = ready!(self.0.poll_read_ready(cx))?;
            #[expect(
                unsafe_code,
                reason = "zeroing the memory first would be work for every read"
            )]
            // SAFETY: nothing is made uninitialised, and as many bytes count as the operating system has
            // written.
            let received = unsafe {
                let space = buffer.unfilled_mut();
                let room = space.len();
                let received = SockRef::from(self.0.get_ref()).recv(space);
                if let Ok(count) = received {
                    buffer.assume_init(count);
                    buffer.advance(count);
                }
                received.map(|count| (count, room))
            };
            match received {
                Ok((count, room)) => {
                    // Room was left: the poller tells when more comes. The end is there to stay.
                    if count > 0 && count < room {
                        readable.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readable.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(unix)]
impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |mut socket| io::Write::write(&mut socket, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |mut socket| {
            io::Write::write_vectored(&mut socket, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.get_ref().shutdown(Shutdown::Write) {
            // The other end was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }
}

#[cfg(not(unix))]
impl Tcp {
    /// Connects to that address.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).await.map(Self)
    }

    /// Takes over a connection that tokio has made.
    ///
    /// # Errors
    /// None here; elsewhere it can fail.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub fn adopt(tcp: TcpStream) -> io::Result<Self> {
        Ok(Self(tcp))
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> TcpStream {
        self.0
    }

    /// Sends what can be sent without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// Whether there may be something to read, which is told when it comes.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    /// The other end.
    ///
    /// # Errors
    /// When there is none any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Tcp {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

#[cfg(not(unix))]
impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

#[cfg(not(unix))]
impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
