//! An exchange that always has something to move lets the others have their turn, and goes on itself.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy, sink},
    net::TcpListener,
    time::timeout,
};

use super::{
    channel::Channel,
    pump::Pump,
    service::{HttpOptions, Outcome, Transport},
    upgrade::Passage,
};
use crate::{dial::Upgraded, stream::Stream, tcp::Tcp};

/// More than a few turns move.
const MUCH: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that has no end of things to say.
struct Endless {
    beginning: &'static [u8],
    given: Arc<AtomicUsize>,
}

impl Endless {
    fn after(beginning: &'static [u8]) -> Self {
        Self {
            beginning,
            given: Arc::default(),
        }
    }
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = space.remaining();
        space.put_slice(std::mem::take(&mut self.beginning));
        space.initialize_unfilled();
        space.set_filled(space.capacity());
        self.given.fetch_add(before, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(b.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Endless {
    fn finish(self: Box<Self>, _: Outcome) {}
}

/// A connection whose other side reads everything.
async fn upgraded() -> Upgraded {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (own, other) = tokio::join!(Tcp::connect(address), listener.accept());
    let (mut other, _) = other.expect("a connection");
    tokio::spawn(async move { copy(&mut other, &mut sink()).await });
    Upgraded {
        stream: Stream::Plain(own.expect("a connection")),
        rest: Vec::new(),
        protocol: None,
        tracking_id: None,
        answer: None,
    }
}

/// Takes turns until much was given. Returns what was given in one of them at the most.
async fn most_of_a_turn(given: &AtomicUsize, mut turn: impl FnMut(&mut Context<'_>)) -> usize {
    let mut most = 0;
    let moving = poll_fn(|cx| {
        let before = given.load(Ordering::Relaxed);
        turn(cx);
        let now = given.load(Ordering::Relaxed);
        most = most.max(now - before);
        match now < MUCH {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    });
    timeout(PATIENCE, moving).await.expect("it goes on");
    most
}

#[tokio::test]
async fn a_long_answer_is_moved_in_many_turns() {
    let mut server = Endless::after(b"HTTP/1.1 200 OK\r\n\r\n");
    let (options, given) = (HttpOptions::default(), Arc::clone(&server.given));
    let mut pump = Pump::new(&options, "1", "GET", &mut server, Vec::new());
    pump.at(
        Box::new(Channel::new(upgraded().await, Arc::default())),
        false,
    );
    let most = most_of_a_turn(&given, |cx| assert!(pump.poll(cx).is_pending())).await;
    // Sixteen rounds, in each of which the window is filled.
    assert!(most <= 16 * 96 * 1024, "{most}");
}

#[tokio::test]
async fn a_flood_on_an_upgraded_connection_is_moved_in_many_turns() {
    // One frame that is as long as a frame can be.
    let mut server = Endless::after(&[0x82, 127, 0, 0xff, 0, 0, 0, 0, 0, 0]);
    let given = Arc::clone(&server.given);
    let mut passage = Passage::new(upgraded().await, Vec::new());
    let turn = |cx: &mut Context<'_>| assert!(passage.poll(cx, &mut server).is_pending());
    let most = most_of_a_turn(&given, turn).await;
    assert!(most <= 16 * 16 * 1024, "{most}");
}
