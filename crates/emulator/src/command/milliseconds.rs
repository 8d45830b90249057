//! Times in the configuration.

use std::time::Duration;

use serde::Deserialize;

/// A time of at least so many milliseconds, and at most as many as JavaScript's timers can wait.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Milliseconds<const LEAST: u64>(u64);

impl<const LEAST: u64> TryFrom<u64> for Milliseconds<LEAST> {
    type Error = String;

    fn try_from(count: u64) -> Result<Self, String> {
        match count {
            _ if (LEAST..=LONGEST_TIME).contains(&count) => Ok(Self(count)),
            _ => Err(format!("{count} ms is not from {LEAST} to {LONGEST_TIME}")),
        }
    }
}

impl<const LEAST: u64> From<Milliseconds<LEAST>> for Duration {
    fn from(time: Milliseconds<LEAST>) -> Self {
        Self::from_millis(time.0)
    }
}

const LONGEST_TIME: u64 = 0x7fff_ffff;
