//! Senders that are turned away, by the listener or by the relay.

use hyco_emulator::EmulatorOptions;

use super::Relay;

#[tokio::test]
async fn status_and_reason_of_a_rejection_reach_the_sender_c31_c57() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    for (status, reason) in [(403, Some("Members only")), (418, None), (999, Some("x"))] {
        let reject = async {
            let number = observed.accept().await.accept;
            observed
                .listener
                .reject(number, status, reason.map(ToOwned::to_owned))
                .await
        };
        let (sent, rejected) = tokio::join!(relay.connect(relay.sender("hyco")), reject);
        rejected.unwrap();
        let error = sent.unwrap_err();
        assert_eq!(error.status(), Some(status));
        if reason.is_some() {
            assert_eq!(error.reason(), reason);
        }
    }
}

#[tokio::test]
async fn the_relay_says_why_it_refuses_a_sender_c56() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let error = relay.connect(relay.sender("hyco")).await.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_NO_LISTENER");
    assert!(error.tracking_id().is_some());

    let error = relay.connect(relay.sender("nowhere")).await.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_ENDPOINT_NOT_FOUND");

    let mut options = relay.sender("hyco");
    options.token = None;
    let error = relay.connect(options).await.unwrap_err();
    assert_eq!(
        (error.code(), error.status()),
        ("HYCO_ERR_UNAUTHORIZED", Some(401))
    );
}

#[tokio::test]
async fn a_sender_that_left_is_gone_for_the_listener_c28() {
    let relay = Relay::start(EmulatorOptions::default()).await;
    let mut observed = relay.online().await;
    let accept = tokio::select! {
        connected = relay.connect(relay.sender("hyco")) => panic!("{connected:?}"),
        accept = observed.accept() => accept,
    };
    let error = observed
        .listener
        .accept(accept.accept, None, Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_SENDER_GONE");
}
