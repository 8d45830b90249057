//! What a listener is told when it starts.

use std::time::Duration;

use crate::backoff::Schedule;

/// How to listen.
#[derive(Clone)]
pub struct ListenOptions {
    /// The listen address; `sb-hc-action` and `sb-hc-id` are added where they are missing.
    pub address: String,
    /// The tracking id; without one that of the address counts, else a GUID is made.
    pub id: Option<String>,
    /// Where tokens come from.
    pub token: TokenSource,
    /// The header `User-Agent` of the control channel.
    pub user_agent: Option<String>,
    /// Pause between Pings on the control channel; none sends no Ping and never finds it dead.
    pub keep_alive: Option<Duration>,
    /// Deadline of coming online: for the token and the control channel's handshake.
    pub open_timeout: Duration,
    /// Deadline of each rendezvous' handshake.
    pub accept_timeout: Duration,
    /// When to come back after a loss.
    pub reconnect: Reconnect,
    /// The most senders about which the application has not decided; further ones are refused with 503.
    pub max_pending_accepts: usize,
    /// The most rendezvous that are being opened; further senders are refused with 503.
    pub max_concurrent_dials: usize,
}

impl ListenOptions {
    /// Listening at that address with the defaults of docs/protocol.md, 7.1.
    pub fn new(address: impl Into<String>, token: TokenSource) -> Self {
        Self {
            address: address.into(),
            id: None,
            token,
            user_agent: None,
            keep_alive: Some(Duration::from_secs(30)),
            open_timeout: Duration::from_secs(60),
            accept_timeout: Duration::from_secs(20),
            reconnect: Reconnect::default(),
            max_pending_accepts: 4096,
            max_concurrent_dials: 4096,
        }
    }
}

impl std::fmt::Debug for ListenOptions {
    /// Leaves out secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenOptions")
            .field("address", &hyco_protocol::redact(&self.address))
            .field("id", &self.id)
            .field("token", &self.token)
            .field("keep_alive", &self.keep_alive)
            .field("open_timeout", &self.open_timeout)
            .field("accept_timeout", &self.accept_timeout)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

/// Where a listener's tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// Always this one; it is never renewed.
    Fixed(String),
    /// Tokens are signed here with the key of a rule, for that URI.
    Key {
        /// The listen address.
        uri: String,
        /// The rule's name.
        rule: String,
        /// Its key.
        key: String,
    },
    /// The application is asked before every handshake and before a token ends.
    Ask,
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed(***)",
            Self::Key { .. } => "Key(***)",
            Self::Ask => "Ask",
        })
    }
}

/// When to come back after a loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconnect {
    /// The pauses.
    pub schedule: Schedule,
    /// Who decides.
    pub policy: Policy,
}

/// Who decides whether to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The schedule.
    #[default]
    Schedule,
    /// The application, each time; the schedule's pause is its default. It is not asked when no later
    /// attempt can succeed.
    Ask,
    /// Nobody: the first failure or loss is the last.
    Never,
}
