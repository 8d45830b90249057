//! What the journal keeps, what is only counted, and who misses something.

use tokio::{
    sync::broadcast::error::TryRecvError,
    time::{advance, sleep},
};

use super::*;

/// Far more than the journal takes.
const MANY: usize = 20_000;

fn handshake(id: &str) -> EventKind {
    EventKind::Handshake {
        action: "connect",
        path: "/hyco".to_owned(),
        remote: "127.0.0.1:1".to_owned(),
        tracking_id: id.to_owned(),
        duration: 1,
    }
}

fn closed(reason: &str) -> EventKind {
    EventKind::Closed {
        what: "listener",
        connection: None,
        hybrid_connection: "hyco".to_owned(),
        tracking_id: "id".to_owned(),
        reason: reason.to_owned(),
        duration: 1,
        to_listener: None,
        to_sender: None,
    }
}

fn refused() -> EventKind {
    EventKind::Refused {
        action: "listen",
        path: "/hyco".to_owned(),
        remote: "127.0.0.1:1".to_owned(),
        tracking_id: "id".to_owned(),
        status: 401,
        reason: "no token".to_owned(),
        hint: None,
        duration: 1,
    }
}

/// How much text is in the journal.
fn length(events: &Events) -> usize {
    let kept = events.since(0);
    let texts = kept.iter().map(serde_json::to_string);
    texts.map(|text| text.map_or(0, |text| text.len())).sum()
}

#[test]
fn a_long_text_is_cut_between_two_characters() {
    let whole = "ä".repeat(LONGEST_TEXT);
    assert_eq!(shown(&whole), whole);
    assert_eq!(shown(&format!("{whole}b")), format!("{whole}…"));
}

#[test]
fn the_journal_takes_four_mebibytes_however_long_its_texts_are() {
    let events = Events::default();
    for _ in 0..200 {
        events.tell(closed(&"x".repeat(64 * 1024)));
    }
    let taken = length(&events);
    assert!((3..=4).contains(&taken.div_ceil(1024 * 1024)), "{taken}");
}

#[test]
fn the_journal_keeps_thousands_of_short_events() {
    let events = Events::default();
    for _ in 0..MANY {
        events.tell(handshake("id"));
    }
    let kept = events.since(0);
    assert!((4000..MANY).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().map(|event| event.serial), Some(MANY as u64));
}

#[test]
fn the_names_that_clients_choose_are_cut() {
    let long = "x".repeat(60_000);
    let warning = EventKind::Warning {
        message: "careful".to_owned(),
        tracking_id: Some(long.clone()),
    };
    let answered = EventKind::Answered {
        request: 1,
        hybrid_connection: "hyco".to_owned(),
        method: long.clone(),
        path: "/hyco".to_owned(),
        remote: "127.0.0.1:1".to_owned(),
        tracking_id: long.clone(),
        status: 200,
        whole: true,
        duration: 1,
        to_listener: 0,
        to_sender: 0,
    };
    let events = Events::default();
    let mut live = events.subscribe();
    for kind in [handshake(&long), warning, answered] {
        events.tell(kind);
        let told = live.try_recv().expect("it is told");
        let text = serde_json::to_string(&told).expect("JSON");
        assert!(text.len() < 2000, "{} bytes", text.len());
        assert!(text.contains("xxx…"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_what_is_refused_in_a_second_twenty_are_told_and_the_others_counted() {
    let events = Events::default();
    for _ in 0..50 {
        events.tell(refused());
    }
    assert_eq!(events.since(0).len(), 20);
    advance(SECOND).await;
    events.tell(refused());
    let told = events.since(20);
    assert_eq!(told.len(), 2);
    assert!(
        matches!(told[0].kind, EventKind::Suppressed { refusals: 30, .. }),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_only_counted_is_told_after_a_second_though_nothing_follows() {
    let events = Events::default();
    let counting = async {
        for _ in 0..21 {
            events.tell(refused());
        }
        sleep(2 * SECOND).await;
    };
    tokio::select! {
        () = events.tell_counts() => {}
        () = counting => {}
    }
    let told = events.since(20);
    assert!(
        matches!(
            told[..],
            [Event {
                kind: EventKind::Suppressed { refusals: 1, .. },
                ..
            }]
        ),
        "{told:?}"
    );
}

#[test]
fn who_listens_slowly_misses_nothing_of_a_thousand_events() {
    let events = Events::default();
    let mut live = events.subscribe();
    for _ in 0..1000 {
        events.tell(handshake("id"));
    }
    for serial in 1..=1000 {
        assert_eq!(live.try_recv().map(|event| event.serial), Ok(serial));
    }
    for _ in 0..2000 {
        events.tell(handshake("id"));
    }
    assert!(matches!(live.try_recv(), Err(TryRecvError::Lagged(_))));
}
