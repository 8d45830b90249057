//! The service as its clients see it: clients that share no code with it, and bare bytes.
//!
//! Numbers like E32 are lines of the checklist in docs/protocol.md, 8.2.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod administered;
mod announce;
mod authorize;
mod close;
mod control;
mod dismissal;
mod faults;
mod leaving;
mod limits;
mod listen;
mod ongoing;
mod pass;
mod rendezvous;
mod renew;
mod requests;
mod secure;
mod stalls;
mod strength;
mod support;
mod times;
