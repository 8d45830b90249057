//! The two ends of Azure Relay Hybrid Connections that are not the relay: listener and sender.
#![forbid(unsafe_code)]

pub mod connection;
mod dial;
mod endpoint;
mod error;
mod handshake;
mod stream;
mod tls;
mod trust;
mod upgrade;

pub use dial::{Dial, Dialer, Upgraded};
pub use error::{Error, Refusal, Result};
pub use stream::Stream;
pub use tls::{Decrypted, TlsParts, TlsSession, TlsStream};
pub use trust::{Dialers, TlsOptions};
pub use upgrade::UpgradeReader;
