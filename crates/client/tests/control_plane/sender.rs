//! Connecting as a sender.

use std::time::Duration;

use hyco_client::{ConnectOptions, Error, Upgraded, sender};

use crate::support::{Relay, dialer};

fn options(relay: &Relay, path: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(relay.address(path));
    options.timeout = Duration::from_secs(60);
    options
}

async fn connect(options: ConnectOptions) -> Result<Upgraded, Error> {
    sender::connect(&dialer(), options).await
}

/// Connects while the relay answers the handshake with these header lines.
async fn answered(protocols: &[&str], lines: &str) -> Result<Upgraded, Error> {
    let relay = Relay::bind().await;
    let mut options = options(&relay, "/");
    options.protocols = protocols.iter().map(ToString::to_string).collect();
    let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n");
    tokio::join!(connect(options), relay.answer(&answer)).0
}

#[tokio::test]
async fn the_address_is_kept_and_the_token_goes_into_a_header_c54() {
    let relay = Relay::bind().await;
    let path = "/$hc/hyco/suffix?b=2&sb-hc-action=connect&a=1";
    let mut options = options(&relay, path);
    options.token = Some("SharedAccessSignature sr=x".to_owned());
    options.headers = vec![
        ("User-Agent".to_owned(), "mine".to_owned()),
        ("X-Latin".to_owned(), "é".to_owned()),
        ("Cookie".to_owned(), "a=1".to_owned()),
        ("Cookie".to_owned(), "b=2".to_owned()),
        (
            "Sec-WebSocket-Extensions".to_owned(),
            "permessage-deflate".to_owned(),
        ),
        ("Sec-WebSocket-Key".to_owned(), "mine".to_owned()),
    ];
    let (connected, visit) = tokio::join!(connect(options), relay.open());
    assert_eq!(connected.unwrap().tracking_id.as_deref(), Some("relay_G1"));
    assert_eq!(visit.request.uri().to_string(), path);
    assert_eq!(
        visit.header("ServiceBusAuthorization"),
        Some("SharedAccessSignature sr=x")
    );
    assert_eq!(visit.header("User-Agent"), Some("mine"));
    assert_eq!(visit.header("Sec-WebSocket-Extensions"), None);
    assert_eq!(visit.request.headers()["X-Latin"].as_bytes(), b"\xe9");
    assert_eq!(visit.request.headers().get_all("Cookie").iter().count(), 2);
}

#[tokio::test]
async fn an_anonymous_sender_sends_no_token_c55() {
    let relay = Relay::bind().await;
    let mut options = options(&relay, "/$hc/hyco");
    options.id = Some("mine".to_owned());
    let (connected, visit) = tokio::join!(connect(options), relay.open());
    connected.unwrap();
    assert_eq!(visit.request.uri().to_string(), "/$hc/hyco?sb-hc-id=mine");
    assert_eq!(visit.header("ServiceBusAuthorization"), None);
}

#[tokio::test]
async fn a_rejection_reaches_the_caller_unchanged_c57() {
    let relay = Relay::bind().await;
    let refuse = relay.refuse("499 No  such room: caf\u{e9}");
    let (connected, _) = tokio::join!(connect(options(&relay, "/$hc/hyco")), refuse);
    let error = connected.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_REJECTED");
    assert_eq!(error.status(), Some(499));
    // The two bytes of the character, each as one: a status line has no encoding.
    assert_eq!(error.reason(), Some("No  such room: cafÃ©"));
    assert_eq!(error.tracking_id(), None);
}

