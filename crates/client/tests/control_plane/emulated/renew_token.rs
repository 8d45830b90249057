//! Tokens that end while a listener is online.

use std::time::Duration;

use hyco_client::TokenSource;
use hyco_emulator::{EmulatorOptions, Timing};
use tokio_tungstenite::tungstenite::Message;

use super::Relay;

/// A relay that closes a control channel soon after its token has ended.
async fn strict() -> Relay {
    let timing = Timing {
        renewal_grace: Duration::from_millis(500),
        ..Timing::default()
    };
    Relay::start(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await
}

#[tokio::test]
async fn a_renewed_token_keeps_the_channel_c19() {
    let relay = strict().await;
    let mut observed = relay.listen(|options| options.token = TokenSource::Ask);
    observed.connecting().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok(relay.token(6).into()));
    observed.online().await;
    // Asked again before the first token ends; the second one is asked for, too, before it ends.
    for life in [6, 3600] {
        let request = observed.token_request().await;
        observed
            .listener
            .provide_token(request, Ok(relay.token(life).into()));
    }
    tokio::time::sleep(Duration::from_secs(7)).await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    sender.say(Message::text("still here")).await;
    assert_eq!(listener.hear().await, Message::text("still here"));
}

#[tokio::test]
async fn a_fixed_token_ends_the_channel_but_no_accepted_connection_c16_c18_c19() {
    let relay = strict().await;
    let token = TokenSource::Fixed(relay.token(4));
    let mut observed = relay.listen(|options| options.token = token);
    observed.connecting().await;
    observed.online().await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    let offline = observed.offline().await;
    assert!(
        offline.error.to_string().contains("1008"),
        "{}",
        offline.error
    );
    observed.connecting().await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_UNAUTHORIZED");
    assert!(!offline.is_final && !offline.is_fatal);

    listener.say(Message::text("still here")).await;
    assert_eq!(sender.hear().await, Message::text("still here"));
}
