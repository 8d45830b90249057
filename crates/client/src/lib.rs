//! The two ends of Azure Relay Hybrid Connections that are not the relay: listener and sender.
//!
//! A [`Listener`] keeps a control channel to the relay and announces senders; [`sender::connect`] is one.
//! Both end in an [`Upgraded`] stream, which carries WebSocket frames.

mod answer;
mod backoff;
mod certificate;
mod clock;
pub mod connection;
mod control_channel;
mod deadline;
mod dial;
mod dialers;
mod endpoint;
mod error;
mod event;
mod handshake;
pub mod http;
mod keeper;
mod listener;
mod options;
mod pending;
mod proxy;
mod proxy_failure;
mod question;
mod random;
mod reach;
mod refusal;
mod refusals;
pub mod rendezvous;
mod resolver;
pub mod sender;
mod shared;
mod stream;
mod tcp;
mod tls;
mod tls_failure;
mod token;
mod token_provider;
mod trust;
mod upgrade;
mod verdict;
mod verifier;

pub use answer::Answer;
pub use backoff::Schedule;
pub use dial::{Dial, Dialer, Upgraded};
pub use dialers::Dialers;
pub use error::{Error, ProxyFailure, Refusal, RefusedBy, Result};
pub use event::{AcceptRequest, Events, ListenerEvent};
pub use listener::Listener;
pub use options::{ListenOptions, Policy, Reconnect, TokenSource};
pub use proxy::{Proxy, is_excepted};
pub use sender::ConnectOptions;
pub use stream::Stream;
pub use tcp::Tcp;
pub use tls::{Decrypted, TlsParts, TlsSession, TlsStream};
pub use tls_failure::TlsFailure;
pub use token::GivenToken;
pub use trust::TlsOptions;
pub use upgrade::UpgradeReader;

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
