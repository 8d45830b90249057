//! A failure is a failure whatever its cause: a panic ends an attempt and not the listener.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use hyco_client::{Events, ListenOptions, Listener, ListenerEvent, TokenSource};
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, pause, resume},
};

use crate::support::{Observed, Relay, dialer};

/// A listener whose next event of a kind panics, once.
fn listen(relay: &Relay, kind: fn(&ListenerEvent) -> bool) -> Observed {
    listen_and_tell(relay, kind, || ())
}

/// The same; `tell` is called before the panic.
fn listen_and_tell(
    relay: &Relay,
    kind: fn(&ListenerEvent) -> bool,
    tell: impl Fn() + Send + Sync + 'static,
) -> Observed {
    let mut options = ListenOptions::new(relay.address("/$hc/hyco"), TokenSource::Ask);
    options.reconnect.schedule.delays = vec![std::time::Duration::from_millis(1)];
    let (sender, events) = mpsc::unbounded_channel();
    let (panicked, answering) = (
        AtomicBool::new(false),
        Arc::new(Mutex::new(None::<Listener>)),
    );
    let answers = Arc::clone(&answering);
    let put: Events = Arc::new(move |event| {
        if kind(&event) && !panicked.swap(true, Ordering::SeqCst) {
            tell();
            panic!("on purpose, with sb-hc-token=secret");
        }
        match event {
            ListenerEvent::TokenNeeded { request } => {
                let listener = answers.lock().unwrap().clone().unwrap();
                listener.provide_token(request, Ok("good".to_owned().into()));
            }
            event => drop(sender.send(event)),
        }
    });
    let mut place = answering.lock().unwrap();
    let listener = Listener::spawn(&Handle::current(), dialer(), options, put);
    *place = Some(listener.clone());
    drop(place);
    Observed::new(listener, events)
}

#[tokio::test]
async fn an_attempt_that_panics_is_reported_and_another_follows() {
    let relay = Relay::bind().await;
    let mut observed = listen(&relay, |event| {
        matches!(event, ListenerEvent::TokenNeeded { .. })
    });
    assert_eq!(observed.connecting().await, 1);
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_INTERNAL");
    let text = offline.error.to_string();
    assert!(
        text.contains("on purpose") && !text.contains("secret"),
        "{text}"
    );
    assert!(!offline.is_final && !offline.is_fatal);
    assert_eq!(observed.connecting().await, 2);
    let visit = relay.open().await;
    observed.online().await;
    observed.listener.close();
    visit.finish().await;
    observed.closed().await;
}

#[tokio::test]
async fn a_channel_whose_command_panics_is_opened_anew() {
    let relay = Relay::bind().await;
    let mut observed = listen(&relay, |event| matches!(event, ListenerEvent::Accept(_)));
    let mut visit = observed.come_online(&relay).await;
    visit.say(relay.accept_command("1")).await;
    let offline = observed.offline().await;
    assert_eq!(offline.error.code(), "HYCO_ERR_INTERNAL");
    drop(visit);
    observed.connecting().await;
    let mut visit = relay.open().await;
    observed.online().await;
    visit.say(relay.accept_command("2")).await;
    assert_eq!(observed.accept().await.id, "2");
}

#[tokio::test]
async fn a_failure_whose_report_panics_is_followed_by_another_attempt_after_a_second() {
    let relay = Relay::bind().await;
    let (sender, mut panics) = mpsc::unbounded_channel();
    let tell = move || sender.send(Instant::now()).unwrap();
    let mut observed = listen_and_tell(
        &relay,
        |event| matches!(event, ListenerEvent::Offline { .. }),
        tell,
    );
    observed.connecting().await;
    relay.refuse("503 Busy").await;
    let panicked = panics.recv().await.unwrap();
    // Not before: a clock that does not wait for the network would end the handshake.
    pause();
    assert_eq!(observed.connecting().await, 2);
    // To write what has panicked takes a while as well.
    let paused = panicked.elapsed();
    assert!((999..9000).contains(&paused.as_millis()), "{paused:?}");
    resume();
    let visit = relay.open().await;
    observed.online().await;
    drop(visit);
}
