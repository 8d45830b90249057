//! What happens in a relay: told to those who listen now, and kept in a journal for those who ask later.

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

/// What has happened. Tokens and keys are in none of the texts.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum EventKind {
    /// A handshake ended well.
    Handshake {
        /// `listen`, `connect` or `accept`.
        action: &'static str,
        /// The path of the request.
        path: String,
        /// The client's address.
        remote: String,
        /// The id under which the relay knows the request.
        tracking_id: String,
        /// How long it took, in milliseconds.
        duration: u64,
    },
    /// A request was refused, by the relay or by a listener.
    Refused {
        /// `listen`, `connect`, `accept` or `http`.
        action: &'static str,
        /// The path of the request.
        path: String,
        /// The client's address.
        remote: String,
        /// The id under which the relay knows the request.
        tracking_id: String,
        /// The status of the answer.
        status: u16,
        /// Why.
        reason: String,
        /// What most likely helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// How long it took, in milliseconds.
        duration: u64,
    },
    /// Requests were refused, or warnings given, in such a number that they are counted only.
    Suppressed {
        /// How many refusals.
        refusals: u64,
        /// How many warnings.
        warnings: u64,
    },
    /// An HTTP request that a listener has answered has ended.
    Answered {
        /// The number of the request.
        request: u64,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The method.
        method: String,
        /// The path of the request.
        path: String,
        /// The sender's address.
        remote: String,
        /// The id under which the relay and the listener know the request.
        tracking_id: String,
        /// The status of the answer.
        status: u16,
        /// Whether the sender got the whole answer.
        whole: bool,
        /// How long it took, in milliseconds.
        duration: u64,
        /// Bytes of the request's body.
        to_listener: u64,
        /// Bytes of the answer's body.
        to_sender: u64,
    },
    /// A sender and a listener have met.
    Paired {
        /// The number of the relayed connection.
        connection: u64,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The id under which the relay knows the connection.
        tracking_id: String,
        /// The sender's address.
        sender: String,
        /// The listener's address.
        listener: String,
    },
    /// A listener's control channel, or a relayed connection, has ended.
    Closed {
        /// `listener` or `connection`.
        what: &'static str,
        /// The number of the relayed connection.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection: Option<u64>,
        /// The path of the hybrid connection.
        hybrid_connection: String,
        /// The id under which the relay knows it.
        tracking_id: String,
        /// How it ended.
        reason: String,
        /// How long it lasted, in milliseconds.
        duration: u64,
        /// What went to the listener.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_listener: Option<Traffic>,
        /// What went to the sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_sender: Option<Traffic>,
    },
    /// A fault that was asked for has struck.
    Fault {
        /// The number of the fault.
        fault: u64,
        /// Its kind.
        kind: &'static str,
        /// What it struck: a path, or an id.
        target: String,
    },
    /// The namespace has changed.
    Changed {
        /// What was done, as "created the hybrid connection hyco".
        what: String,
    },
    /// Something that deserves attention, and stops nothing.
    Warning {
        /// What.
        message: String,
        /// The id under which the relay knows the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        tracking_id: Option<String>,
    },
    /// A frame that came while its hybrid connection was recorded.
    Frame {
        /// The number of the relayed connection.
        connection: u64,
        /// `listener` or `sender`: where it goes.
        to: &'static str,
        /// Its kind: `text`, `binary`, `continuation`, `ping`, `pong` or `close`.
        kind: &'static str,
        /// Whether it is the last one of its message.
        fin: bool,
        /// The length of its payload, in bytes.
        length: u64,
        /// The first bytes of its payload, in base64.
        start: String,
    },
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl EventKind {
    fn size(&self) -> usize {
        // Every text that grows with what clients send is counted; the rest is in the constant.
        FIXED_SIZE
            + match self {
                Self::Refused {
                    path, reason, hint, ..
                } => path.len() + reason.len() + hint.as_ref().map_or(0, String::len),
                Self::Handshake { path, .. } | Self::Answered { path, .. } => path.len(),
                Self::Frame { start, .. } => start.len(),
                Self::Warning { message, .. } => message.len(),
                Self::Closed { reason, .. } => reason.len(),
                _ => 0,
            }
    }
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

    fn keep(&self, state: &mut State, kind: EventKind) {
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
    if let Some((at, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(at);
        text.push('…');
    }
    text
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
/// What an event takes beside its long texts.
const FIXED_SIZE: usize = 512;
/// A path of which more is not shown.
const LONGEST_TEXT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_cut_between_two_characters() {
        let whole = "ä".repeat(LONGEST_TEXT);
        assert_eq!(shown(&whole), whole);
        assert_eq!(shown(&format!("{whole}b")), format!("{whole}…"));
    }
}
