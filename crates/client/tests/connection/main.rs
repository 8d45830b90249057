//! One connection over a real socket, with an inbox that counts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod turns;

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use hyco_client::{
    Stream, Tcp, Upgraded,
    connection::{
        Batch, BufferPool, Connection, ConnectionOptions, Driver, Frame, Home, Inbox, Signal,
    },
};
use hyco_websocket::{Assembled, OpCode, Sink, Violation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::yield_now,
    time::timeout,
};

/// So little space is lent that what has come takes many read steps, if a test does not ask for more.
const SPACE: usize = 1024;

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection has brought.
#[derive(Debug, Default)]
struct Counting {
    space: usize,
    steps: AtomicUsize,
    messages: AtomicUsize,
    is_full: AtomicBool,
    stalled: Mutex<Option<Waker>>,
    /// How often the peer's end was found.
    ends: AtomicUsize,
    signals: Mutex<Vec<Signal>>,
}

#[derive(Debug, Default)]
struct Found {
    messages: usize,
    ends: usize,
}

impl Sink for Found {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }

    fn message(&mut self, _: bool, _: Range<usize>) {
        self.messages += 1;
    }

    fn large(&mut self, _: bool, _: Assembled) {
        self.messages += 1;
    }

    fn ping(&mut self, _: Range<usize>) {}
    fn pong(&mut self, _: Range<usize>) {}
    fn close(&mut self, _: Option<u16>, _: Range<usize>) {}
}

impl Batch for Found {
    fn violation(&mut self, violation: Violation) {
        panic!("{violation}");
    }

    fn ended(&mut self) {
        self.ends += 1;
    }
}

impl Inbox for Counting {
    type Batch = Found;

    fn poll_lend<R>(
        &self,
        waker: &Waker,
        _: u32,
        _: usize,
        step: impl FnOnce(&mut [u8], &mut Found) -> Poll<R>,
    ) -> Poll<R> {
        if self.is_full.load(Ordering::Relaxed) {
            *self.stalled.lock().unwrap() = Some(waker.clone());
            return Poll::Pending;
        }
        let mut found = Found::default();
        let outcome = step(&mut vec![0; self.space], &mut found);
        if outcome.is_ready() {
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
        self.messages.fetch_add(found.messages, Ordering::Relaxed);
        self.ends.fetch_add(found.ends, Ordering::Relaxed);
        outcome
    }

    fn signal(&self, _: u32, signal: Signal) {
        self.signals.lock().unwrap().push(signal);
    }
}

impl Home for Counting {
    type Stay = ();

    fn leaves_thread(&self, (): &mut (), _: usize) -> bool {
        false
    }
}

impl Counting {
    fn steps(&self) -> usize {
        self.steps.load(Ordering::Relaxed)
    }

    fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// Waits for so many messages.
    async fn bring(&self, count: usize) {
        let read = async {
            while self.messages() < count {
                yield_now().await;
            }
        };
        timeout(PATIENCE, read).await.unwrap();
    }

    fn ends(&self) -> usize {
        self.ends.load(Ordering::Relaxed)
    }

