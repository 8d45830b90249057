//! A local relay: the service side of Azure Relay Hybrid Connections, for development and tests.
//!
//! It authorizes as the service does (SAS tokens, rights, expiry), announces senders to listeners, and
//! relays WebSockets between them. It binds to the loopback interface unless told otherwise, stores
//! nothing, and lives as long as its [`Emulator`].
//!
//! It is written from docs/protocol.md alone and shares no code with the client but the protocol's
//! words and the WebSocket codec. Numbers like E32 in tests are lines of that document's checklist.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), hyco_emulator::Error> {
//! use hyco_emulator::{Emulator, EmulatorOptions};
//!
//! let emulator = Emulator::bind(EmulatorOptions::default()).await?;
//! println!("{}", emulator.connection_string(Some("hyco")));
//! emulator.close().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod accept;
mod admin;
mod answer;
mod authorize;
mod bridge;
mod bridges;
mod buffer;
mod chosen_rules;
pub mod command;
mod connect;
mod control;
mod direction;
mod emulator;
mod error;
mod events;
mod extensions;
mod faults;
mod gate;
mod handle;
mod handshake;
mod hint;
mod http;
mod hybrid_connection;
mod json;
mod linger;
mod listen;
mod metrics;
mod options;
mod page;
mod pending;
mod places;
mod read_ahead;
mod recorded;
mod relay;
mod route;
mod server;
mod side;
mod stream;
mod tls;
mod valid;
mod visit;
mod waiting;

pub use admin::AdminAnswer;
pub use emulator::Emulator;
pub use error::Error;
pub use events::{Event, EventKind, Traffic};
pub use faults::{Fault, FaultAction, FaultDirection, FaultKind, FaultTarget};
pub use handle::Handle;
pub use hyco_protocol::{Right, Rights, Rule};
pub use options::{EmulatorOptions, HybridConnectionOptions, Timing};
pub use tls::TlsOptions;

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
