//! HTTP requests that come by the relay (docs/protocol.md, 5).
//!
//! A [`Service`] gives a byte stream for each request: to an HTTP server in the same process, or to one
//! at the other end of a TCP connection. The head of the request is written to it, then the body; what
//! the server writes is parsed and goes back as the relay wants it:
//!
//! | answer | way |
//! |---|---|
//! | whole and at most 64 KiB | by the control channel: `response` and one binary message |
//! | larger, `text/event-stream`, or begun and not whole after a while | by a rendezvous: `response`, then one binary message of many frames |
//! | to a request that came by a rendezvous | by that rendezvous |
//!
//! `requests` knows which requests are open, `serve` takes them as they come, `exchange` carries one from
//! its arrival to its answer, `pump` moves the bytes, `upgrade` does the same for a WebSocket;
//! `outgoing` keeps what goes by the control channel until it is there.

mod answer;
mod channel;
mod chunk;
mod exchange;
mod forward;
mod forwarded;
#[cfg(test)]
mod late_tests;
mod outgoing;
mod pump;
mod refusal;
mod rendezvous;
mod requests;
mod runners;
mod serve;
mod service;
#[cfg(test)]
mod turn_tests;
mod upgrade;

pub use chunk::Chunk;
pub use forward::Forward;
pub use hyco_protocol::http::Cookies;
pub use service::{
    HandlerFailed, HttpOptions, NotServed, Opening, Outcome, RequestInfo, Service, Transport,
    Written,
};

pub(crate) use outgoing::{Answer, Outgoing};
pub(crate) use requests::{LAST_WORDS, Requests};
