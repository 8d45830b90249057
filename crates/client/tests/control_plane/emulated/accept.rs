//! Accepting senders.

use hyco_emulator::{EmulatorOptions, TlsOptions};
use tokio_tungstenite::tungstenite::Message;

use super::{Relay, Socket, header};

async fn messages_pass(relay: Relay) {
    let mut observed = relay.online().await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    let large = vec![7; 300_000];
    let messages = [
        Message::text("text"),
        Message::binary(large),
        Message::text(""),
    ];
    for message in messages {
        sender.say(message.clone()).await;
        assert_eq!(listener.hear().await, message);
        listener.say(message.clone()).await;
        assert_eq!(sender.hear().await, message);
    }
    observed.listener.close();
    observed.closed().await;
    relay.emulator.close().await;
}

#[tokio::test]
async fn messages_pass_with_type_and_boundaries_c35() {
    messages_pass(Relay::start(EmulatorOptions::default()).await).await;
}

#[tokio::test]
async fn messages_pass_over_tls_c35() {
    let tls = Some(TlsOptions::Generated);
    messages_pass(
        Relay::start(EmulatorOptions {
            tls,
            ..EmulatorOptions::default()
        })
        .await,
    )
    .await;
}

#[tokio::test]
async fn the_listener_sees_path_query_headers_and_remote_end_c34() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let mut options = relay.sender("hyco/room/1?name=a%20b");
    options.headers = vec![("X-Custom".to_owned(), "value".to_owned())];
    let accept = async {
        let accept = observed.accept().await;
        let met = observed
            .listener
            .accept(accept.accept, None, Vec::new())
            .await;
        (accept, met)
    };
    let (sent, (accept, met)) = tokio::join!(relay.connect(options), accept);
    assert_eq!(
        hyco_protocol::uri::application_url(&accept.address),
        "/hyco/room/1?name=a%20b"
    );
    assert_eq!(header(&accept, "x-custom"), Some("value"));
    assert_eq!(header(&accept, "ServiceBusAuthorization"), None);
    assert_eq!(accept.remote_address, "127.0.0.1");
    assert_ne!(accept.remote_port, 0);
    met.unwrap();
    sent.unwrap();
}

#[tokio::test]
async fn the_chosen_sub_protocol_reaches_the_sender_c30_c60() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let mut options = relay.sender("hyco");
    options.protocols = vec!["first".to_owned(), "second".to_owned()];
    let accept = async {
        let accept = observed.accept().await;
        assert_eq!(
            header(&accept, "sec-websocket-protocol"),
            Some("first,second")
        );
        observed
            .listener
            .accept(accept.accept, Some("second".to_owned()), Vec::new())
            .await
    };
    let (sent, met) = tokio::join!(relay.connect(options), accept);
    assert_eq!(sent.unwrap().protocol.as_deref(), Some("second"));
    assert_eq!(met.unwrap().protocol.as_deref(), Some("second"));
}

#[tokio::test]
async fn many_senders_find_their_own_listener_ends_c26() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let sending = (0..40).map(|number| {
        let connect = relay.connect(relay.sender(&format!("hyco?number={number}")));
        async move {
            let mut socket = Socket::new(connect.await.unwrap()).await;
            assert_eq!(
                socket.hear().await,
                Message::text(format!("/hyco?number={number}"))
            );
        }
    });
    let accepting = async {
        let mut ends = Vec::new();
        for _ in 0..40 {
            let accept = observed.accept().await;
            let meet = observed.listener.accept(accept.accept, None, Vec::new());
            ends.push(tokio::spawn(async move {
                let mut socket = Socket::new(meet.await.unwrap()).await;
                let url = hyco_protocol::uri::application_url(&accept.address);
                socket.say(Message::text(url)).await;
                socket
            }));
        }
        futures_util::future::join_all(ends).await
    };
    let (_, ends) = tokio::join!(futures_util::future::join_all(sending), accepting);
    assert!(ends.iter().all(Result::is_ok));
}
