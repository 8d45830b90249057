//! Buffers for large messages, recycled when JavaScript drops them.

use std::sync::{Mutex, PoisonError};

/// Buffers that nobody uses, kept for the next large messages: fresh memory of that size would
/// fault page by page.
#[derive(Debug, Default)]
pub(super) struct LargePool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl LargePool {
    /// An empty buffer of at least `capacity` bytes.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Not one that is far too large: it would be kept alive by a small message.
        let fitting = free
            .buffers
            .iter()
            .rposition(|kept| (capacity..=capacity.saturating_mul(2)).contains(&kept.capacity()));
        match fitting {
            Some(index) => {
                let buffer = free.buffers.swap_remove(index);
                free.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(capacity),
        }
    }

    /// Keeps a buffer, or drops it when enough are kept.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.bytes + buffer.capacity() <= KEPT {
            buffer.clear();
            free.bytes += buffer.capacity();
            free.buffers.push(buffer);
        }
    }
}

/// Bytes that are kept at most.
const KEPT: usize = 32 * 1024 * 1024;
