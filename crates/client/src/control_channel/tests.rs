//! How long a control channel waits for its relay. Time is stopped once the channel is open: before, a
//! clock that does not wait for the network would end the handshake.

use tokio::{
    net::{TcpListener, TcpStream},
    time::{advance, pause},
};
use tokio_tungstenite::accept_async;

use super::*;
use crate::trust::TlsOptions;

/// Much longer than a relay has after a sleep of this machine.
const PERIOD: Duration = Duration::from_secs(210);

/// An open channel, and the relay's end of it.
async fn open() -> (ControlChannel, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/$hc/hyco", listener.local_addr().unwrap());
    let dialer = Dialer::new(&TlsOptions::default()).unwrap();
    let token = Token::new("secret".to_owned().into(), 0.0).unwrap();
    let opening = ControlChannel::open(&dialer, address, &token, None, Duration::from_secs(60));
    let accepting = async { accept_async(listener.accept().await.unwrap().0).await };
    let (channel, relay) = tokio::join!(opening, accepting);
    pause();
    (channel.unwrap(), relay.unwrap())
}

/// The text of the error of a lost channel.
fn reason(lost: Result<()>) -> String {
    match lost {
        Err(Error::Lost { reason, .. }) => reason,
        other => panic!("not lost: {other:?}"),
    }
}

#[tokio::test]
async fn after_a_sleep_of_this_machine_a_relay_has_ten_seconds_to_answer() {
    let (mut channel, mut relay) = open().await;
    channel.wake(PERIOD).await.unwrap();
    assert!(relay.next().await.unwrap().unwrap().is_ping());
    let asked = channel.next_beat(PERIOD).unwrap() - Instant::now();
    assert_eq!(asked, Duration::from_secs(10));
    advance(Duration::from_secs(9)).await;
    assert!(channel.beat(PERIOD).await.is_ok(), "it has a second left");
    advance(Duration::from_secs(1)).await;
    assert!(reason(channel.beat(PERIOD).await).contains("no sign of life"));
}

#[tokio::test]
async fn a_short_interval_is_what_a_relay_has_after_a_sleep() {
    let (mut channel, _relay) = open().await;
    let period = Duration::from_secs(3);
    channel.wake(period).await.unwrap();
    let asked = channel.next_beat(period).unwrap() - Instant::now();
    assert_eq!(asked, period);
}

#[tokio::test]
async fn a_relay_that_takes_nothing_for_ten_seconds_is_lost() {
    let (mut channel, _relay) = open().await;
    let started = Instant::now();
    // More than any socket holds.
    let flood = Message::Binary(vec![0; 64 * 1024 * 1024].into());
    let lost = channel.write([flood]).await;
    assert_eq!(reason(lost), "the relay does not read");
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_message_of_the_relay_may_have_a_mebibyte() {
    let (mut channel, mut relay) = open().await;
    // One that is not known is passed over.
    let padded = |length| Message::text([r#"{"hello":{}}"#, &" ".repeat(length)].concat());
    let accept = r#"{"accept":{"address":"ws://h/","id":"1","connectHeaders":{}}}"#;
    let sending = async {
        for message in [
            padded(1000 * 1024),
            Message::text(accept),
            padded(1100 * 1024),
        ] {
            // The last one is not read.
            let _ = relay.send(message).await;
        }
    };
    let reading = async {
        let first = channel.next().await.unwrap();
        assert!(matches!(first, Arrival::Accept(_)), "{first:?}");
        channel.next().await.map(drop)
    };
    let ((), lost) = tokio::join!(sending, reading);
    assert!(reason(lost).contains("too long"), "the message passes");
}
