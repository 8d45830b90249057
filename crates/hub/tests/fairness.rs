//! While JavaScript is behind, no connection keeps others from being read.

use std::{
    collections::BTreeMap,
    sync::Arc,
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
