//! Ending a connection so that its peer can read what it was sent last.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{buffer::Buffer, stream::Stream};

/// Says the end, and reads what is still coming until the peer has ended, too: a connection that is
/// closed with unread bytes is reset, and its peer may lose what came before.
pub(crate) async fn linger(mut stream: Stream) {
    let _ = timeout(LINGER, async {
        if stream.shutdown().await.is_ok() {
            let mut buffer = Buffer::take();
            while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {}
        }
    })
    .await;
}

/// How long a peer has to end its connection. The relay closes in less than a second, all in all.
pub(crate) const LINGER: Duration = Duration::from_millis(500);
