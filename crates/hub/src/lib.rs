//! The data plane of one environment, without JavaScript: what its I/O thread and its JavaScript
//! thread share.

mod links;

pub use links::{Full, Handle, Links};
