//! Ending.

use hyco_emulator::EmulatorOptions;
use tokio_tungstenite::tungstenite::Message;

use super::{Relay, until};

#[tokio::test]
async fn a_closed_listener_gets_no_senders_and_keeps_its_connections_c17_c18() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    observed.listener.close();
    observed.closed().await;
    until(|| async {
        let refused = relay.connect(relay.sender("hyco")).await;
        refused.is_err_and(|error| error.code() == "HYCO_ERR_NO_LISTENER")
    })
    .await;
    sender.say(Message::text("still here")).await;
    assert_eq!(listener.hear().await, Message::text("still here"));
}

#[tokio::test]
async fn two_listeners_share_the_senders() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut first = relay.online().await;
    let mut second = relay.online().await;
    first.listener.close();
    first.closed().await;
    let (mut sender, mut listener) = relay.join(&mut second).await;
    sender.say(Message::text("for the second")).await;
    assert_eq!(listener.hear().await, Message::text("for the second"));
}