#[tokio::test]
async fn the_tracking_id_of_a_refusal_comes_from_its_header_c56() {
    let relay = Relay::bind().await;
    let answer = relay.answer("HTTP/1.1 404 Nobody\r\ntrackingid: abc_G3\r\n\r\n");
    let (connected, _) = tokio::join!(connect(options(&relay, "/$hc/hyco")), answer);
    assert_eq!(connected.unwrap_err().tracking_id(), Some("abc_G3"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let relay = Relay::bind().await;
    let answer = relay.answer("HTTP/1.1 302 Found\r\nLocation: ws://localhost/\r\n\r\n");
    let (connected, _) = tokio::join!(connect(options(&relay, "/$hc/hyco")), answer);
    let error = connected.unwrap_err();
    assert_eq!(error.to_string(), "refused: 302 Found");
}

#[tokio::test]
async fn answers_that_break_the_protocol_are_named_as_ws_names_them() {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let error = answered(&[], "Connection: Upgrade\r\n").await.unwrap_err();
    assert_eq!(error.to_string(), "Invalid Upgrade header");
    let lines = format!("{upgrade}Sec-WebSocket-Accept: x\r\n");
    let error = answered(&[], &lines).await.unwrap_err();
    assert_eq!(error.to_string(), "Invalid Sec-WebSocket-Accept header");
    assert_eq!(error.code(), "HYCO_ERR_PROTOCOL");
}

#[tokio::test]
async fn requested_sub_protocols_are_verified_c60() {
    // Each case: what is offered, what the header of the answer says, what comes of it.
    let cases = [
        (vec!["a", "b"], Some("b"), Ok(Some("b"))),
        (
            vec!["a", "b"],
            Some("c"),
            Err("Server sent an invalid subprotocol"),
        ),
        (vec!["a"], None, Err("Server sent no subprotocol")),
        (
            vec![],
            Some("a"),
            Err("Server sent a subprotocol but none was requested"),
        ),
    ];
    for (offered, chosen, outcome) in cases {
        let line = chosen.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        match (upgrade(offered, &line.unwrap_or_default()).await, outcome) {
            (Ok(upgraded), Ok(protocol)) => assert_eq!(upgraded.protocol.as_deref(), protocol),
            (Err(error), Err(text)) => assert_eq!(error.to_string(), text),
            (connected, _) => panic!("{connected:?}"),
        }
    }
}

#[tokio::test]
async fn an_extension_nobody_asked_for_is_refused() {
    let line = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let error = upgrade(Vec::new(), line).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Server sent a Sec-WebSocket-Extensions header but no extension was requested"
    );
}

/// Connects to a server that upgrades properly and adds a header line.
async fn upgrade(offered: Vec<&str>, line: &str) -> Result<Upgraded, Error> {
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

    let relay = Relay::bind().await;
    let mut options = options(&relay, "/");
    options.protocols = offered.into_iter().map(ToOwned::to_owned).collect();
    let serve = async {
        let mut stream = relay.tcp().await;
        let head = crate::support::read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{line}\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    tokio::join!(connect(options), serve).0
}

#[tokio::test]
async fn a_port_without_server_is_named_as_node_names_it() {
    // A port that was free a moment ago may be another test's now; nobody serves this one.
    let port = 1;
    for host in ["127.0.0.1", "localhost"] {
        let mut options = ConnectOptions::new(format!("ws://{host}:{port}/?sb-hc-token=secret"));
        options.timeout = Duration::from_secs(60);
        let error = connect(options).await.unwrap_err();
        assert_eq!(
            (error.code(), error.cause_code()),
            ("HYCO_ERR_CONNECT", Some("ECONNREFUSED"))
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot connect to {host}:{port}"))
        );
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn a_connection_that_ends_during_the_handshake_is_a_reset() {
    let relay = Relay::bind().await;
    let (connected, _) = tokio::join!(connect(options(&relay, "/")), relay.answer("HTTP/1.1 10"));
    let error = connected.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_CONNECTION_LOST");
    assert_eq!(error.cause_code(), Some("ECONNRESET"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_dialling() {
    let mut options = ConnectOptions::new("ws://127.0.0.1:1/");
    options.headers = vec![("X".to_owned(), "a\r\nb: c".to_owned())];
    let error = connect(options).await.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_INVALID_HEADER");
    let error = connect(ConnectOptions::new("ftp://127.0.0.1/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_INVALID_ADDRESS");
}

#[tokio::test]
async fn a_token_that_is_echoed_is_hidden_c9() {
    let relay = Relay::bind().await;
    let token = "SharedAccessSignature sr=http%3A%2F%2Fns&sig=aB%2Bc%3D&se=1&skn=r";
    let mut options = options(&relay, "/$hc/hyco");
    options.token = Some(token.to_owned());
    let echo = format!("HTTP/1.1 401 bad token {token} (aB+c=)\r\nTrackingId: {token}\r\n\r\n");
    let (connected, _) = tokio::join!(connect(options), relay.answer(&echo));
    let error = connected.unwrap_err();
    assert_eq!(error.reason(), Some("bad token *** (***)"));
    assert_eq!(error.tracking_id(), Some("***"));
    assert!(!format!("{error} {error:?}").contains("aB"), "{error:?}");
}
