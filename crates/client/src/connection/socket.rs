//! The socket of one connection. It is registered with no poller: whoever drives the connection does
//! that, in the home where it is.

use std::{io, mem::MaybeUninit, net::Shutdown};

use socket2::SockRef;

use super::registration::Registration;
#[cfg(unix)]
use crate::tcp::Shared;
use crate::tcp::Tcp;

/// A socket that never blocks. Any thread may use it.
#[derive(Debug)]
pub(super) struct Socket(Inner);

#[cfg(unix)]
type Inner = Shared;
#[cfg(not(unix))]
type Inner = tokio::net::TcpStream;

#[cfg(unix)]
impl Socket {
    /// The socket, and its registration with the poller by which it was dialled.
    pub(super) fn new(tcp: Tcp) -> (Self, Option<Registration>) {
        let dialled = Registration::go_on(tcp);
        (Self(Shared::clone(dialled.socket())), Some(dialled))
    }

    /// Sends the start of `bytes`; returns how much.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut self.0.as_ref(), bytes)
    }

    /// Receives into `space`; 0 when the peer has finished.
    pub(super) fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut self.0.as_ref(), space)
    }

    /// Appends to `buffer`, at most `most` bytes and no more than it has room for.
    pub(super) fn receive_behind(&self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let space = buffer.spare_capacity_mut();
        let most = most.min(space.len());
        let count = SockRef::from(self.tcp()).recv(&mut space[..most])?;
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

    /// The same socket for another owner.
    pub(super) fn share(&self) -> Shared {
        Shared::clone(&self.0)
    }

    fn tcp(&self) -> &std::net::TcpStream {
        &self.0
    }
}

/// Where sockets stay with the poller of the I/O thread.
#[cfg(not(unix))]
impl Socket {
    pub(super) fn new(tcp: Tcp) -> (Self, Option<Registration>) {
        (Self(tcp.into_inner()), None)
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

    pub(super) fn tcp(&self) -> &tokio::net::TcpStream {
        &self.0
    }
}

impl Socket {
    /// Shuts the sending side.
    pub(super) fn finish(&self) -> io::Result<()> {
        SockRef::from(self.tcp()).shutdown(Shutdown::Write)
    }

    /// Whether something has arrived that was not received.
    pub(super) fn has_unread(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        matches!(SockRef::from(self.tcp()).peek(&mut byte), Ok(count) if count > 0)
    }
}
