//! How many sockets have spoken lately, wherever they live.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Counts the sockets of both homes that were read from, window by window.
///
/// A turn of one home tells nothing of the other, and a quick loop has few sockets in each of its turns
/// although a hundred speak. The lock is held for a few instructions.
#[derive(Debug)]
pub(crate) struct Speakers {
    start: Instant,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    number: u32,
    speakers: usize,
    /// Those of the window before.
    before: usize,
}

impl Default for Speakers {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            window: Mutex::default(),
        }
    }
}

impl Speakers {
    /// A socket was read from, `now`, that was counted last in the window `counted`. Returns how many
    /// speak: in this window or in the one before, whichever had more.
    pub(crate) fn count(&self, counted: &mut u32, now: Instant) -> usize {
        self.count_after(counted, now.saturating_duration_since(self.start))
    }

    fn count_after(&self, counted: &mut u32, elapsed: Duration) -> usize {
        // From 1, so that a socket that was never counted is counted in the first.
        let number = (elapsed.as_millis() / WINDOW.as_millis()) as u32 + 1;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.number != number {
            let is_next = window.number.wrapping_add(1) == number;
            window.before = if is_next { window.speakers } else { 0 };
            window.speakers = 0;
            window.number = number;
        }
        if *counted != number {
            *counted = number;
            window.speakers += 1;
        }
        window.speakers.max(window.before)
    }
}

/// Long enough that each of a hundred sockets in ping-pong speaks once or more, which takes 2 ms here;
/// short enough that a hundred with a message a second are two.
const WINDOW: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(windows: u32) -> Duration {
        WINDOW.saturating_mul(windows)
    }

    #[test]
    fn a_socket_counts_once_in_a_window() {
        let speakers = Speakers::default();
        let (mut one, mut other) = (0, 0);
        assert_eq!(speakers.count_after(&mut one, at(0)), 1);
        assert_eq!(speakers.count_after(&mut one, at(0)), 1);
        assert_eq!(speakers.count_after(&mut other, at(0)), 2);
    }

    #[test]
    fn a_window_that_has_begun_has_those_of_the_one_before() {
        let speakers = Speakers::default();
        let mut counted = [0; 5];
        for socket in &mut counted {
            speakers.count_after(socket, at(7));
        }
        assert_eq!(speakers.count_after(&mut counted[0], at(8)), 5);
        assert_eq!(speakers.count_after(&mut counted[0], at(9)), 1);
    }

    #[test]
    fn a_pause_forgets_who_spoke() {
        let speakers = Speakers::default();
        let mut counted = [0; 5];
        for socket in &mut counted {
            speakers.count_after(socket, at(7));
        }
        assert_eq!(speakers.count_after(&mut counted[0], at(9)), 1);
    }
}
