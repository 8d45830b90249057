//! Reading TLS records many at a time.
//!
//! rustls reads 4 KiB at a time, which makes five system calls for one record of the usual size. Here
//! one call fetches as much as there is, and rustls is served from memory.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::buffer::Buffer;

/// A TCP connection with a buffer in front, which it has only while bytes lie in it.
pub(crate) struct ReadAhead {
    stream: TcpStream,
    buffer: Option<Buffer>,
    unread: Range<usize>,
}

impl ReadAhead {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: None,
            unread: 0..0,
        }
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wanted: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            let mut buffer = Buffer::take();
            let mut space = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut space))?;
            this.unread = 0..space.filled().len();
            this.buffer = Some(buffer);
        }
        if let Some(buffer) = &this.buffer {
            let count = this.unread.len().min(wanted.remaining());
            wanted.put_slice(&buffer[this.unread.start..][..count]);
            this.unread.start += count;
        }
        if this.unread.is_empty() {
            this.buffer = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
