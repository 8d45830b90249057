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
        (status, reason): (u16, &'static str),
    ) {
        while self.running.try_join_next().is_some() {}
        let cost = u32::try_from(address.len() + TASK_BYTES).unwrap_or(u32::MAX);
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
            refuse(&shared, &address, (status, reason)).await;
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
