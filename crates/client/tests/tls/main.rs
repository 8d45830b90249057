//! The TLS session and its stream against rustls' own buffered server.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod connection;
mod hostile;
mod peer;
mod session;
mod stream;
