//! Buffers for messages and frames in transit, recycled.

use std::sync::{Mutex, PoisonError};

/// Buffers that nobody uses, kept for the next large messages and frames: fresh memory of that
/// size would fault page by page.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: Mutex<Free>,
    /// Full of zeros or old bytes, so that nobody has to fill them before use.
    scratch: Mutex<Vec<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl BufferPool {
    /// An empty buffer of at least `capacity` bytes.
    pub fn take(&self, capacity: usize) -> Vec<u8> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Not one that is far too large: a small message would keep it.
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

    /// A buffer whose `length` bytes or more may be overwritten.
    pub(super) fn take_scratch(&self, length: usize) -> Vec<u8> {
        let kept = self
            .scratch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut buffer = kept.unwrap_or_default();
        if buffer.len() < length {
            buffer.resize(length.max(SCRATCH), 0);
        }
        buffer
    }

    /// Keeps what [`Self::take_scratch`] gave, or drops it when enough are kept.
    pub(super) fn give_scratch(&self, buffer: Vec<u8>) {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if scratch.len() < KEPT_SCRATCH {
            scratch.push(buffer);
        }
    }

    /// Keeps a buffer, or drops it when it is small or enough are kept.
    pub fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() < WORTH_KEEPING {
            return;
        }
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

/// What encrypts a stretch of the writer, records' overhead included.
const SCRATCH: usize = 66 * 1024;

/// Connections that encrypt at the same moment: one on each thread, and some that are blocked.
const KEPT_SCRATCH: usize = 16;

/// Smaller buffers cost less to allocate than to look for.
const WORTH_KEEPING: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_a_message_of_about_its_size() {
        let pool = BufferPool::default();
        pool.give(Vec::with_capacity(100_000));
        assert_eq!(pool.take(20_000).capacity(), 20_000);
        assert_eq!(pool.take(90_000).capacity(), 100_000);
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        let pool = BufferPool::default();
        pool.give(Vec::with_capacity(KEPT));
        pool.give(Vec::with_capacity(WORTH_KEEPING));
        assert_eq!(pool.free.lock().unwrap().bytes, KEPT);
    }
}
