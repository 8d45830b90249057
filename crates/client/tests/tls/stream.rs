//! The stream over TCP.

use std::{io, mem::MaybeUninit, sync::Arc, time::Duration};

use hyco_client::{Tcp, TlsParts, TlsStream};
use rustls::{ClientConfig, Error};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream as ServerStream};

use crate::peer::{KINDS, Noise, Pair, localhost};

#[tokio::test]
async fn bytes_come_back_whatever_the_chunks() {
    for kind in KINDS {
        let pair = Pair::new(kind);
        let (mut client, server) = connect(&pair).await;
        assert_eq!(
            client.session().protocol_version(),
            Some(kind.version.version)
        );
        assert!(!client.session().is_resumed());
        let echo = tokio::spawn(echo(server));

        let mut noise = Noise(0xec40);
        for round in 0..40 {
            let length = noise.below([1, 50, 5_000, 40_000][round % 4]) + 1;
            let sent = noise.bytes(length);
            for chunk in sent.chunks(noise.below(length) + 1) {
                client.write_all(chunk).await.unwrap();
            }
            client.flush().await.unwrap();
            let mut received = vec![0; length];
            let chunk = if round % 3 == 0 {
                1
            } else {
                noise.below(length) + 1
            };
            for part in received.chunks_mut(chunk) {
                client.read_exact(part).await.unwrap();
            }
            assert!(received == sent);
        }
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        echo.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn much_data_flows_both_ways_at_once() {
    const TOTAL: usize = 64 << 20;
    for kind in KINDS {
        let (client, server) = connect(&Pair::new(kind)).await;
        let (client_read, client_write) = split(client);
        let (server_read, server_write) = split(server);
        let tasks = [
            tokio::spawn(pour(client_write, TOTAL)),
            tokio::spawn(pour(server_write, TOTAL)),
            tokio::spawn(drain(client_read, TOTAL)),
            tokio::spawn(drain(server_read, TOTAL)),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn key_updates_of_the_server_go_unnoticed() {
    let (mut client, mut server) = connect(&Pair::new(KINDS[0])).await;
    let server = tokio::spawn(async move {
        for _ in 0..20 {
            server.write_all(b"before ").await.unwrap();
            server.get_mut().1.refresh_traffic_keys().unwrap();
            server.write_all(b"after ").await.unwrap();
            server.flush().await.unwrap();
            let mut answer = [0; 2];
            server.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"ok");
        }
    });
    for _ in 0..20 {
        let mut received = [0; 13];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"before after ");
        client.write_all(b"ok").await.unwrap();
        client.flush().await.unwrap();
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_second_connection_resumes_the_session() {
    for kind in KINDS {
        let pair = Pair::new(kind);
        for resumed in [false, true, true] {
            let (mut client, mut server) = connect(&pair).await;
            assert_eq!(client.session().is_resumed(), resumed);
            // The tickets of TLS 1.3 come with the first data.
            server.write_all(b"x").await.unwrap();
            server.flush().await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn shutdown_says_close_notify_and_the_other_direction_goes_on() {
    for kind in KINDS {
        let (mut client, mut server) = connect(&Pair::new(kind)).await;
        client.write_all(b"request").await.unwrap();
        client.shutdown().await.unwrap();
        assert!(client.write_all(b"more").await.is_err());

        let mut request = Vec::new();
        server.read_to_end(&mut request).await.unwrap();
        assert_eq!(request, b"request");
        server.write_all(b"response").await.unwrap();
        server.shutdown().await.unwrap();
        let mut response = Vec::new();
        client.read_to_end(&mut response).await.unwrap();
        assert_eq!(response, b"response");
    }
}

#[tokio::test]
async fn an_end_without_close_notify_is_an_error_after_the_data() {
    for kind in KINDS {
        let (mut client, mut server) = connect(&Pair::new(kind)).await;
        server.write_all(b"cut").await.unwrap();
        server.flush().await.unwrap();
        server.get_mut().0.shutdown().await.unwrap();
        let mut received = Vec::new();
        let error = client.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(received, b"cut");
    }
}

#[tokio::test]
async fn a_record_of_another_key_is_an_error_and_the_server_is_told() {
    for kind in KINDS {
        let (mut client, mut server) = connect(&Pair::new(kind)).await;
        let mut forged = vec![23, 3, 3, 0, 40];
        forged.extend([0x5a; 40]);
        server.get_mut().0.write_all(&forged).await.unwrap();
        for _ in 0..2 {
            let error = client.read(&mut [0]).await.unwrap_err();
            assert_eq!(cause(&error), &Error::DecryptError);
        }
        assert!(client.write_all(b"x").await.is_err());
        let told = timeout(PATIENCE, server.read(&mut [0])).await;
        let error = told.expect("an alert comes").unwrap_err();
        assert!(matches!(cause(&error), Error::AlertReceived(_)), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_or_issuer_is_refused() {
    for kind in KINDS {
        let pair = Pair::new(kind);
        let (outcome, server) = attempt(&pair, &pair.client, "elsewhere.test").await;
        assert!(matches!(
            cause(&outcome.unwrap_err()),
            Error::InvalidCertificate(_)
        ));
        assert!(matches!(
            cause(&server.await.unwrap().unwrap_err()),
            Error::AlertReceived(_)
        ));

        let stranger = Pair::new(kind);
        let (outcome, server) = attempt(&pair, &stranger.client, "localhost").await;
        assert!(matches!(
            cause(&outcome.unwrap_err()),
            Error::InvalidCertificate(_)
        ));
        assert!(matches!(
            cause(&server.await.unwrap().unwrap_err()),
            Error::AlertReceived(_)
        ));
    }
}

#[tokio::test]
async fn a_handshake_that_ends_early_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.read_exact(&mut [0; 5]).await.unwrap();
        tcp.shutdown().await.unwrap();
        tcp
    });
    let tcp = Tcp::adopt(TcpStream::connect(address).await.unwrap()).unwrap();
    let error = TlsStream::connect(tcp, Pair::new(KINDS[0]).client, localhost())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    server.await.unwrap();
}

#[tokio::test]
async fn parts_carry_on_where_the_stream_stood() {
    let (mut client, mut server) = connect(&Pair::new(KINDS[0])).await;
    server.write_all(b"head|body").await.unwrap();
    server.flush().await.unwrap();
    let mut head = [0; 5];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"head|");

    let TlsParts {
        mut tcp,
        mut session,
        plain,
        cipher,
        mut outgoing,
    } = client.into_parts();
    assert_eq!(plain, b"body");
    assert!(cipher.is_empty() && outgoing.is_empty());
    session.encrypt(b"answer", &mut outgoing).unwrap();
    session.close_notify(&mut outgoing);
    tcp.write_all(&outgoing).await.unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
}

#[tokio::test]
async fn parts_hold_the_beginning_of_a_record() {
    let (mut client, mut server) = connect(&Pair::new(KINDS[0])).await;
    let mut wire = crate::peer::sealed(server.get_mut().1, b"first");
    let second = crate::peer::sealed(server.get_mut().1, b"second");
    wire.extend(&second[..9]);
    server.get_mut().0.write_all(&wire).await.unwrap();
    // One read of the stream takes all that is there: wait until it is.
    let mut space = [MaybeUninit::uninit(); 1024];
    while !matches!(SockRef::from(client.tcp()).peek(&mut space), Ok(count) if count >= wire.len())
    {
        yield_now().await;
    }
    client.read_exact(&mut [0; 5]).await.unwrap();

    let TlsParts {
        mut session,
        plain,
        cipher,
        ..
    } = client.into_parts();
    assert!(plain.is_empty());
    assert_eq!(cipher, &second[..9]);
    let mut buf = [&cipher, &second[9..]].concat();
    let end = buf.len();
    let decrypted = session.decrypt(&mut buf, 0, end, &mut Vec::new()).unwrap();
    assert_eq!(&buf[..decrypted.plain], b"second");
}

/// Both ends of a fresh connection.
pub(crate) async fn connect(pair: &Pair) -> (TlsStream, ServerStream<TcpStream>) {
    let (client, server) = attempt(pair, &pair.client, "localhost").await;
    (client.unwrap(), server.await.unwrap().unwrap())
}

type Accepted = JoinHandle<io::Result<ServerStream<TcpStream>>>;

async fn attempt(
    pair: &Pair,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> (io::Result<TlsStream>, Accepted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::clone(&pair.server));
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        acceptor.accept(tcp).await
    });
    let tcp = Tcp::adopt(TcpStream::connect(address).await.unwrap()).unwrap();
    let connect = TlsStream::connect(tcp, Arc::clone(config), name.try_into().unwrap());
    let client = timeout(PATIENCE, connect)
        .await
        .expect("the handshake ends");
    (client, server)
}

async fn echo(server: ServerStream<TcpStream>) -> io::Result<()> {
    let (mut read, mut write) = split(server);
    copy(&mut read, &mut write).await?;
    write.shutdown().await
}

/// Writes a pattern in uneven pieces.
async fn pour(mut to: impl AsyncWriteExt + Unpin, total: usize) {
    let pattern = pattern();
    let mut sent = 0;
    let mut noise = Noise(3);
    while sent < total {
        let from = sent % PERIOD;
        let length = (noise.below(100_000) + 1).min(total - sent);
        to.write_all(&pattern[from..from + length]).await.unwrap();
        sent += length;
    }
    to.flush().await.unwrap();
}

/// Reads the pattern and compares it.
async fn drain(mut from: impl AsyncReadExt + Unpin, total: usize) {
    let pattern = pattern();
    let mut buf = vec![0; 100_000];
    let mut received = 0;
    while received < total {
        let length = from.read(&mut buf).await.unwrap();
        assert_ne!(length, 0);
        let at = received % PERIOD;
        assert!(buf[..length] == pattern[at..at + length]);
        received += length;
    }
}

fn pattern() -> Vec<u8> {
    let period = Noise(99).bytes(PERIOD);
    period
        .iter()
        .copied()
        .cycle()
        .take(PERIOD + 100_000)
        .collect()
}

fn cause(error: &io::Error) -> &Error {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .expect("a TLS error")
}

/// No multiple of a record, so that a record out of place is noticed.
const PERIOD: usize = 65_537;
/// A handshake on loopback takes milliseconds; this is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
