//! Turning senders away that are too many.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, timeout},
};

use crate::{rendezvous, shared::Shared};

/// Senders that are being told that the listener is busy.
#[derive(Debug)]
pub(crate) struct Refusals {
    running: JoinSet<()>,
    free: Arc<Semaphore>,
    /// Bytes of the addresses that wait.
    waiting: Arc<Semaphore>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            running: JoinSet::new(),
            free: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING_BYTES)),
        }
    }
}

impl Refusals {
    /// Has a sender told a status. Of thousands that come at once each is told in its turn, as long as
    /// its address lives.
    pub(crate) fn refuse(
        &mut self,
        shared: Arc<Shared>,
        address: String,
        answer: (u16, &'static str),
    ) {
        let length = address.len();
        self.queue(length, async move {
            refuse(&shared, &address, answer).await;
        });
    }

    /// Lets a task have its turn, which holds an address of that length.
    fn queue(&mut self, length: usize, telling: impl Future<Output = ()> + Send + 'static) {
        while self.running.try_join_next().is_some() {}
        let cost = u32::try_from(length + TASK_BYTES).unwrap_or(u32::MAX);
        let Ok(held) = Arc::clone(&self.waiting).try_acquire_many_owned(cost) else {
            tracing::warn!("too many senders, one is left to its timeout");
            return;
        };
        let free = Arc::clone(&self.free);
        self.running.spawn(async move {
            let _held = held;
            let Ok(Ok(_turn)) = timeout(LIFE, free.acquire_owned()).await else {
                return;
            };
            telling.await;
        });
    }
}

/// Tells one sender.
pub(crate) async fn refuse(shared: &Shared, address: &str, (status, reason): (u16, &str)) {
    let (dialer, timeout) = (&shared.dialer, shared.accept_timeout);
    let rejecting = rendezvous::reject(dialer, address, status, Some(reason), timeout);
    if let Err(error) = rejecting.await {
        tracing::debug!(%error, "sender not rejected");
    }
}

pub(crate) const BUSY: (u16, &str) = (503, "The listener is busy");
pub(crate) const BAD: (u16, &str) = (400, "Bad Request");
/// Each has a connection of its own.
const AT_ONCE: usize = 256;
/// 16 MiB: tens of thousands of senders with addresses of the usual length.
const WAITING_BYTES: usize = 16 * 1024 * 1024;
/// What a waiting task takes beside its address.
const TASK_BYTES: usize = 512;
/// The relay forgets a rendezvous address after about 30 s.
const LIFE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// How many have their turn.
    type Count = Arc<AtomicUsize>;

    /// Queues a task that takes so long.
    fn queue(refusals: &mut Refusals, length: usize, turns: &Count, time: Duration) {
        let turns = Arc::clone(turns);
        refusals.queue(length, async move {
            turns.fetch_add(1, Ordering::Relaxed);
            sleep(time).await;
        });
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_crowd_256_are_told_at_a_time() {
        let (mut refusals, turns) = (Refusals::default(), Count::default());
        let time = Duration::from_secs(10);
        for _ in 0..600 {
            queue(&mut refusals, 100, &turns, time);
        }
        for expected in [256, 512, 600] {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(turns.load(Ordering::Relaxed), expected);
            sleep(time - Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_turn_in_30_seconds_is_left_to_its_timeout_c38() {
        let (mut refusals, turns) = (Refusals::default(), Count::default());
        for _ in 0..256 {
            queue(&mut refusals, 100, &turns, Duration::from_secs(29));
        }
        sleep(Duration::from_secs(1)).await;
        queue(&mut refusals, 100, &turns, Duration::MAX);
        sleep(Duration::from_secs(29)).await;
        assert_eq!(turns.load(Ordering::Relaxed), 257, "it had its turn");
        for _ in 0..255 {
            queue(&mut refusals, 100, &turns, Duration::MAX);
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(turns.load(Ordering::Relaxed), 512);
        let started = Instant::now();
        queue(&mut refusals, 100, &turns, Duration::MAX);
        while refusals
            .running
            .join_next()
            .await
            .is_some_and(|_| refusals.running.len() > 256)
        {}
        assert_eq!(started.elapsed().as_secs(), 30);
        assert_eq!(turns.load(Ordering::Relaxed), 512);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_hold_16_mebibytes() {
        let (mut refusals, turns) = (Refusals::default(), Count::default());
        for _ in 0..2000 {
            queue(
                &mut refusals,
                64 * 1024 - 512,
                &turns,
                Duration::from_secs(1),
            );
        }
        assert_eq!(refusals.running.len(), 256);
        // Short addresses are counted by what their tasks take.
        let mut refusals = Refusals::default();
        for _ in 0..100_000 {
            queue(&mut refusals, 0, &turns, Duration::from_secs(1));
        }
        assert_eq!(refusals.running.len(), 32 * 1024);
    }
}
