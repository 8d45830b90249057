//! The boundary between Rust and JavaScript: conversions, and the memory that both see.
//!
//! | what crosses | how |
//! |---|---|
//! | commands | methods of [`hub::Hub`] |
//! | events and received data | one delivery, see [`hub`] |
//! | tokens and addresses | synchronous functions in [`token`] |
//! | the local relay | a class and its events, see [`emulator`] |
#![expect(
    missing_debug_implementations,
    reason = "napi handles are opaque to Rust"
)]

pub mod emulator;
pub mod error;
pub mod hub;
pub mod number;
pub mod token;
pub mod uncaught;
mod uv;

/// The version of this binary. The loader refuses one that is not that of the package.
#[napi_derive::napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The stamp of the boundary that this binary was built with. The loader refuses another one than its own.
#[napi_derive::napi]
pub const STAMP: &str = env!("HYCO_RS_STAMP");
