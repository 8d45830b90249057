//! Coming back.

use std::time::Duration;

use hyco_emulator::{Emulator, EmulatorOptions};
use tokio::{net::TcpSocket, time::sleep};
use tokio_tungstenite::tungstenite::Message;

use super::Relay;

#[tokio::test]
async fn a_listener_comes_back_after_the_relay_restarts_c14_c16() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let (port, rule) = (
        relay.emulator.local_addr().port(),
        relay.emulator.rule().clone(),
    );
    let mut observed = relay.online().await;
    relay.emulator.close().await;
    let kept = keep(port);
    assert!(!observed.offline().await.is_final);
    observed.connecting().await;
    assert_eq!(
        observed.offline().await.error.cause_code(),
        Some("ECONNREFUSED")
    );

    drop(kept);
    let relay = loop {
        let options = EmulatorOptions {
            port,
            rules: vec![rule.clone()],
            ..EmulatorOptions::default()
        };
        // Another test may have been given the port for a moment.
        match Emulator::bind(options).await {
            Ok(emulator) => break Relay::of(emulator),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    while observed.try_online().await.is_none() {}
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    sender.say(Message::text("back again")).await;
    assert_eq!(listener.hear().await, Message::text("back again"));
}

/// Keeps a port from other tests, and listens to nobody.
fn keep(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    // Where another test was quicker, the test fails only if that listens.
    let _ = socket.bind(([127, 0, 0, 1], port).into());
    socket
}

#[tokio::test]
async fn an_unknown_hybrid_connection_ends_the_listener_c13() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let address = relay.address("nowhere");
    let mut observed = relay.listen(|options| options.address = address);
    observed.connecting().await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_ENDPOINT_NOT_FOUND");
    assert!(offline.is_final);
    observed.closed().await;
}
