//! Memory that the I/O thread reads into and JavaScript sees.
//!
//! Rust owns it. Who may touch which bytes:
//!
//! - The thread that fills a slab, and it alone, writes behind the last byte that a record describes,
//!   and nowhere else.
//! - A record's bytes never change again while the slab lives. The JavaScript thread reads them, or
//!   lends them to JavaScript, which may then write to them: a record is lent or copied once.
//! - A slab goes back to the pool when it was filled, no record that waits refers to
//!   it, and nothing of it is lent.

use std::{
    ops::Range,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// A stretch of memory that is filled from the front.
#[derive(Debug)]
pub struct Slab {
    start: NonNull<u8>,
    pool: Weak<SlabPool>,
}

#[expect(
    unsafe_code,
    reason = "a raw pointer is neither Send nor Sync by itself"
)]
// SAFETY: the memory is a plain allocation; who may touch which bytes stands above.
unsafe impl Send for Slab {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Slab {}

/// Slabs that nobody uses, kept for the next.
#[derive(Debug, Default)]
pub struct SlabPool {
    free: Mutex<Vec<Box<[u8]>>>,
}

impl Slab {
    /// Just under glibc's threshold for mmap: larger allocations would fault page by page.
    pub const SIZE: usize = 120 * 1024;

    /// A slab with nothing in it.
    #[must_use]
    pub fn new(pool: &Arc<SlabPool>) -> Arc<Self> {
        let recycled = pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let memory = recycled.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice());
        let start = NonNull::from(Box::leak(memory)).cast();
        Arc::new(Self {
            start,
            pool: Arc::downgrade(pool),
        })
    }

    /// Where a range begins, to be lent: the memory lives as long as this slab.
    #[must_use]
    pub fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= Self::SIZE);
        #[expect(unsafe_code, reason = "pointer arithmetic")]
        // SAFETY: the range lies in the allocation.
        unsafe {
            self.start.as_ptr().add(range.start)
        }
    }

    /// Copies bytes that records describe.
    ///
    /// # Panics
    /// When `target` has not the length of `range`, or `range` does not lie in the slab.
    pub fn copy(&self, range: &Range<usize>, target: &mut [u8]) {
        assert!(range.len() == target.len());
        let source = self.pointer(range);
        #[expect(
            unsafe_code,
            reason = "reads memory that the I/O thread has left alone"
        )]
        // SAFETY: both have this length, and `target` is exclusive. The I/O thread does not write
        // to what a record describes; another thread may, if the program gave it the memory.
        unsafe {
            std::ptr::copy_nonoverlapping(source, target.as_mut_ptr(), target.len());
        }
    }

    /// The bytes from `offset` on.
    ///
    /// # Safety
    /// Only the thread that fills the slab may ask, one at a time, and only for bytes that no record describes.
    #[expect(
        unsafe_code,
        reason = "lends memory that JavaScript sees other parts of"
    )]
    #[expect(clippy::mut_from_ref, reason = "exclusive by the contract above")]
    pub unsafe fn space(&self, offset: usize) -> &mut [u8] {
        let offset = offset.min(Self::SIZE);
        // SAFETY: the range lies in the allocation; the caller is its only user.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr().add(offset), Self::SIZE - offset)
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let memory = NonNull::slice_from_raw_parts(self.start, Self::SIZE);
        #[expect(unsafe_code, reason = "takes back what `new` leaked")]
        // SAFETY: `start` came from a leaked box of this length, and the last user is gone.
        let memory = unsafe { Box::from_raw(memory.as_ptr()) };
        if let Some(pool) = self.pool.upgrade() {
            let mut free = pool.free.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < KEPT {
                free.push(memory);
            }
        }
    }
}

/// Unused slabs that are kept (38 MiB): what one garbage collection gives back under load. V8 runs it
/// when 32 MiB of messages have been lent, which lie in up to 300 slabs. A new one has to be filled
/// with zeros first: with 256 that was 2 % of the CPU of receiving 16 KiB over TLS, now 0.5 %.
const KEPT: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;

    fn free(pool: &SlabPool) -> usize {
        pool.free.lock().unwrap().len()
    }

    #[test]
    fn an_unused_slab_is_used_again_and_only_so_many_are_kept() {
        let pool = Arc::default();
        let slab = Slab::new(&pool);
        drop(slab);
        assert_eq!(free(&pool), 1);
        let slabs: Vec<_> = (0..KEPT + 2).map(|_| Slab::new(&pool)).collect();
        assert_eq!(free(&pool), 0);
        drop(slabs);
        assert_eq!(free(&pool), KEPT);
    }

    #[test]
    fn a_slab_outlives_its_pool() {
        let pool = Arc::default();
        let slab = Slab::new(&pool);
        drop(pool);
        let mut byte = [1];
        slab.copy(&(Slab::SIZE - 1..Slab::SIZE), &mut byte);
        assert_eq!(byte, [0]);
    }
}
