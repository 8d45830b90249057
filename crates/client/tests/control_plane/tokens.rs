//! Asking for tokens and renewing them.

use std::time::Duration;

use hyco_client::{GivenToken, ListenerEvent, TokenSource};
use hyco_protocol::token::SasToken;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Observed, Relay, token, unix_now};

/// A token that is due for renewal in a second and ends long after, so that a slow machine has time.
fn due_soon() -> GivenToken {
    GivenToken {
        refresh_after: Some(Duration::ZERO),
        ..GivenToken::from(token(20))
    }
}

#[tokio::test]
async fn a_token_is_renewed_on_the_open_channel_c19() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    observed.listener.provide_token(request, Ok(due_soon()));
    let mut visit = relay.open().await;
    observed.online().await;
    let request = observed.token_request().await;
    let successor = format!(
        "SharedAccessSignature sr=a%2f&sig=\"&se={}&skn=x",
        unix_now() + 3600
    );
    observed
        .listener
        .provide_token(request, Ok(successor.clone().into()));
    let written = successor.replace('"', "\\\"");
    assert_eq!(
        visit.hear_text().await,
        format!(r#"{{"renewToken":{{"token":"{written}"}}}}"#)
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
    observed.listener.provide_token(request, Ok(due_soon()));
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
    observed
        .listener
        .provide_token(request, Ok(token(3600).into()));
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
    observed
        .listener
        .provide_token(request, Ok(token(5).into()));
    let mut visit = relay.open().await;
    observed.online().await;
    // It is asked once or more often, for as long as the token lives.
    let error = loop {
        match observed.event().await {
            Some(ListenerEvent::TokenNeeded { request }) => {
                let failure = Err("no network".to_owned());
                observed.listener.provide_token(request, failure);
            }
            Some(ListenerEvent::RenewalFailed { .. }) => {}
            Some(ListenerEvent::Offline {
                error, is_final, ..
            }) => {
                assert!(!is_final);
                break error;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error.code(), "HYCO_ERR_TOKEN");
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
        observed
            .listener
            .provide_token(request, answer.map(Into::into));
        let offline = observed.offline().await;
        assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN");
        assert!(!offline.is_final && !offline.is_fatal);
    }
    observed.connecting().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok("good".to_owned().into()));
    assert_eq!(
        relay.open().await.header("ServiceBusAuthorization"),
        Some("good")
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_an_error_of_the_token_and_asked_for_again_c20() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    for bad in ["a\r\nb: c", "a\0", "\u{65e5}", "<html>Sign in</html>"] {
        observed.connecting().await;
        let request = observed.token_request().await;
        observed
            .listener
            .provide_token(request, Ok(bad.to_owned().into()));
        let offline = observed.offline().await;
        assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN", "{bad:?}");
        assert!(!offline.is_final && !offline.is_fatal, "{bad:?}");
    }
    observed.connecting().await;
    let request = observed.token_request().await;
    observed
        .listener
        .provide_token(request, Ok(" good\n".to_owned().into()));
    let visit = relay.open().await;
    assert_eq!(visit.header("ServiceBusAuthorization"), Some("good"));
}

#[tokio::test]
async fn a_bad_renewal_is_not_sent_and_the_channel_stays_c20() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask
    });
    observed.connecting().await;
    let request = observed.token_request().await;
    observed.listener.provide_token(request, Ok(due_soon()));
    let mut visit = relay.open().await;
    observed.online().await;
    let request = observed.token_request().await;
    let page = "<html>Sign in</html>".to_owned();
    observed.listener.provide_token(request, Ok(page.into()));
    let event = observed.event().await;
    assert!(
        matches!(event, Some(ListenerEvent::RenewalFailed { .. })),
        "{event:?}"
    );
    let request = observed.token_request().await;
    let good = token(3600);
    observed
        .listener
        .provide_token(request, Ok(good.clone().into()));
    assert!(visit.hear_text().await.contains(&good));
}

#[tokio::test]
async fn a_source_that_hangs_is_not_waited_for_longer_than_for_the_handshake() {
    let relay = Relay::bind().await;
    let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |options| {
        options.token = TokenSource::Ask;
        options.open_timeout = Duration::from_millis(50);
    });
    observed.connecting().await;
    observed.token_request().await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN");
    assert!(
        offline.error.to_string().contains("within 50 ms"),
        "{}",
        offline.error
    );
}

#[tokio::test]
async fn a_key_that_rust_knows_signs_without_asking() {
    let relay = Relay::bind().await;
    let address = relay.address("/$hc/hyco");
    let mut observed = Observed::listen(&address, |options| {
        options.token = TokenSource::Key {
            uri: options.address.clone(),
            rule: "rule".to_owned(),
            key: "key".to_owned(),
        };
    });
    let visit = observed.come_online(&relay).await;
    let token = visit.header("ServiceBusAuthorization").unwrap();
    assert!(SasToken::parse(token).unwrap().is_signed_with("key"));
}

#[tokio::test]
async fn a_fixed_token_that_cannot_be_sent_is_final() {
    let mut observed = Observed::listen("ws://127.0.0.1:1/$hc/hyco", |options| {
        options.token = TokenSource::Fixed("a\nb".to_owned());
    });
    observed.connecting().await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_TOKEN");
    assert!(offline.is_final && offline.is_fatal);
    observed.closed().await;
}
