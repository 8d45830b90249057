//! Clients that leave early, and what they are told last.

use std::{
    io,
    time::{Duration, Instant},
};

use hyco_emulator::{EmulatorOptions, Timing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    Relay, Socket, handshake, next, next_accept, next_close, next_command, read_head, rest, within,
};

/// Waits until the relay has noticed that a sender is gone.
async fn gone(relay: &Relay, control: &mut Socket, accept: &serde_json::Value) {
    // A dial takes the sender if it is still there, so it cannot be tried again and again: the end
    // of the sender is waited for by a second sender of the same id, which is refused until then.
    let id = accept["id"].as_str().unwrap();
    let target = format!("/$hc/hyco?sb-hc-id={id}&sb-hc-action=connect");
    within(async {
        loop {
            let mut probe = relay.raw_connect(&target, "").await;
            tokio::select! {
                head = read_head(&mut probe) => assert_eq!(head.status, 400),
                // It waits for the listener, so the first sender is gone.
                _ = next_accept(control) => return,
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_leaves_is_noticed_though_it_sent_bytes_behind_its_handshake_e36() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    for behind in [&b""[..], b"x", &[0; 5000]] {
        let mut sender = relay.raw_connect("/$hc/hyco", "").await;
        sender.write_all(behind).await.unwrap();
        let accept = next_accept(&mut control).await;
        drop(sender);
        gone(&relay, &mut control, &accept).await;
    }
}

#[tokio::test]
async fn bytes_behind_a_handshake_reach_the_listener() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let token = relay.token("hyco");
    let head = handshake(
        "/$hc/hyco",
        &format!("ServiceBusAuthorization: {token}\r\n"),
    );
    let mut sender = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    // In one piece with the head, and in another one.
    sender
        .write_all(&[head.as_bytes(), &[0x81, 0x81, 0, 0, 0]].concat())
        .await
        .unwrap();
    let accept = next_accept(&mut control).await;
    sender.write_all(&[0, b'a']).await.unwrap();
    let (mut listener, _) = relay.dial(&accept).await.unwrap();
    assert_eq!(read_head(&mut sender).await.status, 101);
    sender.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(next(&mut listener).await, Message::text("a"));
    assert_eq!(next_close(&mut listener).await, None);
}

#[tokio::test]
async fn a_sender_that_does_not_wait_for_its_answer_at_all_is_sent_away() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let mut sender = relay.raw_connect("/$hc/hyco", "").await;
    let _accept = next_accept(&mut control).await;
    let sent = within(async {
        loop {
            if sender.write_all(&[0; 64 * 1024]).await.is_err() {
                return;
            }
        }
    });
    sent.await;
}

#[tokio::test]
async fn a_refusal_can_be_read_though_the_request_was_not() {
    let relay = Relay::start().await;
    // More than hyper reads before it answers.
    let body = vec![b'x'; 300_000];
    let head = format!(
        "POST /$hc/hyco HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for behind in [head.into_bytes(), handshake("/$hc/hyco", "").into_bytes()] {
        loop {
            let started = Instant::now();
            let end = refused_within_a_body(&relay, &behind, &body[..100_000]).await;
            // The relay goes on reading for half a second, which a busy machine may not give to this test.
            if end.is_ok() || started.elapsed() < Duration::from_millis(400) {
                assert_eq!(end.unwrap(), 0, "an end, and no reset");
                break;
            }
        }
    }
}

/// Sends a request that is refused and goes on with its body; gives how much came behind the refusal.
async fn refused_within_a_body(relay: &Relay, head: &[u8], body: &[u8]) -> io::Result<usize> {
    let mut stream = TcpStream::connect(relay.emulator.local_addr()).await?;
    stream.write_all(head).await?;
    // It is taken, and not answered by a reset.
    stream.write_all(body).await?;
    let head = read_head(&mut stream).await;
    assert!([400, 401].contains(&head.status), "{head:?}");
    stream.write_all(body).await?;
    stream.shutdown().await?;
    within(stream.read_to_end(&mut Vec::new())).await
}

#[tokio::test]
async fn a_sender_that_takes_nothing_does_not_hold_up_the_end() {
    let timing = Timing {
        send: Duration::from_secs(60),
        ..Timing::default()
    };
    let relay = Relay::with(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
    let (sender, mut listener) = relay.bare_pair().await;
    // Fills what the sender does not read.
    let frame = [
        &[0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0][..],
        &[7; 100_000],
    ]
    .concat();
    while tokio::time::timeout(Duration::from_millis(300), listener.write_all(&frame))
        .await
        .is_ok()
    {}
    let Relay { emulator } = relay;
    tokio::time::timeout(Duration::from_secs(30), emulator.close())
        .await
        .expect("the relay waits for a deaf sender");
    drop(sender);
    rest(&mut listener).await;
}

#[tokio::test]
async fn a_sender_that_leaves_before_it_is_answered_is_told_of() {
    let relay = Relay::start().await;
    let mut control = relay.listen().await;
    let sender = relay.raw_connect("/$hc/hyco?sb-hc-id=impatient", "").await;
    next_command(&mut control).await;
    drop(sender);
    let mut asking = TcpStream::connect(relay.emulator.local_addr())
        .await
        .unwrap();
    let token = relay.token("hyco");
    let head = format!(
        "GET /hyco HTTP/1.1\r\nHost: localhost\r\nServiceBusAuthorization: {token}\r\n\r\n"
    );
    asking.write_all(head.as_bytes()).await.unwrap();
    next_command(&mut control).await;
    drop(asking);
    within(async {
        loop {
            let journal = relay.emulator.handle().request("GET", "journal", b"");
            let journal = journal.unwrap().body;
            if journal.matches("before a listener had answered it").count() == 2 {
                assert!(journal.contains("impatient_G1"), "{journal}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
