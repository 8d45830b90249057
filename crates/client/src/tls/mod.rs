//! TLS to the relay: a session without I/O for the data plane, and a stream over TCP for handshakes.
//!
//! Both stand on rustls' unbuffered connection, because a buffered one copies every plaintext twice
//! and cannot be turned into an unbuffered one after the handshake. A dial therefore starts with
//! [`TlsStream`] and hands its [`TlsSession`] on with [`TlsStream::into_parts`].

mod drive;
pub(crate) mod in_place;
mod record;
mod session;
mod stream;

pub use session::{Decrypted, TlsSession};
pub use stream::{TlsParts, TlsStream};