    fn signals(&self) -> Vec<Signal> {
        self.signals.lock().unwrap().clone()
    }
}

/// A connection and the socket at its other end.
async fn open() -> (Arc<Connection>, Driver<Counting>, Arc<Counting>, TcpStream) {
    let (own, peer) = pair(None).await;
    let (connection, driver, inbox) = adopt(own, SPACE);
    (connection, driver, inbox, peer)
}

/// Both ends of a connection; the kernel keeps so many bytes for the first, or as many as it likes.
async fn pair(kept: Option<u32>) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = kept {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let (own, accepted) = tokio::join!(socket.connect(address), listener.accept());
    (own.unwrap(), accepted.unwrap().0)
}

/// A connection whose read steps are lent so much space.
fn adopt(own: TcpStream, space: usize) -> (Arc<Connection>, Driver<Counting>, Arc<Counting>) {
    let upgraded = Upgraded::from(Stream::Plain(Tcp::adopt(own).unwrap()));
    let options = ConnectionOptions::default();
    let inbox = Arc::new(Counting {
        space,
        ..Counting::default()
    });
    let pool = Arc::new(BufferPool::default());
    let (connection, driver) = Connection::new(1, upgraded, options, Arc::clone(&inbox), pool);
    (connection, driver, inbox)
}

/// Lets a driver that was spawned come to where it waits for its socket.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// So many binary messages of 62 bytes, as a relay passes them on.
fn messages(count: usize) -> Vec<u8> {
    let mut frame = vec![0x82, 62];
    frame.resize(64, 7);
    frame.repeat(count)
}

#[tokio::test]
async fn a_full_inbox_stops_reading_until_its_owner_wakes_the_connection() {
    let (_connection, driver, inbox, mut peer) = open().await;
    inbox.is_full.store(true, Ordering::Relaxed);
    tokio::spawn(driver.on_thread());
    peer.write_all(&messages(10)).await.unwrap();
    let stalled = async {
        loop {
            if let Some(waker) = inbox.stalled.lock().unwrap().take() {
                return waker;
            }
            yield_now().await;
        }
    };
    let waker = timeout(PATIENCE, stalled).await.unwrap();
    assert_eq!(inbox.messages(), 0);
    inbox.is_full.store(false, Ordering::Relaxed);
    waker.wake();
    inbox.bring(10).await;
}

#[tokio::test]
async fn a_paused_connection_reads_nothing_and_goes_on_when_it_is_told() {
    let (connection, driver, inbox, mut peer) = open().await;
    connection.pause();
    tokio::spawn(driver.on_thread());
    peer.write_all(&messages(10)).await.unwrap();
    connection.append([ping(true)]);
    // It writes all the same.
    assert_eq!(connection.write_out(), 1);
    let mut frame = [0; 2];
    timeout(PATIENCE, peer.read_exact(&mut frame))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(frame, [0x89, 0]);
    assert_eq!(inbox.messages(), 0);
    connection.resume();
    inbox.bring(10).await;
}

#[tokio::test]
async fn an_end_is_told_when_all_is_written_and_a_close_when_both_sides_have_ended() {
    let (connection, driver, inbox, mut peer) = open().await;
    let driving = tokio::spawn(driver.on_thread());
    settle().await;
    connection.append([ping(false), ping(true), ping(true)]);
    connection.end();
    let mut all = Vec::new();
    timeout(PATIENCE, peer.read_to_end(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all, [0x89, 0].repeat(3));
    assert_eq!(inbox.signals(), [Signal::Acknowledged(2), Signal::Finished]);
    assert_eq!(inbox.ends(), 0);
    peer.shutdown().await.unwrap();
    timeout(PATIENCE, driving).await.unwrap().unwrap();
    assert_eq!(inbox.signals().last(), Some(&Signal::Closed));
    assert_eq!(inbox.ends(), 1);
}

#[tokio::test]
async fn a_destroyed_connection_is_told_closed_once_and_acknowledges_nothing() {
    let (connection, driver, inbox, mut peer) = open().await;
    let driving = tokio::spawn(driver.on_thread());
    settle().await;
    connection.append([ping(true)]);
    connection.destroy();
    timeout(PATIENCE, driving).await.unwrap().unwrap();
    drop(connection);
    assert_eq!(inbox.signals(), [Signal::Closed]);
    let mut all = Vec::new();
    let _ = timeout(PATIENCE, peer.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, [0; 0]);
}

#[tokio::test]
async fn the_end_of_the_peer_is_found_within_a_large_message_too() {
    let (connection, driver, inbox, mut peer) = open().await;
    let driving = tokio::spawn(driver.on_thread());
    let head = [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
    let whole = [head.as_slice(), &[5; 64 * 1024]].concat();
    peer.write_all(&whole).await.unwrap();
    peer.write_all(&whole[..40 * 1024]).await.unwrap();
    peer.shutdown().await.unwrap();
    let read = async {
        while inbox.ends() == 0 {
            yield_now().await;
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    assert_eq!((inbox.messages(), inbox.ends()), (1, 1));
    assert!(!driving.is_finished(), "its own side is open");
    connection.end();
    timeout(PATIENCE, driving).await.unwrap().unwrap();
}

#[tokio::test]
async fn little_is_written_at_once_and_much_by_the_driver() {
    let (connection, driver, inbox, mut peer) = open().await;
    tokio::spawn(driver.on_thread());
    settle().await;
    assert!(connection.append([ping(true), ping(true)]));
    assert_eq!(connection.flush(), 2);
    assert_eq!((connection.buffered(), connection.flush()), (0, 0));
    let mut pings = [0; 4];
    timeout(PATIENCE, peer.read_exact(&mut pings))
        .await
        .unwrap()
        .unwrap();

    let payload = vec![1; 20 * 1024];
    assert!(connection.append([binary(&payload)]));
    assert!(
        !connection.append([ping(false)]),
        "something waits before it"
    );
    assert_eq!(connection.flush(), 0);
    let mut all = vec![0; 4 + payload.len() + 2];
    timeout(PATIENCE, peer.read_exact(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(inbox.signals(), [Signal::Acknowledged(1)]);
}

#[tokio::test]
async fn what_a_full_socket_does_not_take_is_written_by_the_driver() {
    let (connection, driver, inbox, mut peer) = open().await;
    tokio::spawn(driver.on_thread());
    settle().await;
    // More than both ends of a loopback connection hold.
    let payload = vec![1; 32 * 1024 * 1024];
    connection.append([binary(&payload)]);
    assert_eq!(connection.write_out(), 0);
    let left = connection.buffered();
    assert!(left > 0 && left < payload.len() + 10, "{left}");
    connection.end();
    let mut all = Vec::new();
    timeout(PATIENCE, peer.read_to_end(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all.len(), 10 + payload.len());
    assert_eq!(connection.buffered(), 0);
    assert_eq!(inbox.signals(), [Signal::Acknowledged(1), Signal::Finished]);
}

fn binary(payload: &[u8]) -> Frame<'_> {
    Frame {
        fin: true,
        opcode: OpCode::Binary,
        payload,
        mask: None,
        acknowledge: true,
    }
}

fn ping(acknowledge: bool) -> Frame<'static> {
    Frame {
        fin: true,
        opcode: OpCode::Ping,
        payload: &[],
        mask: None,
        acknowledge,
    }
}
