//! A large piece of an answer, in memory of its own.

use std::{fmt, sync::Arc};

use crate::connection::BufferPool;

/// Bytes of an answer in memory that a pool lends. There is room before them, so that they become a frame
/// where they lie.
pub struct Chunk {
    memory: Vec<u8>,
    /// Where the bytes begin.
    start: usize,
    pool: Arc<BufferPool>,
}

impl Chunk {
    /// Copies the bytes into memory of that pool.
    pub fn copied(bytes: &[u8], pool: &Arc<BufferPool>) -> Self {
        let mut memory = pool.take(ROOM_BEFORE + bytes.len() + ROOM_BEHIND);
        memory.resize(ROOM_BEFORE, 0);
        memory.extend_from_slice(bytes);
        Self {
            memory,
            start: ROOM_BEFORE,
            pool: Arc::clone(pool),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    /// Drops the first bytes.
    pub fn advance(&mut self, count: usize) {
        self.start = self.memory.len().min(self.start + count);
    }

    /// How much can be put before the bytes.
    pub(super) fn room(&self) -> usize {
        self.start
    }

    /// The bytes, to be changed where they lie.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }

    /// Puts something before the bytes. There has to be room for it.
    pub(super) fn prepend(&mut self, bytes: &[u8]) {
        let start = self.start - bytes.len();
        self.memory[start..self.start].copy_from_slice(bytes);
        self.start = start;
    }

    /// The memory, where the bytes begin in it, and the pool to which it goes back.
    pub(super) fn into_parts(mut self) -> (Vec<u8>, usize, Arc<BufferPool>) {
        let memory = std::mem::take(&mut self.memory);
        (memory, self.start, Arc::clone(&self.pool))
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.memory));
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("length", &self.bytes().len())
            .finish_non_exhaustive()
    }
}

/// For the command that begins an answer, which most often is not sent yet, and for the frame's header.
const ROOM_BEFORE: usize = 1024;
/// For the empty frame that ends an answer.
const ROOM_BEHIND: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_before_it_was_sent_gives_its_memory_back() {
        let pool = Arc::new(BufferPool::default());
        pool.give(Vec::with_capacity(150_000));
        let mut chunk = Chunk::copied(&[7; 100_000], &pool);
        chunk.advance(99_999);
        assert_eq!(chunk.bytes(), [7]);
        drop(chunk);
        assert_eq!(pool.take(100_000).capacity(), 150_000);
    }
}
