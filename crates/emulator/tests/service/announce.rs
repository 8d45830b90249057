//! How a sender is announced to its listener.

use hyco_emulator::EmulatorOptions;
use serde_json::json;

use crate::support::{Relay, next_accept, next_command, with_headers};

#[tokio::test]
async fn an_accept_has_exactly_its_members_e16() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let id = "7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11";
    let sender = relay
        .raw_connect(&format!("/$hc/hyco?sb-hc-id={id}"), "")
        .await;
    let command = next_command(&mut control).await;
    let address = format!("{}/$hc/hyco", relay.emulator.namespace());
    assert_eq!(
        command,
        json!({ "accept": {
            "address": format!("{address}?sb-hc-action=accept&sb-hc-id={id}_G1"),
            "id": format!("{id}_G1"),
            "connectHeaders": {
                "Host": "localhost",
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
            "remoteEndpoint": {
                "address": "127.0.0.1",
                "port": sender.local_addr().unwrap().port(),
            },
        } }),
    );
}

#[tokio::test]
async fn the_address_keeps_suffix_and_query_and_drops_the_token_e17() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let target =
        "/$hc/hyco/a%20b/c?x=1&sb-hc-token=secret&y=%2B&sb-hc-action=connect&sb-hc-id=me&z";
    let _sender = relay.raw_connect(target, "").await;
    let accept = next_accept(&mut control).await;
    let namespace = relay.emulator.namespace();
    assert_eq!(
        accept["address"],
        format!("{namespace}/$hc/hyco/a%20b/c?x=1&y=%2B&z&sb-hc-action=accept&sb-hc-id=me_G1"),
    );
}

#[tokio::test]
async fn the_address_has_the_host_by_which_the_listener_came_or_the_public_one_e18() {
    let relay = Relay::start().await;
    let port = relay.emulator.local_addr().port();
    let mut request = relay.request("hyco?sb-hc-action=listen");
    request
        .headers_mut()
        .insert("host", format!("relay.test:{port}").parse().unwrap());
    let mut control = relay.open(request).await.unwrap().0;
    let _sender = relay.raw_connect("/$hc/hyco", "").await;
    let accept = next_accept(&mut control).await;
    let expected = format!("ws://relay.test:{port}/$hc/hyco?");
    assert!(
        accept["address"].as_str().unwrap().starts_with(&expected),
        "{accept}"
    );

    let relay = Relay::with(EmulatorOptions {
        public_url: Some("wss://relay.example".to_owned()),
        ..EmulatorOptions::default()
    })
    .await;
    let mut control = relay.listen().await;
    let _sender = relay.raw_connect("/$hc/hyco", "").await;
    let accept = next_accept(&mut control).await;
    assert!(
        accept["address"]
            .as_str()
            .unwrap()
            .starts_with("wss://relay.example/$hc/hyco?")
    );
}

#[tokio::test]
async fn all_headers_of_the_sender_but_its_token_are_forwarded_e19() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let token = relay.token("hyco");
    let headers = [
        ("ServiceBusAuthorization", &*token),
        ("authorization", "Bearer mine"),
        ("x-list", "1"),
        ("cookie", "a=b"),
        ("X-LIST", "2, 3"),
        ("sec-websocket-protocol", "chat, echo"),
    ];
    let sender = tokio::spawn(relay.open(with_headers(&relay.url("hyco"), &headers)));
    let accept = next_accept(&mut control).await;
    let forwarded = &accept["connectHeaders"];
    assert!(
        forwarded
            .as_object()
            .unwrap()
            .values()
            .all(|value| value.is_string())
    );
    assert_eq!(forwarded["Authorization"], "Bearer mine");
    assert_eq!(forwarded["X-List"], "1, 2, 3");
    assert_eq!(forwarded["Cookie"], "a=b");
    assert_eq!(forwarded["Sec-WebSocket-Protocol"], "chat, echo");
    assert!(!accept.to_string().contains("SharedAccessSignature"));
    sender.abort();
}

#[tokio::test]
async fn headers_that_no_listener_could_take_are_refused() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let token = relay.token("hyco");
    // Quotes double in JSON, and a listener takes 64 KiB of it.
    let headers = format!(
        "ServiceBusAuthorization: {token}\r\nX-Long: {}\r\n",
        "\"".repeat(40 * 1024)
    );
    assert_eq!(relay.handshake("/$hc/hyco", &headers).await.status, 431);
    let headers = format!(
        "ServiceBusAuthorization: {token}\r\nX-Long: {}\r\n",
        "x".repeat(70_000)
    );
    assert_eq!(relay.handshake("/$hc/hyco", &headers).await.status, 431);
    crate::support::ping(&mut control).await;
}
