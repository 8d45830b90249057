//! Listener and sender: against a relay written by hand, which says exactly what a test wants it to say,
//! and on the emulator.
//!
//! Numbers like C13 are lines of the checklist in docs/protocol.md.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do, by panicking"
)]

mod certificates;
mod commands;
mod emulated;
mod faults;
mod online;
mod panics;
mod proxies;
mod reconnect;
mod rendezvous;
mod requests;
mod sender;
mod served;
mod support;
mod tls;
mod tokens;
