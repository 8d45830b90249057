//! What happens in a relay: told to those who listen now, and kept in a journal for those who ask later.

mod kind;

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyco_protocol::redact;
use serde::Serialize;
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, sleep},
};

pub use self::kind::{EventKind, Traffic};

/// Something that has happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Counts up from 1, without gaps.
    pub serial: u64,
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The journal, and who listens.
pub(crate) struct Events {
    live: broadcast::Sender<Event>,
    state: Mutex<State>,
    /// Some are only counted.
    suppressed: Notify,
}

struct State {
    serial: u64,
    journal: VecDeque<Event>,
    size: usize,
    /// When the second began in which these were counted.
    second: Option<Instant>,
    refusals: u64,
    warnings: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            live: broadcast::Sender::new(LIVE),
            state: Mutex::new(State {
                serial: 0,
                journal: VecDeque::new(),
                size: 0,
                second: None,
                refusals: 0,
                warnings: 0,
            }),
            suppressed: Notify::new(),
        }
    }
}

impl Events {
    /// Tells what has happened. Refusals and warnings beyond a rate are counted, and told once a second.
    pub(crate) fn tell(&self, kind: EventKind) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.second.is_none_or(|since| now - since >= SECOND) {
            self.count(&mut state);
            state.second = Some(now);
        }
        let counted = match kind {
            EventKind::Refused { .. } => Some(&mut state.refusals),
            EventKind::Warning { .. } => Some(&mut state.warnings),
            _ => None,
        };
        if let Some(count) = counted {
            *count += 1;
            if *count > MOST_A_SECOND {
                self.suppressed.notify_one();
                return;
            }
        }
        self.keep(&mut state, kind);
    }

    /// Tells how many were only counted also when nothing happens afterwards. It never returns.
    pub(crate) async fn tell_counts(&self) {
        loop {
            self.suppressed.notified().await;
            sleep(SECOND).await;
            let mut state = self.lock();
            // Otherwise a new second has begun, and with it the counts were told.
            if state.second.is_some_and(|since| since.elapsed() >= SECOND) {
                self.count(&mut state);
                state.second = None;
            }
        }
    }

    /// Tells how many were only counted, and begins to count anew.
    fn count(&self, state: &mut State) {
        let over = |count: &mut u64| std::mem::take(count).saturating_sub(MOST_A_SECOND);
        let (refusals, warnings) = (over(&mut state.refusals), over(&mut state.warnings));
        if refusals > 0 || warnings > 0 {
            self.keep(state, EventKind::Suppressed { refusals, warnings });
        }
    }

    fn keep(&self, state: &mut State, mut kind: EventKind) {
        kind.shorten();
        state.serial += 1;
        let event = Event {
            serial: state.serial,
            time: millis(SystemTime::now()),
            kind,
        };
        state.size += event.kind.size();
        state.journal.push_back(event.clone());
        while state.size > JOURNAL_SIZE
            && let Some(oldest) = state.journal.pop_front()
        {
            state.size -= oldest.kind.size();
        }
        // Nobody listens, most of the time.
        let _ = self.live.send(event);
    }

    /// What happens from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.live.subscribe()
    }

    /// What has happened after the event of that serial, oldest first, as far as it is kept.
    pub(crate) fn since(&self, serial: u64) -> Vec<Event> {
        let state = self.lock();
        let from = state
            .journal
            .partition_point(|event| event.serial <= serial);
        state.journal.range(from..).cloned().collect()
    }

    /// Empties the journal.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.journal.clear();
        state.size = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path as it may be shown: without the token of its query.
pub(crate) fn shown(path: &str) -> String {
    let mut text = redact(path);
    cut(&mut text);
    text
}

/// Takes away what is too long to be shown.
fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(at);
        text.push('…');
    }
}

/// A time in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

const SECOND: Duration = Duration::from_secs(1);
/// A client that repeats a failing handshake without a pause makes thousands a second.
const MOST_A_SECOND: u64 = 20;
/// How many events a slow listener may be behind before it misses some.
const LIVE: usize = 1024;
/// How much memory the journal takes.
const JOURNAL_SIZE: usize = 4 * 1024 * 1024;
/// A text of a client of which more is not shown.
const LONGEST_TEXT: usize = 512;

#[cfg(test)]
mod tests;
