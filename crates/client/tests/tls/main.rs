//! The TLS session and its stream against rustls' own buffered server.

mod peer;
mod session;
mod stream;
