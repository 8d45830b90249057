//! Memory that the I/O thread reads into and JavaScript sees.
//!
//! Rust owns it: an ArrayBuffer over it keeps it alive, and a transferred or detached one never
//! takes it away from the thread that writes.

use std::{
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// A stretch of memory shared between the I/O thread, which fills it from the front, and
/// JavaScript, which sees what records describe.
#[derive(Debug)]
pub struct Slab {
    start: NonNull<u8>,
    pool: Weak<SlabPool>,
}

#[expect(
    unsafe_code,
    reason = "a raw pointer is neither Send nor Sync by itself"
)]
// SAFETY: the memory is a plain allocation; who may touch which bytes is the contract of `space`.
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

    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The bytes from `offset` on.
    ///
    /// # Safety
    /// Only the I/O thread may ask, one at a time, and only for bytes that no record describes.
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

/// Unused slabs that are kept (30 MiB): what one garbage collection gives back under load. A new
/// one has to be filled with zeros first.
const KEPT: usize = 256;
