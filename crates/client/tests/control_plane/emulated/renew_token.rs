//! Tokens that end while a listener is online.

use std::time::Duration;

use hyco_client::TokenSource;
use hyco_emulator::{EmulatorOptions, Fault, FaultKind, Timing};
use tokio_tungstenite::tungstenite::Message;

use super::Relay;

#[tokio::test]
async fn a_renewed_token_keeps_the_channel_c19() {
    // Without a renewal the channel is closed two seconds after its token has ended. The listener renews a
    // second before that end, so it has three on a slow machine.
    let timing = Timing {
        renewal_grace: Duration::from_secs(2),
        ..Timing::default()
    };
    let relay = Relay::start(EmulatorOptions {
        timing,
        ..EmulatorOptions::default()
    })
    .await;
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
    // The second one was given at least three seconds ago, and ends for good eight after it was given.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    sender.say(Message::text("still here")).await;
    assert_eq!(listener.hear().await, Message::text("still here"));
}

#[tokio::test]
async fn a_fixed_token_ends_the_channel_but_no_accepted_connection_c16_c18_c19() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let (mut sender, mut listener) = relay.join(&mut observed).await;
    // The hour of the token and the grace of two minutes have passed.
    let mut fault = Fault::default();
    fault.kind = FaultKind::Clock;
    fault.seconds = Some(2 * 3600);
    relay.emulator.set_fault(fault).unwrap();
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
