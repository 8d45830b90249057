//! Ending a connection so that its peer can read what it was sent last.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use crate::{buffer::Buffer, stream::Stream};

/// Says the end, and reads what is still coming until the peer has ended, too: a connection that is
/// closed with unread bytes is reset, and its peer may lose what came before.
pub(crate) async fn linger(mut stream: Stream) {
    let _ = timeout(LINGER, async {
        if stream.shutdown().await.is_ok() {
            poll_fn(|cx| poll_end(&mut stream, cx)).await;
        }
    })
    .await;
}

/// Reads what there is; ready at the end. A connection that waits holds no buffer: thousands may be closed
/// at once.
fn poll_end(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
    let mut buffer = Buffer::take();
    loop {
        let mut space = ReadBuf::new(&mut buffer);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut space)) {
            Ok(()) if !space.filled().is_empty() => {}
            _ => return Poll::Ready(()),
        }
    }
}

/// How long a peer has to end its connection. The relay closes in less than a second, all in all.
pub(crate) const LINGER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_end_has_half_a_second() {
        let (stream, mut peer) = Stream::pair().await;
        let started = Instant::now();
        linger(stream).await;
        assert_eq!(started.elapsed().as_millis() / 10, 50);
        assert_eq!(peer.read(&mut [0]).await.ok(), Some(0), "its end was said");
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_its_peer_to_end_holds_no_buffer() {
        let (stream, peer) = Stream::pair().await;
        // One that is left over, for all on this thread.
        drop(Buffer::take());
        let before = Buffer::spare();
        let mut lingering = Box::pin(linger(stream));
        let mut waits = true;
        for _ in 0..3 {
            let turn = poll_fn(|cx| Poll::Ready(lingering.as_mut().poll(cx).is_pending()));
            waits = waits && turn.await;
        }
        assert!(waits, "the peer has not ended");
        assert_eq!(Buffer::spare(), before);
        drop(peer);
        lingering.await;
    }
}
