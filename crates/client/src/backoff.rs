//! The growing pause between attempts to come online.

use std::time::Duration;

/// The pauses between attempts (docs/protocol.md, 3.7).
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// One pause per failure in a row; the last one repeats.
    pub delays: Vec<Duration>,
    /// From the second pause on, up to this part of the pause is added at random, so that many
    /// listeners that lost one relay do not come back in step.
    pub jitter: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        let delays = [0, 150, 1_000, 2_000, 5_000, 10_000, 30_000];
        Self {
            delays: delays.map(Duration::from_millis).to_vec(),
            jitter: 0.2,
        }
    }
}

/// Where in a [`Schedule`] a listener stands.
#[derive(Debug)]
pub(crate) struct Backoff {
    schedule: Schedule,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            failures: 0,
        }
    }

    /// The pause after one more failure; `random` is from 0 to 1.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let step = usize::try_from(self.failures).unwrap_or(usize::MAX);
        self.failures = self.failures.saturating_add(1);
        let delays = &self.schedule.delays;
        let delay = delays
            .get(step)
            .or_else(|| delays.last())
            .copied()
            .unwrap_or_default()
            .min(LONGEST);
        match step {
            0 => delay,
            _ => delay.mul_f64(1.0 + self.schedule.jitter.clamp(0.0, 1.0) * random),
        }
    }

    /// No pause but the first one after a success is shorter than this, whatever the schedule or the
    /// application says: a refused listener must not flood the relay.
    pub(crate) fn at_least(&self, delay: Duration) -> Duration {
        match self.failures {
            0 | 1 => delay,
            _ => delay.max(SHORTEST),
        }
    }

    /// After a success the first pause comes again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_start_anew_after_a_success_c14() {
        let mut backoff = Backoff::new(Schedule::default());
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next(0.0).as_millis()).collect();
        assert_eq!(
            pauses,
            [0, 150, 1000, 2000, 5000, 10000, 30000, 30000, 30000]
        );
        backoff.reset();
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        assert_eq!(backoff.next(0.0), Duration::from_millis(150));
    }

    #[test]
    fn jitter_starts_with_the_second_pause() {
        let mut backoff = Backoff::new(Schedule::default());
        assert_eq!(backoff.next(1.0), Duration::ZERO);
        assert_eq!(backoff.next(1.0), Duration::from_millis(180));
        assert_eq!(backoff.next(0.5), Duration::from_millis(1100));
    }

    #[test]
    fn a_schedule_of_zeros_is_no_hot_loop_c14() {
        for delays in [vec![], vec![Duration::ZERO]] {
            let mut backoff = Backoff::new(Schedule {
                delays,
                jitter: 0.0,
            });
            let first = backoff.next(0.0);
            assert_eq!(backoff.at_least(first), Duration::ZERO);
            let second = backoff.next(0.0);
            assert_eq!(backoff.at_least(second), SHORTEST);
        }
    }
}
