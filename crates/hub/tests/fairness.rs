//! While JavaScript is behind, no connection keeps others from being read.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use hyco_client::{
    ConnectOptions, Dialer, TlsOptions,
    connection::{Connection, ConnectionOptions, Inbox},
    sender,
};
use hyco_hub::{HubInbox, IoThread, Queue, live};
use hyco_log::Log;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::Handle,
};
use tokio_tungstenite::accept_async;

const CONNECTIONS: u32 = 16;
/// Four fill the queue.
const MESSAGE: usize = 512 * 1024;
/// How long JavaScript works on what it has taken.
const LISTENERS: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a connection whose peer sends messages without an end.
async fn flooded(id: u32, inbox: Arc<HubInbox>) -> Arc<Connection> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback works");
    let address = format!("ws://{}/", listener.local_addr().expect("it is bound"));
    let accepting = async {
        let (stream, _) = listener.accept().await.expect("loopback works");
        accept_async(stream)
            .await
            .expect("loopback works")
            .into_inner()
    };
    let dialer = Dialer::new(&TlsOptions::default()).expect("default options");
    let connecting = sender::connect(&dialer, ConnectOptions::new(address));
    let (upgraded, peer) = tokio::join!(connecting, accepting);
    tokio::spawn(flood(peer));
    let options = ConnectionOptions::default();
    let pool = Arc::clone(&inbox.buffers);
    let (connection, driver) = Connection::new(
        id,
        upgraded.expect("a handshake"),
        options,
        Arc::clone(&inbox),
        pool,
    );
    tokio::spawn(live(driver, inbox));
    connection
}

async fn flood(mut peer: TcpStream) {
    let mut frame = vec![0x82, 127];
    frame.extend((MESSAGE as u64).to_be_bytes());
    frame.resize(frame.len() + MESSAGE, 0);
    while peer.write_all(&frame).await.is_ok() {}
}

/// Whether the queue takes no more.
fn is_full(inbox: &HubInbox) -> bool {
    let probe = inbox.poll_lend(Waker::noop(), 0, 0, |_, _| Poll::Ready(()));
    probe.is_pending()
}

#[test]
fn floods_share_a_queue_that_is_always_full() {
    let inbox = HubInbox::new();
    let turning = Arc::clone(&inbox);
    let io = IoThread::start(Log::new(|_| {}), move || turning.turns.end_turn()).unwrap();
    let connections: Vec<_> = (1..=CONNECTIONS)
        .map(|id| io.handle().spawn(flooded(id, Arc::clone(&inbox))))
        .map(|opening| io.handle().block_on(opening).unwrap())
        .collect();

    let mut received: BTreeMap<u32, u32> = BTreeMap::new();
    let started = Instant::now();
    while received.len() < CONNECTIONS as usize || received.values().any(|&count| count < 3) {
        assert!(
            started.elapsed() < PATIENCE,
            "messages by connection: {received:?}"
        );
        if !is_full(&inbox) {
            thread::yield_now();
            continue;
        }
        thread::sleep(LISTENERS);
        for record in &inbox.take(Queue::default()).records {
            *received.entry(record.connection).or_default() += 1;
        }
        inbox.rest();
    }
    for connection in connections {
        connection.destroy();
    }
}

/// How many turns a task that is always ready has before one has its first that another thread has spawned.
async fn turns_before(other: Handle) -> usize {
    let has_run = Arc::new(AtomicBool::new(false));
    let running = Arc::clone(&has_run);
    let spawning = thread::spawn(move || {
        other.spawn(async move { running.store(true, Ordering::Relaxed) });
    });
    spawning.join().expect("a task is spawned");
    let mut turns = 0;
    while !has_run.load(Ordering::Relaxed) {
        let mut is_first = true;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let outcome = if is_first {
                Poll::Pending
            } else {
                Poll::Ready(())
            };
            is_first = false;
            outcome
        })
        .await;
        turns += 1;
    }
    turns
}

#[test]
fn what_javascript_has_woken_does_not_wait_for_what_wakes_itself() {
    let io = IoThread::start(Log::new(|_| {}), || {}).unwrap();
    let handle = io.handle().clone();
    let counting = async move {
        let mut most = 0;
        for _ in 0..50 {
            most = most.max(turns_before(handle.clone()).await);
        }
        most
    };
    let most = io.handle().block_on(io.handle().spawn(counting)).unwrap();
    assert!(most <= 2, "{most}");
}
