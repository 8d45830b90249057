//! Masking keys nobody can guess.

use std::fmt;

/// Bytes fetched from the system at once: enough keys that the call is not felt.
const POOL: usize = 4096;

/// Hands out masking keys from a pool of random bytes of the operating system.
///
/// RFC 6455 asks for keys that cannot be predicted (section 5.3), hence no pseudo-random generator
/// with a short state. The pool is allocated with the first key.
#[derive(Default)]
pub struct MaskSource {
    pool: Vec<u8>,
}

impl MaskSource {
    /// A source with an empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next key.
    ///
    /// # Panics
    ///
    /// When the operating system has no random bytes, in which case nothing can be sent safely.
    #[expect(
        clippy::should_implement_trait,
        reason = "keys never end, an iterator may"
    )]
    #[inline]
    pub fn next(&mut self) -> [u8; 4] {
        let Some((rest, key)) = self.pool.split_last_chunk::<4>() else {
            self.refill();
            return self.next();
        };
        let (left, key) = (rest.len(), *key);
        self.pool.truncate(left);
        key
    }

    #[cold]
    fn refill(&mut self) {
        self.pool.resize(POOL, 0);
        getrandom::fill(&mut self.pool).expect("the operating system provides random bytes");
    }
}

impl fmt::Debug for MaskSource {
    /// Keeps the keys to come out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskSource").finish_non_exhaustive()
    }
}
