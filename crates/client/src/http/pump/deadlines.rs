//! The deadlines of an exchange.

use std::future::Future;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::{Ended, Failure, Pump, STALL};

impl Pump<'_> {
    /// Waits for whatever comes first, or for the next deadline.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failure>> {
        loop {
            let next = self.next_deadline();
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if self.head_deadline.is_some_and(|at| at <= now) && !self.has_head() {
                return Poll::Ready(Err(Failure::TimedOut));
            }
            if self.stalls_at().is_some_and(|at| at <= now) {
                return Poll::Ready(Err(Failure::Stalled));
            }
            if self.flushes_at().is_some_and(|at| at <= now) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// The relay's time begins when it is asked for something: what it was not asked for until now, it
    /// could not have done.
    pub(super) fn restart_clocks(&mut self) {
        if self.channel.as_ref().is_some_and(|it| it.has_sent()) {
            self.taken = Instant::now();
        }
        if self.body_follows && self.written < self.to_server.len() {
            self.given = Instant::now();
        }
    }

    fn next_deadline(&self) -> Instant {
        let head = self.head_deadline.filter(|_| !self.has_head());
        [head, self.stalls_at(), self.flushes_at()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + STALL)
    }

    pub(super) fn has_head(&self) -> bool {
        self.streams.is_some() || self.gathered.head.is_some()
    }

    /// When an answer that has begun stops waiting to be whole; none once it has.
    fn flushes_at(&self) -> Option<Instant> {
        let waits = self.streams.is_none() && self.dialling.is_none() && !self.parser.is_done();
        self.gathered
            .flush_at(self.options.flush_delay)
            .filter(|_| waits)
    }

    /// When a relay that should take what is queued, or send the rest of a body, has had its time.
    fn stalls_at(&self) -> Option<Instant> {
        let unsent = self
            .channel
            .as_ref()
            .is_some_and(|channel| !channel.has_sent());
        let take = unsent.then(|| self.taken + STALL);
        let give = self.body_follows.then(|| self.given + STALL);
        take.into_iter().chain(give).min()
    }
}
