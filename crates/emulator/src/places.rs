//! The connections that may be open.
//!
//! Every client takes a place. A sender that waits needs another one, for the dial of its listener: if
//! senders, or clients that say nothing, could take all places, nobody would ever meet. So there are places
//! that only such dials get. They are given out when all others are taken and somebody waits for a dial;
//! who gets one and is no dial is refused, and has little time to say what it is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The places of a relay.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    for_dials: Arc<Semaphore>,
    /// How many senders wait for a dial.
    expected: AtomicUsize,
    came: Notify,
}

/// A place for one connection; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whether only a listener's dial may have it.
    pub(crate) for_dial: bool,
}

/// Says that a dial is expected, as long as it lives.
pub(crate) struct Expected<'a>(&'a Places);

impl Places {
    /// As many places as that, and some for dials.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(count)),
            for_dials: Arc::new(Semaphore::new(FOR_DIALS)),
            expected: AtomicUsize::new(0),
            came: Notify::new(),
        }
    }

    /// Waits for a place.
    pub(crate) async fn take(&self) -> Place {
        loop {
            // It hears of what comes after this line, so nothing that comes after the next one is missed.
            let came = self.came.notified();
            let expected = self.expected.load(Ordering::Acquire) > 0;
            tokio::select! {
                biased;
                permit = Arc::clone(&self.all).acquire_owned() => {
                    return Place {
                        _permit: permit.expect("the semaphore is never closed"),
                        for_dial: false,
                    };
                }
                permit = Arc::clone(&self.for_dials).acquire_owned(), if expected => {
                    return Place {
                        _permit: permit.expect("the semaphore is never closed"),
                        for_dial: true,
                    };
                }
                // Somebody waits for a dial now.
                () = came => {}
            }
        }
    }

    /// The place of a client that has come, which may have waited long for it: one of the usual places, if
    /// there is one by now.
    pub(crate) fn settle(&self, place: Place) -> Place {
        if !place.for_dial {
            return place;
        }
        match Arc::clone(&self.all).try_acquire_owned() {
            Err(_) => place,
            Ok(permit) => Place {
                _permit: permit,
                for_dial: false,
            },
        }
    }

    /// Announces a dial; none if there would be no place for it.
    pub(crate) fn expect(&self) -> Option<Expected<'_>> {
        let free = self.all.available_permits() + self.for_dials.available_permits();
        if self.expected.fetch_add(1, Ordering::AcqRel) >= free {
            self.expected.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        self.came.notify_waiters();
        Some(Expected(self))
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.0.expected.fetch_sub(1, Ordering::AcqRel);
    }
}

/// More dials than that are hardly on their way at a time.
const FOR_DIALS: usize = 256;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn places_for_dials_are_given_out_when_a_dial_is_expected_and_the_others_are_taken() {
        let places = Places::new(1);
        let first = places.take().await;
        assert!(!first.for_dial);
        let waits = timeout(Duration::from_millis(20), places.take()).await;
        assert!(waits.is_err(), "no dial is expected");
        let (expected, dial) = tokio::join!(async { places.expect() }, places.take());
        assert!(dial.for_dial);
        let dial = places.settle(dial);
        assert!(dial.for_dial, "the usual place is taken");
        drop(first);
        let settled = places.settle(dial);
        assert!(!settled.for_dial, "the usual place is free");
        drop(settled);
        assert!(!places.take().await.for_dial, "the usual places come first");
        drop(expected);
    }

    #[tokio::test]
    async fn no_more_dials_are_expected_than_there_are_places() {
        let places = Places::new(1);
        let expected: Vec<_> = (0..=FOR_DIALS).map(|_| places.expect()).collect();
        assert!(expected.iter().all(Option::is_some));
        assert!(places.expect().is_none());
        drop(expected);
        assert!(places.expect().is_some());
    }
}
