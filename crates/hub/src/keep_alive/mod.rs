//! Finding connections whose other end is gone without a word: one timer for all of an environment.
//!
//! A connection counts its signs of life: what it reads, and what a full socket takes of a long upload,
//! behind which a Ping would wait. It is looked at four times an interval, which costs a comparison:
//! after an interval without a sign it is sent a Ping, after two it is lost. A busy connection is
//! therefore never pinged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use hyco_client::connection::{Connection, Frame, Inbox, Signal};
use hyco_websocket::{MaskSource, OpCode};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::HubInbox;

/// The connections of an environment that are kept alive.
#[derive(Default)]
pub struct KeepAlive {
    watched: Mutex<BTreeMap<Instant, Vec<Watched>>>,
    news: Notify,
}

struct Watched {
    number: u32,
    connection: Weak<Connection>,
    /// A quarter of its interval.
    look: Duration,
    /// The signs of life that the connection had given when it was looked at last.
    signs: u32,
    /// How many looks in a row found nothing new.
    silent: u32,
}

impl KeepAlive {
    /// Watches a connection from now on, until it closes. Without an interval it is let alone.
    pub fn watch(&self, number: u32, connection: &Arc<Connection>, interval: Duration) {
        if interval.is_zero() {
            return;
        }
        let look = (interval / LOOKS).max(SHORTEST_LOOK);
        let watched = Watched {
            number,
            connection: Arc::downgrade(connection),
            look,
            signs: connection.signs_of_life(),
            silent: 0,
        };
        let due = Instant::now() + look.min(LONGEST_LOOK);
        let mut all = self.watched();
        let is_next = all.first_key_value().is_none_or(|(next, _)| due < *next);
        all.entry(due).or_default().push(watched);
        drop(all);
        // Otherwise the task looks in time, and need not hear of every connection.
        if is_next {
            self.news.notify_one();
        }
    }

    /// Looks at the connections, forever; a task of the I/O thread.
    pub async fn attend(self: Arc<Self>, inbox: Arc<HubInbox>) {
        self.attend_by(&inbox, SystemTime::now).await;
    }

    /// The same by that clock on the wall.
    async fn attend_by(&self, inbox: &HubInbox, wall: impl Fn() -> SystemTime) {
        let mut masks = MaskSource::new();
        let mut clock = (wall(), Instant::now());
        loop {
            let Some(due) = self.next() else {
                self.news.notified().await;
                clock = (wall(), Instant::now());
                continue;
            };
            let now = Instant::now();
            let pause = due.saturating_duration_since(now).clamp(TICK, LONGEST_TICK);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.news.notified() => {}
            }
            let slept = has_jumped(&mut clock, wall());
            let now = Instant::now();
            for mut watched in self.take(if slept { None } else { Some(now) }) {
                if watched.is_kept(slept, &mut masks, inbox) {
                    let due = now + watched.look.min(LONGEST_LOOK);
                    self.watched().entry(due).or_default().push(watched);
                }
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        self.watched().keys().next().copied()
    }

    /// Those that are due then; all when no time is given.
    fn take(&self, until: Option<Instant>) -> Vec<Watched> {
        let mut watched = self.watched();
        let later = match until {
            Some(until) => watched.split_off(&(until + TICK)),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut *watched, later)
            .into_values()
            .flatten()
            .collect()
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<Instant, Vec<Watched>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched: usize = self.watched().values().map(Vec::len).sum();
        f.debug_struct("KeepAlive")
            .field("watched", &watched)
            .finish()
    }
}

impl Watched {
    /// Looks at the connection; whether it is to be looked at again.
    fn is_kept(&mut self, slept: bool, masks: &mut MaskSource, inbox: &HubInbox) -> bool {
        let Some(connection) = self.connection.upgrade() else {
            return false;
        };
        if connection.is_closing() {
            return false;
        }
        self.write_on(&connection, inbox);
        let signs = connection.signs_of_life();
        self.silent = match signs == self.signs {
            true => self.silent + 1,
            false => 0,
        };
        self.signs = signs;
        if slept && self.silent < LOOKS {
            // It may have died long ago: it has one interval to show that it has not.
            self.silent = LOOKS;
        }
        if self.silent == LOOKS {
            self.ping(&connection, masks, inbox);
        }
        if self.silent < 2 * LOOKS {
            return true;
        }
        if connection.has_unread() {
            // Who does not read cannot know.
            self.silent = LOOKS;
            return true;
        }
        let silence = self.look * self.silent;
        let text = format!(
            "nothing was heard from the other end for {} ms",
            silence.as_millis()
        );
        let error = serde_json::json!({ "code": "HYCO_ERR_CONNECTION_LOST", "message": text });
        let event = serde_json::json!({ "type": "lost", "error": error });
        inbox.event(self.number, event.to_string());
        connection.destroy();
        false
    }

    fn ping(&self, connection: &Connection, masks: &mut MaskSource, inbox: &HubInbox) {
        connection.append([Frame {
            fin: true,
            opcode: OpCode::Ping,
            payload: &[],
            mask: Some(masks.next()),
            acknowledge: false,
        }]);
        self.acknowledge(connection.write_out(), inbox);
    }

    /// Offers a full socket more. It reports that it takes more only when much of it is free, which can
    /// take longer than the interval on a slow line.
    fn write_on(&self, connection: &Connection, inbox: &HubInbox) {
        self.acknowledge(connection.write_on(), inbox);
    }

    fn acknowledge(&self, count: u32, inbox: &HubInbox) {
        if count > 0 {
            inbox.signal(self.number, Signal::Acknowledged(count));
        }
    }
}

/// Whether the wall clock has run ahead of the timers, which stand still while the machine sleeps.
fn has_jumped(clock: &mut (SystemTime, Instant), wall: SystemTime) -> bool {
    let now = (wall, Instant::now());
    let wall = now.0.duration_since(clock.0).unwrap_or_default();
    let jumped = wall > now.1.duration_since(clock.1) + NOTEWORTHY;
    *clock = now;
    jumped
}

/// Looks at a connection in an interval.
const LOOKS: u32 = 4;
/// Keeps an interval of nothing from becoming a loop without rest.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);
/// Keeps the time of the next look representable.
const LONGEST_LOOK: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Looks that are due within this time are done together.
const TICK: Duration = Duration::from_millis(5);
/// A sleep of the machine is noticed within this time.
const LONGEST_TICK: Duration = Duration::from_secs(1);
/// Less is a clock that is being corrected, or a thread that had to wait.
const NOTEWORTHY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
