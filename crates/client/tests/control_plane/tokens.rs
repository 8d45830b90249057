//! Asking for tokens and renewing them.

use hyco_client::{ListenerEvent, TokenSource};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Observed, Relay, token};

#[tokio::test]
async fn a_token_is_renewed_on_the_open_channel_c19() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    observed.listener.provide_token(request, Ok(token(2)));
    let mut visit = relay.open().await;
    observed.online().await;
    let request = observed.token_request().await;
    observed.listener.provide_token(
        request,
        Ok("SharedAccessSignature sr=a%2f&sig=\"".to_owned()),
    );
    assert_eq!(
        visit.hear_text().await,
        r#"{"renewToken":{"token":"SharedAccessSignature sr=a%2f&sig=\""}}"#
    );
}

#[tokio::test]
async fn a_failed_renewal_is_reported_and_the_channel_stays_c20() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    // 80 % of 8 s leaves time for a second try after one second.
    observed.listener.provide_token(request, Ok(token(8)));
    let mut visit = relay.open().await;
    observed.online().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Err("no network".to_owned()));
    let Some(ListenerEvent::RenewalFailed { error }) = observed.event().await else {
        panic!("not reported");
    };
    assert_eq!(error.to_string(), "no token: no network");
    let request = observed.token_request().await;
    observed.listener.provide_token(request, Ok(token(3600)));
    assert!(visit.hear_text().await.starts_with(r#"{"renewToken""#));
}

#[tokio::test]
async fn a_token_that_ends_without_successor_ends_the_channel_c20() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    observed.listener.provide_token(request, Ok(token(2)));
    let mut visit = relay.open().await;
    observed.online().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Err("no network".to_owned()));
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN");
    assert!(!offline.is_final);
    assert!(matches!(visit.hear().await, Message::Close(Some(_))));
}

#[tokio::test]
async fn without_a_token_nothing_is_dialled_and_it_is_asked_again_c20() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    for answer in [Err("no network".to_owned()), Ok(String::new())] {
        observed.connecting().await;
        let request = observed.token_request().await;
        observed.listener.provide_token(request, answer);
        let offline = observed.offline().await;
        assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN");
        assert!(!offline.is_final && !offline.is_fatal);
    }
    observed.connecting().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok("good".to_owned()));
    assert_eq!(
        relay.open().await.header("ServiceBusAuthorization"),
        Some("good")
    );
}
