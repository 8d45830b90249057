//! Masking keys nobody can guess.

use std::fmt;

use rand::{
    Rng, SeedableRng,
    rngs::{StdRng, SysRng},
};

/// Hands out masking keys.
///
/// RFC 6455 asks for keys that cannot be predicted (section 5.3), hence ChaCha with a seed of the
/// operating system. Asking the system for every key would cost ten times as much, even in blocks.
pub struct MaskSource {
    generator: StdRng,
}

impl MaskSource {
    /// A source with a seed of its own.
    ///
    /// # Panics
    ///
    /// When the operating system has no random bytes, in which case nothing can be sent safely.
    pub fn new() -> Self {
        let generator =
            StdRng::try_from_rng(&mut SysRng).expect("the operating system provides random bytes");
        Self { generator }
    }

    /// The next key.
    #[expect(
        clippy::should_implement_trait,
        reason = "keys never end, an iterator may"
    )]
    #[inline]
    pub fn next(&mut self) -> [u8; 4] {
        self.generator.next_u32().to_ne_bytes()
    }
}

impl Default for MaskSource {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MaskSource {
    /// Keeps the keys to come out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskSource").finish_non_exhaustive()
    }
}
