//! The end of the time for a dial.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};

/// When a dial must be done; the error names the step that was under way.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    after: Duration,
}

impl Deadline {
    pub(crate) fn new(after: Duration) -> Self {
        Self {
            at: Instant::now() + after.min(LONGEST),
            after,
        }
    }

    /// What comes of a step, if it is done in time.
    pub(crate) async fn limit<F: Future>(self, step: &'static str, future: F) -> Result<F::Output> {
        let after = self.after;
        timeout_at(self.at, future)
            .await
            .map_err(|_| Error::Timeout { step, after })
    }
}

/// Keeps the sum of now and any timeout representable.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
