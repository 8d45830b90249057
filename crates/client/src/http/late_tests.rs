//! Streams that take more than they can send at once, as TLS does: what they hold is flushed when they
//! can go on, also if nothing more is written.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use hyco_websocket::{OpCode, append_frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    pump::Pump,
    service::{HttpOptions, Outcome, Transport},
    upgrade::Way,
};

/// Holds what is written until it is flushed for the second time, and has nothing to say.
#[derive(Default)]
struct Late {
    held: Vec<u8>,
    sent: Vec<u8>,
    flushes: usize,
}

impl AsyncRead for Late {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        if self.flushes == 1 {
            return Poll::Pending;
        }
        let held = std::mem::take(&mut self.held);
        self.sent.extend(held);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Late {
    fn finish(self: Box<Self>, _: Outcome) {}
}

#[tokio::test]
async fn a_request_leaves_when_its_server_can_take_it() {
    let mut server = Late::default();
    let (options, head) = (HttpOptions::default(), b"GET / HTTP/1.1\r\n\r\n");
    let mut pump = Pump::new(&options, "1", "GET", &mut server, head.to_vec());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(pump.poll(&mut cx).is_pending());
    }
    drop(pump);
    assert_eq!(server.sent, head);
    assert_eq!(server.flushes, 2, "there is nothing more to flush");
}

#[test]
fn a_frame_of_an_upgraded_connection_leaves_when_the_other_side_can_take_it() {
    let mut frame = Vec::new();
    append_frame(&mut frame, true, OpCode::Text, b"last words", None);
    let (mut way, mut to) = (Way::default(), Late::default());
    way.take(&frame, || [0; 4]);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        way.poll_write(&mut cx, &mut to).expect("it takes all");
    }
    assert!(to.sent.ends_with(b"last words"));
    assert_eq!(to.flushes, 2, "there is nothing more to flush");
}
