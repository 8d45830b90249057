//! The socket of one connection. It is registered with no poller: whoever drives the connection does
//! that, in the home where it is.

use std::{io, mem::MaybeUninit, net::Shutdown};

use socket2::SockRef;
use tokio::net::TcpStream;

/// A socket that never blocks. Any thread may use it.
#[derive(Debug)]
pub(super) struct Socket(Inner);

#[cfg(unix)]
type Inner = std::net::TcpStream;
#[cfg(not(unix))]
type Inner = TcpStream;

#[cfg(unix)]
impl Socket {
    /// Takes the socket away from the poller with which it was dialled.
    pub(super) fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.into_std().map(Self)
    }

    /// Sends the start of `bytes`; returns how much.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &self.0, bytes)
    }

    /// Receives into `space`; 0 when the peer has finished.
    pub(super) fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut &self.0, space)
    }

    /// Appends to `buffer`, at most `most` bytes and no more than it has room for.
    pub(super) fn receive_behind(&self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let space = buffer.spare_capacity_mut();
        let most = most.min(space.len());
        let count = SockRef::from(&self.0).recv(&mut space[..most])?;
        let length = buffer.len() + count;
        #[expect(
            unsafe_code,
            reason = "zeroing the memory first would be work for every byte that comes"
        )]
        // SAFETY: the operating system has written `count` bytes of the spare capacity.
        unsafe {
            buffer.set_len(length);
        }
        Ok(count)
    }
}

#[cfg(unix)]
impl Socket {
    /// Its descriptor, as long as it lives.
    pub(super) fn descriptor(&self) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }
}

/// Where sockets stay with the poller of the I/O thread.
#[cfg(not(unix))]
impl Socket {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn new(tcp: TcpStream) -> io::Result<Self> {
        Ok(Self(tcp))
    }

    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    pub(super) fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(space)
    }

    pub(super) fn receive_behind(&self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.0.try_read_buf(&mut bytes::BufMut::limit(buffer, most))
    }

    /// No event loop but that of the I/O thread watches it.
    #[expect(clippy::unused_self, reason = "elsewhere it is asked")]
    pub(super) fn descriptor(&self) -> i32 {
        -1
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.0
    }
}

impl Socket {
    /// Shuts the sending side.
    pub(super) fn finish(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(Shutdown::Write)
    }

    /// Whether something has arrived that was not received.
    pub(super) fn has_unread(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        matches!(SockRef::from(&self.0).peek(&mut byte), Ok(count) if count > 0)
    }
}
