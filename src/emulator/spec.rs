//! What an emulator is to be, and the emulator that comes of it.

use std::time::Duration;

use hyco_emulator::{
    Emulator, EmulatorOptions, Error, HybridConnectionOptions, Rights, Rule, Timing, TlsOptions,
};
use napi_derive::napi;

use crate::number::Whole;

/// What an emulator is to be; `lib/emulator/emulator.js` has the defaults. Times are in milliseconds.
#[napi(object, object_to_js = false)]
pub struct EmulatorSpec {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    #[napi(ts_type = "number")]
    pub port: Whole<u16>,
    /// The port for TLS beside plain connections.
    #[napi(ts_type = "number | undefined")]
    pub tls_port: Option<Whole<u16>>,
    /// Whether any JSON Web Token for Azure Relay is taken.
    pub accept_jwt: bool,
    /// Whether other machines may use the administration.
    pub remote_admin: bool,
    /// Whether there is a page.
    pub ui: bool,
    /// The certificate; none for plain connections.
    pub tls: Option<EmulatorTlsSpec>,
    /// The hybrid connections that exist.
    pub hybrid_connections: Vec<HybridConnectionSpec>,
    /// The rules of the namespace; one is made if there are none.
    pub rules: Vec<RuleSpec>,
    /// Further names of the namespace.
    pub hosts: Vec<String>,
    /// Scheme, host and port in the addresses that listeners dial.
    pub public_url: Option<String>,
    /// How many listeners a hybrid connection may have.
    #[napi(ts_type = "number")]
    pub max_listeners: Whole<u64>,
    /// How many connections may be open.
    #[napi(ts_type = "number")]
    pub max_connections: Whole<u64>,
    /// The longest frame that is passed on whole; 0 cuts none.
    #[napi(ts_type = "number")]
    pub max_frame: Whole<u64>,
    /// How long after its end a token still opens a handshake, in seconds.
    #[napi(ts_type = "number")]
    pub clock_skew: Whole<u64>,
    /// How long a handshake may take.
    pub handshake_timeout: f64,
    /// How long a sender waits for a listener.
    pub accept_timeout: f64,
    /// How long a control channel may outlive its token.
    pub renewal_grace: f64,
    /// How long a control channel lives; 0 ends none.
    pub channel_lifetime: f64,
    /// The pause between two Pongs on a control channel.
    pub keep_alive_interval: f64,
    /// How long the second close frame may take.
    pub close_timeout: f64,
    /// How long a client may take nothing.
    pub send_timeout: f64,
    /// How long an HTTP request may wait for the head of its answer.
    pub response_timeout: f64,
    /// Whether an HTTP request keeps its `Host`.
    pub forward_host: bool,
    /// Whether the rendezvous of an HTTP request serves its sender's next one.
    pub reuse_rendezvous: bool,
}

/// A certificate and its key as PEM; neither makes one.
#[napi(object, object_to_js = false)]
pub struct EmulatorTlsSpec {
    /// The certificate with its chain.
    pub cert: Option<String>,
    /// The private key.
    pub key: Option<String>,
    /// Where the authority of certificates that are made is kept.
    pub folder: Option<String>,
}

/// A hybrid connection.
#[napi(object, object_to_js = false)]
pub struct HybridConnectionSpec {
    /// Its path.
    pub path: String,
    /// Whether senders need a token.
    pub requires_client_authorization: bool,
    /// Its own rules.
    pub rules: Vec<RuleSpec>,
}

/// A rule.
#[napi(object, object_to_js = false)]
pub struct RuleSpec {
    /// Its name.
    pub key_name: String,
    /// Its key.
    pub key: String,
    /// Its second key.
    pub secondary_key: Option<String>,
    /// Whether it grants Listen.
    pub listen: bool,
    /// Whether it grants Send.
    pub send: bool,
    /// Whether it grants Manage.
    pub manage: bool,
}

pub(super) async fn start(spec: EmulatorSpec) -> Result<Emulator, Error> {
    let tls = spec.tls.map(|tls| match (tls.cert, tls.key, tls.folder) {
        (Some(certificate), Some(key), _) => TlsOptions::Given { certificate, key },
        (.., Some(folder)) => TlsOptions::Kept {
            folder: folder.into(),
        },
        _ => TlsOptions::Generated,
    });
    let connection = |connection: HybridConnectionSpec| {
        Ok(HybridConnectionOptions {
            path: connection.path,
            requires_client_authorization: connection.requires_client_authorization,
            rules: rules(connection.rules)?,
        })
    };
    Emulator::bind(EmulatorOptions {
        host: spec.host,
        port: spec.port.0,
        tls,
        tls_port: spec.tls_port.map(|port| port.0),
        accept_jwt: spec.accept_jwt,
        remote_admin: spec.remote_admin,
        page: spec.ui,
        hybrid_connections: spec
            .hybrid_connections
            .into_iter()
            .map(connection)
            .collect::<Result<_, Error>>()?,
        rules: rules(spec.rules)?,
        hosts: spec.hosts,
        public_url: spec.public_url,
        max_listeners: spec.max_listeners.0 as usize,
        max_connections: spec.max_connections.0 as usize,
        clock_skew: spec.clock_skew.0,
        max_frame: spec.max_frame.0,
        forward_host: spec.forward_host,
        reuse_rendezvous: spec.reuse_rendezvous,
        timing: Timing {
            handshake: milliseconds(spec.handshake_timeout),
            accept: milliseconds(spec.accept_timeout),
            renewal_grace: milliseconds(spec.renewal_grace),
            channel_life: milliseconds(spec.channel_lifetime),
            keep_alive: milliseconds(spec.keep_alive_interval),
            close: milliseconds(spec.close_timeout),
            send: milliseconds(spec.send_timeout),
            response: milliseconds(spec.response_timeout),
            ..Timing::default()
        },
    })
    .await
}

fn rules(specs: Vec<RuleSpec>) -> Result<Vec<Rule>, Error> {
    let rule = |spec: RuleSpec| {
        let rights = Rights {
            listen: spec.listen,
            send: spec.send,
            manage: spec.manage,
        };
        let rule = Rule::new(spec.key_name, spec.key, rights)?;
        match spec.secondary_key {
            Some(key) => rule.with_secondary_key(key),
            None => Ok(rule),
        }
    };
    let invalid = |error: hyco_protocol::Error| Error::InvalidOption {
        option: "rules",
        reason: error.to_string(),
    };
    specs
        .into_iter()
        .map(rule)
        .map(|made| made.map_err(invalid))
        .collect()
}

/// JavaScript's numbers include what no duration holds.
fn milliseconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / 1000.0)
        .unwrap_or(Duration::MAX)
        .min(LONGEST)
}

/// A year: longer than a process runs, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
