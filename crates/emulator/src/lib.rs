//! The emulator crate.
