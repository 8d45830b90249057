//! A TCP connection that stands for a stream which is not one.

use std::{io, net::Ipv4Addr};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::tcp::Tcp;

/// Copies between the stream and a TCP connection within this machine, whose other end is given back.
///
/// The data plane reads from and writes to sockets by itself. A tunnel within TLS is rare enough to cost
/// one more copy.
pub(super) async fn over<S>(mut stream: S) -> io::Result<Tcp>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let own = TcpStream::connect(listener.local_addr()?).await?;
    let mut other = loop {
        let (accepted, peer) = listener.accept().await?;
        // Another program may have been quicker.
        if peer == own.local_addr()? {
            break accepted;
        }
    };
    for end in [&own, &other] {
        end.set_nodelay(true)?;
    }
    tokio::spawn(async move {
        if let Err(error) = copy_bidirectional(&mut stream, &mut other).await {
            tracing::debug!(%error, "tunnel over TLS broke");
        }
    });
    Tcp::adopt(own)
}
