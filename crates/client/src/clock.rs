//! Noticing that the machine slept, or that its clock was set.
//!
//! The clock by which timers run stands still while a machine sleeps, so that a connection that died
//! meanwhile would be noticed only when the rest of its interval is over.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

/// Waits until the clock on the wall has run ahead of the timers.
pub(crate) async fn jump() {
    jump_of(SystemTime::now).await;
}

async fn jump_of(now: impl Fn() -> SystemTime) {
    let mut before = (now(), Instant::now());
    loop {
        sleep(LOOK).await;
        let after = (now(), Instant::now());
        let wall = after.0.duration_since(before.0).unwrap_or_default();
        if wall > after.1.duration_since(before.1) + NOTEWORTHY {
            return;
        }
        before = after;
    }
}

const LOOK: Duration = Duration::from_secs(1);
/// Less is a clock that is being corrected, or a thread that had to wait.
const NOTEWORTHY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sleep_is_noticed_within_a_second_and_time_that_passes_is_not() {
        let (started, slept) = (Instant::now(), AtomicU64::new(0));
        let now = || {
            let seconds = slept.load(Ordering::Relaxed);
            SystemTime::UNIX_EPOCH + started.elapsed() + Duration::from_secs(seconds)
        };
        let mut jump = std::pin::pin!(jump_of(now));
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, &mut jump).await.is_err());
        // A correction of the clock, and one backwards.
        slept.store(3, Ordering::Relaxed);
        assert!(timeout(hour, &mut jump).await.is_err());
        slept.store(0, Ordering::Relaxed);
        assert!(timeout(hour, &mut jump).await.is_err());
        slept.store(60, Ordering::Relaxed);
        assert!(timeout(2 * LOOK, &mut jump).await.is_ok());
    }
}
