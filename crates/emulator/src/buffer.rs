//! The buffers through which relayed bytes pass.
//!
//! A direction of a relay holds one only while bytes wait in it, so that an idle pair has none, and
//! busy ones on a thread share a few that stay in the processor's cache.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

/// A buffer of [`SIZE`] bytes, which goes back to its thread's store when dropped.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    /// A buffer with any content.
    pub(crate) fn take() -> Self {
        Self(
            SPARE
                .take_one()
                .unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()),
        )
    }

    /// How many lie ready on this thread.
    #[cfg(test)]
    pub(crate) fn spare() -> usize {
        SPARE.with_borrow(Vec::len)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // The thread may be ending, its store gone already.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST_SPARE {
                spare.push(bytes);
            }
        });
    }
}

trait TakeOne {
    fn take_one(&'static self) -> Option<Box<[u8]>>;
}

impl TakeOne for std::thread::LocalKey<RefCell<Vec<Box<[u8]>>>> {
    fn take_one(&'static self) -> Option<Box<[u8]>> {
        self.try_with(|spare| spare.borrow_mut().pop())
            .ok()
            .flatten()
    }
}

thread_local! {
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Large enough that system calls cost little beside copying, small enough for the second-level cache.
pub(crate) const SIZE: usize = 128 * 1024;
const MOST_SPARE: usize = 8;
