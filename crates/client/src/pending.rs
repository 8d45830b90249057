//! Senders that wait for the application's decision.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Undecided accepts: bounded in number, and forgotten when their address has died.
#[derive(Debug)]
pub(crate) struct PendingAccepts {
    most: usize,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    last: u32,
    /// Numbers grow, so the first entry is the oldest.
    waiting: BTreeMap<u32, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    address: String,
    until: Instant,
}

impl PendingAccepts {
    /// None yet, and never more than that.
    pub(crate) fn new(most: usize) -> Self {
        let pending = Mutex::default();
        Self { most, pending }
    }

    /// Registers an accept; none when too many are undecided (docs/protocol.md, C38).
    pub(crate) fn register(&self, address: &str) -> Option<u32> {
        let now = Instant::now();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = pending.waiting.first_entry()
            && oldest.get().until <= now
        {
            oldest.remove();
        }
        if pending.waiting.len() >= self.most {
            return None;
        }
        pending.last = pending.last.wrapping_add(1);
        let number = pending.last;
        let waiting = Waiting {
            address: address.to_owned(),
            until: now + LIFE,
        };
        pending.waiting.insert(number, waiting);
        Some(number)
    }

    /// Takes an accept out to decide it; none if it was decided before or is too old.
    pub(crate) fn claim(&self, number: u32) -> Option<String> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = pending.waiting.remove(&number)?;
        (waiting.until > Instant::now()).then_some(waiting.address)
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .clear();
    }
}

/// The relay forgets a rendezvous address after about 30 s.
const LIFE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_accept_is_claimed_once() {
        let pending = PendingAccepts::new(3);
        let number = pending.register("ws://a").unwrap();
        assert_eq!(pending.claim(number).as_deref(), Some("ws://a"));
        assert_eq!(pending.claim(number), None);
    }

    #[tokio::test(start_paused = true)]
    async fn undecided_accepts_are_bounded_and_die_after_30_s_c38() {
        let pending = PendingAccepts::new(3);
        let first = pending.register("ws://a").unwrap();
        let second = pending.register("ws://b").unwrap();
        pending.register("ws://b").unwrap();
        assert_eq!(pending.register("ws://c"), None);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(pending.claim(second).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pending.claim(first), None);
        let late = pending.register("ws://d").unwrap();
        assert_eq!(pending.pending.lock().unwrap().waiting.len(), 1);
        assert!(pending.claim(late).is_some());
    }
}
