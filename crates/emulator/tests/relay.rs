//! What passes through a relayed connection.

mod support;

use futures_util::{SinkExt, StreamExt};
use support::{Relay, next, ping};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn messages_pass_in_both_directions() {
    let relay = Relay::start().await;
    let (mut sender, mut listener) = relay.pair().await;
    sender.send(Message::text("hello")).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("hello"));
    listener.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(next(&mut sender).await, Message::binary(vec![1, 2, 3]));
    ping(&mut sender).await;
    ping(&mut listener).await;
    relay.emulator.close().await;
    assert!(matches!(
        sender.next().await,
        Some(Ok(Message::Close(Some(_))))
    ));
}
