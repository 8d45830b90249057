//! Going through a proxy whose every word the test writes.

use std::time::Duration;

use hyco_client::{ConnectOptions, Error, Proxy, sender};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::{Relay, dialer, read_head};

const PASSWORD: &str = "pass-word";
/// `me:pass-word`
const BASIC: &str = "bWU6cGFzcy13b3Jk";

fn options(relay: &Relay) -> ConnectOptions {
    // A name that only a proxy can resolve.
    let mut options = ConnectOptions::new(format!("ws://relay.invalid:{}/$hc/hyco", relay.port()));
    options.timeout = Duration::from_secs(10);
    options
}

async fn bind() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Connects through that proxy, which acts as `serve` says; the relay takes whoever comes.
async fn connect(relay: &Relay, url: &str, serve: impl Future<Output = ()>) -> Result<(), Error> {
    let dialer = dialer().through(Some(Proxy::new(url, "").unwrap()));
    tokio::select! {
        connected = sender::connect(&dialer, options(relay)) => connected.map(drop),
        () = async { tokio::join!(serve, relay.open()); } => panic!("not connected"),
    }
}

async fn tunnel(mut stream: TcpStream, relay: &Relay) {
    let mut target = TcpStream::connect(("127.0.0.1", relay.port()))
        .await
        .unwrap();
    drop(copy_bidirectional(&mut stream, &mut target).await);
    std::future::pending().await
}

#[tokio::test]
async fn an_http_proxy_is_asked_with_name_and_credentials() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    let serve = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let target = format!("relay.invalid:{}", relay.port());
        let expected = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {BASIC}\r\n\r\n"
        );
        assert_eq!(head, expected);
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
            .await
            .unwrap();
        tunnel(stream, &relay).await;
    };
    let url = format!("http://me:{PASSWORD}@127.0.0.1:{port}");
    connect(&relay, &url, serve).await.unwrap();
}

#[tokio::test]
async fn a_refusal_names_proxy_and_status_and_never_the_password() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    let serve = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 407 no {PASSWORD} {BASIC}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending().await
    };
    let url = format!("http://me:{PASSWORD}@127.0.0.1:{port}");
    let error = connect(&relay, &url, serve).await.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_PROXY");
    let text = format!("proxy 127.0.0.1:{port} refused the connection: 407 no *** ***");
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_proxy_that_does_not_know_basic_is_told_from_one_that_refuses_the_password() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    for (lines, added) in [
        ("", ""),
        (
            "Proxy-Authenticate: Basic realm=x\r\nProxy-Authenticate: NTLM\r\n",
            "",
        ),
        (
            "proxy-authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n",
            " (Negotiate or NTLM is wanted, and only Basic is known)",
        ),
    ] {
        let serve = async {
            let (mut stream, _) = proxy.accept().await.unwrap();
            read_head(&mut stream).await;
            let answer = format!("HTTP/1.1 407 Who\r\n{lines}\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending().await
        };
        let url = format!("http://127.0.0.1:{port}");
        let error = connect(&relay, &url, serve).await.unwrap_err();
        let text = format!("proxy 127.0.0.1:{port} refused the connection: 407 Who{added}");
        assert_eq!((error.to_string(), error.status()), (text, Some(407)));
    }
}

#[tokio::test]
async fn a_proxy_whose_name_has_no_address_is_named() {
    let relay = Relay::bind().await;
    // A label is too long, so no name server is asked: an answer could be late, or be none.
    let name = format!("{}.invalid", "x".repeat(64));
    let error = connect(&relay, &format!("http://{name}:1"), std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(error.cause_code(), Some("ENOTFOUND"));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("proxy {name}:1 has no address: ")),
        "{text}"
    );
}

#[tokio::test]
async fn a_dead_proxy_and_one_that_is_none_are_named() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    for url in [
        format!("http://127.0.0.1:{port}"),
        format!("socks5://127.0.0.1:{port}"),
    ] {
        let serve = async {
            let (mut stream, _) = proxy.accept().await.unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
            std::future::pending().await
        };
        let error = connect(&relay, &url, serve).await.unwrap_err();
        assert_eq!(error.code(), "HYCO_ERR_PROXY");
        let text = format!("proxy 127.0.0.1:{port} does not answer as a proxy does");
        assert_eq!(error.to_string(), text);
    }
    for scheme in ["http", "https", "socks5"] {
        // A port that was free a moment ago may be another test's now; nobody serves this one.
        let url = format!("{scheme}://127.0.0.1:1");
        let error = connect(&relay, &url, std::future::pending())
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.cause_code()),
            ("HYCO_ERR_PROXY", Some("ECONNREFUSED"))
        );
    }
}

#[tokio::test]
async fn a_silent_proxy_is_not_waited_for_longer_than_the_deadline() {
    let (proxy, port) = bind().await;
    let dialer = dialer().through(Some(
        Proxy::new(&format!("http://127.0.0.1:{port}"), "").unwrap(),
    ));
    let mut options = ConnectOptions::new("ws://relay.invalid/");
    options.timeout = Duration::from_secs(1);
    let (connected, _silent) = tokio::join!(sender::connect(&dialer, options), proxy.accept());
    let error = connected.unwrap_err();
    assert_eq!(
        error.to_string(),
        "answer of the proxy has timed out after 1000 ms"
    );
}

#[tokio::test]
async fn a_socks_proxy_resolves_the_name_and_checks_the_password_c27() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    let serve = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.unwrap();
        assert!(methods.contains(&2), "{methods:?}");
        stream.write_all(&[5, 2]).await.unwrap();
        let expected = [&[1, 2][..], b"me", &[9], PASSWORD.as_bytes()].concat();
        let mut credentials = vec![0; expected.len()];
        stream.read_exact(&mut credentials).await.unwrap();
        assert_eq!(credentials, expected);
        stream.write_all(&[1, 0]).await.unwrap();
        let name = "relay.invalid";
        let expected = [
            &[5, 1, 0, 3, name.len() as u8][..],
            name.as_bytes(),
            &relay.port().to_be_bytes(),
        ];
        let expected = expected.concat();
        let mut request = vec![0; expected.len()];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request, expected);
        stream
            .write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80])
            .await
            .unwrap();
        tunnel(stream, &relay).await;
    };
    let url = format!("socks5://me:{PASSWORD}@127.0.0.1:{port}");
    connect(&relay, &url, serve).await.unwrap();
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_that_of_a_proxy() {
    let relay = Relay::bind().await;
    let (proxy, port) = bind().await;
    let serve = async {
        let (mut stream, _) = proxy.accept().await.unwrap();
        read_head(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
        stream.write_all(head.as_bytes()).await.unwrap();
        // It goes on, and nobody waits for the rest.
        std::future::pending().await
    };
    let url = format!("http://127.0.0.1:{port}");
    let error = connect(&relay, &url, serve).await.unwrap_err();
    assert!(!matches!(error, Error::Timeout { .. }), "{error}");
    assert_eq!(error.code(), "HYCO_ERR_PROXY");
}
