//! Time is that of the test, and stands still while nobody waits for it.

use std::{
    io::Read,
    sync::atomic::{AtomicU64, Ordering},
};

use hyco_client::{ConnectOptions, Dialer, TlsOptions, connection::ConnectionOptions, sender};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::accept_async;

use super::*;
use crate::{Queue, Record, kind};

const INTERVAL: Duration = Duration::from_secs(30);
/// More than the sockets of both ends hold.
const UPLOAD: usize = 64 * 1024 * 1024;

/// A connection that nobody reads, and the socket of its peer.
async fn connection(inbox: &Arc<HubInbox>) -> (Arc<Connection>, TcpStream, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/", listener.local_addr().unwrap());
    let dialer = Dialer::new(&TlsOptions::default()).unwrap();
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        accept_async(stream).await.unwrap().into_inner()
    };
    let connecting = sender::connect(&dialer, ConnectOptions::new(address));
    let (upgraded, peer) = tokio::join!(connecting, accepting);
    let pool = Arc::clone(&inbox.buffers);
    let options = ConnectionOptions::default();
    let (connection, driver) =
        Connection::new(1, upgraded.unwrap(), options, Arc::clone(inbox), pool);
    // Not before: a clock that does not wait for the network would end the handshake.
    tokio::time::pause();
    (connection, peer, driver)
}

/// Waits for the end of a connection: how long that took.
async fn lost(inbox: &HubInbox) -> Duration {
    let started = Instant::now();
    let waiting = async {
        loop {
            let queue = inbox.take(Queue::default());
            if queue.events.iter().any(|event| event.contains("\"lost\"")) {
                return;
            }
            sleep(TICK).await;
        }
    };
    timeout(10 * INTERVAL, waiting).await.expect("it is kept");
    started.elapsed()
}

/// Whether anything was sent to the peer.
fn is_told(peer: &TcpStream) -> bool {
    peer.try_read(&mut [0; 16]).is_ok()
}

/// Waits for a Ping, as a client sends it: with a mask, without a payload.
async fn pinged(peer: &mut TcpStream) {
    let mut frame = [0; 6];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[..2], [0x89, 0x80]);
}

#[tokio::test]
async fn silence_of_one_interval_is_asked_and_of_two_is_the_end() {
    let inbox = HubInbox::new();
    let (connection, mut peer, _driver) = connection(&inbox).await;
    let keep_alive = Arc::new(KeepAlive::default());
    keep_alive.watch(1, &connection, INTERVAL);
    let attending = tokio::spawn(Arc::clone(&keep_alive).attend(Arc::clone(&inbox)));
    let took = lost(&inbox).await;
    assert!(
        took >= 2 * INTERVAL && took < 2 * INTERVAL + INTERVAL / LOOKS,
        "{took:?}"
    );
    pinged(&mut peer).await;
    attending.abort();
}

