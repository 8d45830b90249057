//! What threads share: the standard library's, or loom's where a test tries every interleaving.

#[cfg(not(hyco_loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread::{Thread, current, park_timeout},
};

#[cfg(hyco_loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread::{Thread, current},
};

/// Waits for ever: a wake that is lost is a deadlock, which loom reports.
#[cfg(hyco_loom)]
pub(crate) fn park_timeout(_left: std::time::Duration) {
    loom::thread::park();
}
