//! The administration over HTTP, and the page.

use hyco_emulator::{EmulatorOptions, TlsOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Relay, rest, within};

/// Asks over HTTP; gives status, head and body.
async fn ask(relay: &Relay, method: &str, target: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let request = format!(
        "{method} {target} HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = String::from_utf8(rest(&mut stream).await).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

const LOCAL: &str = "Host: localhost\r\n";

#[tokio::test]
async fn health_version_metrics_and_the_page_are_answered() {
    let relay = Relay::start().await;
    let (status, body) = ask(&relay, "GET", "/$admin/health", LOCAL, "").await;
    assert_eq!((status, &*body), (200, r#"{"status":"ok"}"#));
    let (_, body) = ask(&relay, "GET", "/$admin/version", LOCAL, "").await;
    assert!(body.contains(env!("CARGO_PKG_VERSION")), "{body}");
    let (_, body) = ask(&relay, "GET", "/$admin/metrics", LOCAL, "").await;
    assert!(body.contains("\nhyco_relay_connections 0\n"), "{body}");
    let (status, body) = ask(&relay, "GET", "/", LOCAL, "").await;
    assert_eq!(status, 200);
    assert!(body.contains("/$admin/page.js"), "{body}");
    let (status, _) = ask(&relay, "GET", "/$admin/page.css", LOCAL, "").await;
    assert_eq!(status, 200);
    for (method, target, expected) in [
        ("GET", "/$admin/nothing", 404),
        ("POST", "/$admin/health", 405),
        ("PUT", "/$admin/faults", 405),
        ("GET", "/$administration", 401),
    ] {
        let (status, body) = ask(&relay, method, target, LOCAL, "").await;
        assert_eq!(status, expected, "{method} {target}: {body}");
    }
}

#[tokio::test]
async fn only_this_machine_by_a_name_of_the_relay_and_no_other_site_is_answered() {
    let relay = Relay::start().await;
    for (head, expected) in [
        ("Host: localhost:9400\r\n", 200),
        ("Host: 127.0.0.1\r\n", 200),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 200),
        // What a name would look like that an attacker lets point here.
        ("Host: attacker.example\r\n", 403),
        (
            "Host: localhost\r\nOrigin: http://attacker.example\r\n",
            403,
        ),
        ("Host: localhost\r\nOrigin: null\r\n", 403),
        ("Host: attacker.example@localhost\r\n", 403),
        ("Host: localhost\r\nHost: attacker.example\r\n", 403),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", 200),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Host: localhost\r\nSec-Fetch-Site: same-site\r\n", 403),
        (
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
            200,
        ),
        ("", 403),
    ] {
        for target in ["/", "/$admin/rules"] {
            let (status, _) = ask(&relay, "GET", target, head, "").await;
            assert_eq!(status, expected, "{head} {target}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_object_is_refused() {
    let relay = Relay::start().await;
    for (body, expected) in [("[]", 400), ("{", 400), (&*"x".repeat(2_000_000), 413)] {
        let (status, _) = ask(&relay, "POST", "/$admin/faults", LOCAL, body).await;
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let relay = Relay::start().await;
    let mut stream = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let request = "GET /$admin/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("text/event-stream") {
        let count = within(stream.read(&mut buffer)).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    let _control = relay.listen().await;
    while !text.contains(r#""action":"listen""#) {
        let count = within(stream.read(&mut buffer)).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    // The relay does not wait for those who hear its events.
    let Relay { emulator } = relay;
    within(emulator.close()).await;
}

#[tokio::test]
async fn a_page_gets_a_token_that_is_good() {
    let relay = Relay::start().await;
    let body = json!({ "hybridConnection": "hyco" }).to_string();
    let (status, body) = ask(&relay, "POST", "/$admin/tokens", LOCAL, &body).await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let token = answer["token"].as_str().unwrap();
    let head = relay.handshake_with("/$hc/hyco", token).await;
    // Nobody listens; the token was looked at before.
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn plain_and_tls_are_two_ports_over_one_set_of_hybrid_connections_e68_e69() {
    let relay = Relay::with(EmulatorOptions {
        tls: Some(TlsOptions::Generated),
        tls_port: Some(0),
        ..EmulatorOptions::default()
    })
    .await;
    let emulator = &relay.emulator;
    let (plain, tls) = (
        emulator.local_addr().port(),
        emulator.tls_addr().unwrap().port(),
    );
    assert_eq!(emulator.namespace(), format!("ws://127.0.0.1:{plain}"));
    assert_eq!(
        emulator.tls_namespace().unwrap(),
        format!("wss://localhost:{tls}")
    );
    let string = emulator.connection_string(Some("hyco"));
    assert!(
        string.ends_with(";EntityPath=hyco;UseDevelopmentEmulator=true"),
        "{string}"
    );
    let string = emulator.tls_connection_string(Some("hyco")).unwrap();
    assert!(
        string.starts_with(&format!("Endpoint=sb://localhost:{tls}/;")),
        "{string}"
    );
    assert!(!string.contains("UseDevelopmentEmulator"), "{string}");
    let mut control = relay.listen().await;
    crate::support::ping(&mut control).await;
    let (_, body) = ask(&relay, "GET", "/$admin/connectionStrings", LOCAL, "").await;
    let strings: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(strings[0]["tls"], string);
}

#[tokio::test]
async fn an_authority_stays_when_it_is_kept() {
    let name = format!("hyco-relay-{:x}", getrandom::u64().unwrap());
    let folder = std::env::temp_dir().join(name);
    let start = || {
        Relay::with(EmulatorOptions {
            tls: Some(TlsOptions::Kept {
                folder: folder.clone(),
            }),
            ..EmulatorOptions::default()
        })
    };
    let first = start().await.emulator.certificate().unwrap().to_owned();
    let second = start().await.emulator.certificate().unwrap().to_owned();
    assert_eq!(first, second);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(folder.join("ca-key.pem")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_json_web_token_is_taken_only_when_the_options_say_so() {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let end = crate::support::unix_now() + 600;
    let token = |claims: Value| {
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.x", part(json!({ "alg": "RS256" })), part(claims))
    };
    let good = token(json!({ "aud": "https://relay.azure.net/", "exp": end }));
    let listen = "/$hc/hyco?sb-hc-action=listen";
    let strict = Relay::start().await;
    assert_eq!(strict.handshake_with(listen, &good).await.status, 401);
    let journal = strict.emulator.handle().request("GET", "journal", b"");
    assert!(journal.unwrap().body.contains("--accept-jwt"));
    let relay = Relay::with(EmulatorOptions {
        accept_jwt: true,
        ..EmulatorOptions::default()
    })
    .await;
    for (claims, status) in [
        (
            json!({ "aud": "https://relay.azure.net/", "exp": end }),
            101,
        ),
        (
            json!({ "aud": "https://relay.azure.net", "exp": end, "roles": ["Azure Relay Listener"] }),
            101,
        ),
        (
            json!({ "aud": "https://relay.azure.net", "exp": end, "roles": ["Azure Relay Sender"] }),
            401,
        ),
        (json!({ "aud": "https://vault.azure.net", "exp": end }), 401),
        (
            json!({ "aud": ["https://vault.azure.net", "https://relay.azure.net"], "exp": end }),
            101,
        ),
        (
            json!({ "aud": ["https://vault.azure.net"], "exp": end }),
            401,
        ),
        (json!({ "aud": [], "exp": end }), 401),
        (json!({ "exp": end }), 401),
        (json!({ "aud": "https://relay.azure.net", "exp": 1 }), 401),
    ] {
        let head = relay.handshake_with(listen, &token(claims.clone())).await;
        assert_eq!(head.status, status, "{claims}: {head:?}");
    }
    // A signed token is still looked at.
    let bad = relay.sign("hyco", relay.emulator.rule().name(), "wrong", end);
    assert_eq!(relay.handshake_with(listen, &bad).await.status, 401);
}