/// Reads so much of what waits for the peer. No time passes meanwhile by the clock of the test.
fn read_slowly(mut peer: &std::net::TcpStream, most: usize) {
    let mut chunk = vec![0; 64 * 1024];
    let mut count = 0;
    let patience = std::time::Instant::now() + INTERVAL;
    while count < most && std::time::Instant::now() < patience {
        match peer.read(&mut chunk) {
            Ok(read) => count += read,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(count >= most, "{count}");
}

#[tokio::test]
async fn a_long_upload_lives_as_long_as_it_gets_on() {
    let inbox = HubInbox::new();
    let (connection, peer, _driver) = connection(&inbox).await;
    let payload = vec![0; UPLOAD];
    connection.append([Frame {
        fin: true,
        opcode: OpCode::Binary,
        payload: &payload,
        mask: Some([0; 4]),
        acknowledge: false,
    }]);
    connection.write_out();
    assert!(connection.buffered() > 0, "the socket took it all");
    let peer = peer.into_std().unwrap();
    let keep_alive = Arc::new(KeepAlive::default());
    keep_alive.watch(1, &connection, INTERVAL);
    let attending = tokio::spawn(Arc::clone(&keep_alive).attend(Arc::clone(&inbox)));
    for _ in 0..12 {
        sleep(INTERVAL / 2).await;
        read_slowly(&peer, UPLOAD / 32);
    }
    assert!(connection.buffered() > 0, "the upload is over");
    assert!(!connection.is_closing(), "it was given up while it got on");
    let took = lost(&inbox).await;
    assert!(took >= INTERVAL, "{took:?}");
    attending.abort();
}

#[tokio::test]
async fn what_a_full_socket_takes_is_acknowledged_though_nobody_else_writes() {
    let inbox = HubInbox::new();
    let (connection, peer, _driver) = connection(&inbox).await;
    connection.append([Frame {
        fin: true,
        opcode: OpCode::Binary,
        payload: &vec![0; UPLOAD],
        mask: Some([0; 4]),
        acknowledge: true,
    }]);
    assert_eq!(connection.write_out(), 0, "the socket took it all");
    let keep_alive = KeepAlive::default();
    keep_alive.watch(1, &connection, INTERVAL);
    let attending = keep_alive.attend_by(&inbox, SystemTime::now);
    let peer = peer.into_std().unwrap();
    let reading = async {
        while connection.buffered() > 0 {
            read_slowly(&peer, 1);
            while (&peer).read(&mut [0; 64 * 1024]).is_ok() {}
            sleep(INTERVAL / 2).await;
        }
    };
    tokio::select! {
        () = attending => unreachable!("it attends for ever"),
        () = reading => {}
    }
    let queue = inbox.take(Queue::default());
    let acknowledged = |record: &Record| (record.kind, record.length) == (kind::ACKNOWLEDGED, 1);
    assert_eq!(
        queue.records.iter().filter(|it| acknowledged(it)).count(),
        1
    );
    assert_eq!(queue.records.len(), 1, "nothing else is told");
}

#[tokio::test]
async fn a_shorter_interval_does_not_wait_for_a_longer_one() {
    let inbox = HubInbox::new();
    let (connection, mut peer, _driver) = connection(&inbox).await;
    let (keep_alive, short) = (KeepAlive::default(), Duration::from_millis(400));
    keep_alive.watch(1, &connection, INTERVAL);
    let watching = async {
        sleep(TICK).await;
        keep_alive.watch(1, &connection, short);
        let started = Instant::now();
        pinged(&mut peer).await;
        started.elapsed()
    };
    tokio::select! {
        () = keep_alive.attend_by(&inbox, SystemTime::now) => unreachable!("it attends for ever"),
        took = watching => assert!(took < short + short / LOOKS, "{took:?}"),
    }
}

#[tokio::test]
async fn a_sleep_while_there_was_nothing_to_look_at_is_none() {
    let inbox = HubInbox::new();
    let (connection, mut peer, _driver) = connection(&inbox).await;
    let (keep_alive, started) = (KeepAlive::default(), Instant::now());
    let slept = AtomicU64::new(0);
    let wall = || {
        let seconds = Duration::from_secs(slept.load(Ordering::Relaxed));
        SystemTime::UNIX_EPOCH + started.elapsed() + seconds
    };
    let watching = async {
        sleep(Duration::from_secs(3)).await;
        slept.store(3600, Ordering::Relaxed);
        keep_alive.watch(1, &connection, INTERVAL);
        sleep(INTERVAL - Duration::from_secs(1)).await;
        assert!(!is_told(&peer), "a Ping before an interval was over");
        pinged(&mut peer).await;
    };
    tokio::select! {
        () = keep_alive.attend_by(&inbox, wall) => unreachable!("it attends for ever"),
        () = watching => {}
    }
}

#[tokio::test]
async fn after_a_sleep_a_connection_has_one_interval_to_show_that_it_lives() {
    let inbox = HubInbox::new();
    let (connection, mut peer, _driver) = connection(&inbox).await;
    let keep_alive = KeepAlive::default();
    keep_alive.watch(1, &connection, INTERVAL);
    let (started, slept) = (Instant::now(), AtomicU64::new(0));
    let wall = || {
        let seconds = Duration::from_secs(slept.load(Ordering::Relaxed));
        SystemTime::UNIX_EPOCH + started.elapsed() + seconds
    };
    let attending = keep_alive.attend_by(&inbox, wall);
    let sleeping = async {
        sleep(Duration::from_secs(3)).await;
        assert!(!is_told(&peer));
        slept.store(3600, Ordering::Relaxed);
        let woken = Instant::now();
        pinged(&mut peer).await;
        let noticed = woken.elapsed();
        assert!(noticed <= Duration::from_secs(1), "{noticed:?}");
        lost(&inbox).await
    };
    tokio::select! {
        () = attending => unreachable!("it attends for ever"),
        took = sleeping => assert!(
            took >= INTERVAL - TICK && took <= INTERVAL + INTERVAL / LOOKS + TICK,
            "{took:?}"
        ),
    }
}
