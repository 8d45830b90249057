//! What is said between the actors of Azure Relay Hybrid Connections.
//!
//! Three actors: the **relay** (Azure, or the emulator), a **listener** that waits for senders, and a
//! **sender** that connects. Everybody opens WebSockets to the relay; nobody opens a port.
//!
//! Four actions, named by the query parameter `sb-hc-action` of a request to `/$hc/{path}`:
//!
//! | action | asked by | gives |
//! |---|---|---|
//! | `listen` | listener | the control channel, which carries JSON commands |
//! | `connect` | sender | a relayed WebSocket; the relay answers when a listener took it |
//! | `accept` | listener | the rendezvous: the other end of a sender's WebSocket, or its rejection |
//! | `request` | listener | a rendezvous for one HTTP request that is too large for the control channel |
//!
//! A request is authorized by a token: a SAS token signed with the key of a rule, or a JSON Web Token.
//!
//! This crate holds names, addresses, tokens, connection strings, commands and statuses. It does no
//! I/O, reads no clock and draws no random numbers: times and random bytes are arguments. Every
//! parser takes any input without panicking. Keys and tokens never show in `Debug` or in errors.
//! `docs/protocol.md` is the long form; its section numbers are cited here.
#![forbid(unsafe_code)]

pub mod action;
pub mod address;
pub mod command;
pub mod connection_string;
mod encoding;
mod error;
pub mod http;
mod legacy;
pub mod names;
pub mod query;
pub mod redact;
mod resource;
pub mod status;
pub mod target;
pub mod time;
pub mod token;
pub mod tracking;
pub mod uri;
pub mod verify;
mod wire;

pub use action::Action;
pub use address::{Address, Scheme};
pub use command::{
    Accept, Command, FullRequest, Headers, RemoteEndpoint, Reply, Request, Response,
};
pub use connection_string::{ConnectionString, Credential};
pub use error::{Coded, Error};
pub use redact::{Secrets, redact};
pub use target::{Rejection, Target};
pub use token::SasToken;
pub use verify::{Demand, Right, Rights, Rule, TokenError, Verified, verify};

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
