//! What can be chosen about an emulator.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyco_protocol::{Rights, Rule};

use crate::{error::Error, tls::TlsOptions};

/// What can be chosen about an emulator; the default has one hybrid connection named `hyco`.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// The address to listen on: a host name or an IP address.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The certificate, or none for plain connections.
    pub tls: Option<TlsOptions>,
    /// The port for TLS beside plain connections at `port`; 0 takes a free one. With none, and a
    /// certificate, `port` speaks TLS.
    pub tls_port: Option<u16>,
    /// The hybrid connections that exist.
    pub hybrid_connections: Vec<HybridConnectionOptions>,
    /// The rules of the namespace; if there are none, `RootManageSharedAccessKey` is made with a new key.
    pub rules: Vec<Rule>,
    /// Further host names by which clients reach the emulator, as a container's name; tokens may be
    /// signed for any of them. `localhost`, `127.0.0.1`, `[::1]` and `host` are always known.
    pub hosts: Vec<String>,
    /// Scheme, host and port in the addresses that listeners dial, as `wss://relay.example`. None takes
    /// those by which the listener opened its control channel.
    pub public_url: Option<String>,
    /// How many listeners a hybrid connection may have at a time.
    pub max_listeners: usize,
    /// How many connections may be open at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// For how many seconds after its end a token still opens a handshake.
    pub clock_skew: u64,
    /// The longest frame of a relayed connection that is passed on whole; longer ones are cut into
    /// fragments, as Azure does. Zero cuts none.
    pub max_frame: u64,
    /// Whether any JSON Web Token is taken that is for Azure Relay and has not ended; its signature is
    /// not looked at.
    pub accept_jwt: bool,
    /// Whether the administration over HTTP answers other machines, too.
    pub remote_admin: bool,
    /// Whether there is a page for browsers.
    pub page: bool,
    /// Whether a relayed HTTP request keeps its `Host`, as Azure lets it in spite of its documentation.
    pub forward_host: bool,
    /// Whether a rendezvous at which a request was answered is kept for the next request of the same
    /// connection, as the documentation has it; else it is closed with 1000.
    pub reuse_rendezvous: bool,
    /// How long things may take.
    pub timing: Timing,
}

/// A hybrid connection to be.
#[derive(Clone, Debug)]
pub struct HybridConnectionOptions {
    /// Its path, in one or more segments.
    pub path: String,
    /// Whether senders need a token.
    pub requires_client_authorization: bool,
    /// Its own rules, which go before those of the namespace.
    pub rules: Vec<Rule>,
}

/// How long things may take. The defaults are those of Azure Relay (docs/protocol.md, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A TLS handshake, and the head of a request.
    pub handshake: Duration,
    /// From a sender's request to the listener's answer.
    pub accept: Duration,
    /// How long a control channel may outlive its token: every official client renews late.
    pub renewal_grace: Duration,
    /// How long a control channel lives, even with a good token; zero ends none. Azure ends each about
    /// once a day.
    pub channel_life: Duration,
    /// The pause between two Pongs on a control channel; zero sends none.
    pub keep_alive: Duration,
    /// From the first close frame of a relayed connection to the second.
    pub close: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub send: Duration,
    /// From a relayed HTTP request to the head of its answer.
    pub response: Duration,
    /// Between two pieces of a relayed HTTP body.
    pub gap: Duration,
    /// How long a listener that was lost may take to come back. After that the HTTP requests that it had
    /// got and not answered are answered 502.
    pub comeback: Duration,
}

impl HybridConnectionOptions {
    /// A hybrid connection whose senders need a token, without rules of its own.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            requires_client_authorization: true,
            rules: Vec::new(),
        }
    }
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            tls: None,
            tls_port: None,
            hybrid_connections: vec![HybridConnectionOptions::new("hyco")],
            rules: Vec::new(),
            hosts: Vec::new(),
            public_url: None,
            max_listeners: 25,
            max_connections: 16 * 1024,
            clock_skew: 0,
            max_frame: 32 * 1024,
            accept_jwt: false,
            remote_admin: false,
            page: true,
            forward_host: true,
            reuse_rendezvous: false,
            timing: Timing::default(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            accept: Duration::from_secs(30),
            renewal_grace: Duration::from_secs(120),
            channel_life: Duration::from_secs(24 * 60 * 60),
            keep_alive: Duration::from_secs(210),
            close: Duration::from_secs(60),
            send: Duration::from_secs(60),
            response: Duration::from_secs(60),
            gap: Duration::from_secs(60),
            comeback: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// The same times, longer or shorter.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        // More than a year is no time that any of them could need.
        let scaled = |time: Duration| {
            let seconds = (time.as_secs_f64() * factor).min(LONGEST.as_secs_f64());
            Duration::from_secs_f64(seconds)
        };
        Self {
            // The administration answers through the same door, and no fault may lock it.
            handshake: scaled(self.handshake).max(self.handshake.min(SHORTEST_HANDSHAKE)),
            accept: scaled(self.accept),
            renewal_grace: scaled(self.renewal_grace),
            channel_life: scaled(self.channel_life),
            keep_alive: scaled(self.keep_alive),
            close: scaled(self.close),
            send: scaled(self.send),
            response: scaled(self.response),
            gap: scaled(self.gap),
            comeback: scaled(self.comeback),
        }
    }
}

const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a request may take to come, however fast a fault lets the times run.
const SHORTEST_HANDSHAKE: Duration = Duration::from_secs(2);

/// The rule of a namespace that was given none.
pub(crate) fn root_rule() -> Result<Rule, Error> {
    let rule = Rule::new("RootManageSharedAccessKey", new_key()?, Rights::ALL);
    Ok(rule.expect("name and key are short"))
}

/// A key as Azure makes them.
pub(crate) fn new_key() -> Result<String, Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(BASE64_STANDARD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_times_leaves_two_seconds_for_a_request() {
        let usual = Timing::default();
        let hurried = usual.scaled(1e-9);
        assert_eq!(hurried.handshake, Duration::from_secs(2));
        assert!(hurried.accept < Duration::from_millis(1));
        let hasty = Timing {
            handshake: Duration::from_millis(1500),
            ..usual
        };
        assert_eq!(hasty.scaled(1e-9).handshake, hasty.handshake);
    }
}
