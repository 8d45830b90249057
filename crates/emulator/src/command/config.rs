//! The settings: from the command line and its environment, the file, and the defaults, in this order.

use std::{fs, path::PathBuf, time::Duration};

use hyco_protocol::{Rights, Rule, names};
use serde::Deserialize;

use super::{
    args::Args,
    certificate,
    checked::{self, CheckedFault, Host, PublicUrl, Secret},
    entry::{self, HybridConnectionEntry},
    made_keys::MadeKeys,
    milliseconds::Milliseconds,
    rule,
};
use crate::{
    admin::namespace::RuleSpec,
    faults::Fault,
    json::{Object, from_text},
    options::{EmulatorOptions, HybridConnectionOptions, Timing},
};

/// The file, as JSON says it; `config.schema.json` describes it for editors.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Config {
    /// For editors.
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    port: Option<u16>,
    tls_port: Option<u16>,
    host: Option<Host>,
    tls: Option<TlsMode>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) cert_dir: Option<PathBuf>,
    key: Option<Secret>,
    #[serde(deserialize_with = "checked::hybrid_connections")]
    hybrid_connections: Option<Vec<HybridConnectionEntry>>,
    #[serde(deserialize_with = "checked::rules")]
    rules: Option<Vec<RuleSpec>>,
    hosts: Option<Vec<Host>>,
    public_url: Option<PublicUrl>,
    accept_jwt: Option<bool>,
    remote_admin: Option<bool>,
    ui: Option<bool>,
    max_listeners: Option<usize>,
    max_connections: Option<usize>,
    max_frame: Option<u64>,
    clock_skew_seconds: Option<u64>,
    forward_host: Option<bool>,
    reuse_rendezvous: Option<bool>,
    // Milliseconds.
    handshake_timeout: Option<Milliseconds<1>>,
    accept_timeout: Option<Milliseconds<1>>,
    renewal_grace: Option<Milliseconds<0>>,
    channel_lifetime: Option<Milliseconds<0>>,
    keep_alive_interval: Option<Milliseconds<0>>,
    close_timeout: Option<Milliseconds<1>>,
    send_timeout: Option<Milliseconds<1>>,
    response_timeout: Option<Milliseconds<1>>,
    faults: Option<Vec<CheckedFault>>,
}

impl Config {
    fn timing(&self, defaults: Timing) -> Timing {
        fn time<const LEAST: u64>(
            given: Option<Milliseconds<LEAST>>,
            default: Duration,
        ) -> Duration {
            given.map_or(default, Duration::from)
        }
        Timing {
            handshake: time(self.handshake_timeout, defaults.handshake),
            accept: time(self.accept_timeout, defaults.accept),
            renewal_grace: time(self.renewal_grace, defaults.renewal_grace),
            channel_life: time(self.channel_lifetime, defaults.channel_life),
            keep_alive: time(self.keep_alive_interval, defaults.keep_alive),
            close: time(self.close_timeout, defaults.close),
            send: time(self.send_timeout, defaults.send),
            response: time(self.response_timeout, defaults.response),
            gap: defaults.gap,
            comeback: defaults.comeback,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum TlsMode {
    /// Plain at the port, TLS at the next one.
    Beside,
    /// TLS at the port.
    Only,
    /// None.
    Off,
}

/// What the relay is to be.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) options: EmulatorOptions,
    pub(crate) faults: Vec<Fault>,
    /// Where the authority is kept, if certificates are made.
    pub(crate) authority: Option<PathBuf>,
}

impl Settings {
    /// Reads the file, if there is one, and puts everything together.
    ///
    /// Rules without a key get the one that was made for them before, or a new one.
    pub(crate) fn read(args: &Args, made: &mut MadeKeys) -> Result<Self, String> {
        let config = match &args.config {
            None => Config::default(),
            Some(file) => {
                let shown = file.display();
                let text = fs::read_to_string(file)
                    .map_err(|error| format!("cannot read {shown}: {error}"))?;
                read(&text).map_err(|error| format!("{shown}: {error}"))?
            }
        };
        let mode = match (args.tls, args.no_tls, config.tls) {
            (true, ..) => TlsMode::Only,
            (_, true, _) => TlsMode::Off,
            (.., mode) => mode.unwrap_or(TlsMode::Beside),
        };
        let port = args.port(config.port);
        let beside = match port {
            0 => 0,
            port => port.wrapping_add(1),
        };
        let tls_port = args.tls_port.or(config.tls_port).unwrap_or(beside);
        let (tls, authority) = match mode {
            TlsMode::Off => (None, None),
            TlsMode::Only | TlsMode::Beside => certificate::of(args, &config)?,
        };
        let defaults = EmulatorOptions::default();
        let timing = config.timing(defaults.timing);
        let options = EmulatorOptions {
            host: {
                let configured = config.host.map(|host| host.0);
                args.host.clone().or(configured).unwrap_or(defaults.host)
            },
            port,
            tls,
            tls_port: (mode == TlsMode::Beside).then_some(tls_port),
            hybrid_connections: hybrid_connections(args, config.hybrid_connections, made)?,
            rules: rules(args, config.rules, config.key, made)?,
            hosts: match args.hosts.is_empty() {
                true => {
                    let configured = config.hosts.into_iter().flatten();
                    configured.map(|host| host.0).collect()
                }
                false => args.hosts.clone(),
            },
            public_url: {
                let configured = config.public_url.map(|url| url.0);
                args.public_url.clone().or(configured)
            },
            max_listeners: config.max_listeners.unwrap_or(defaults.max_listeners),
            max_connections: config.max_connections.unwrap_or(defaults.max_connections),
            max_frame: config.max_frame.unwrap_or(defaults.max_frame),
            clock_skew: config.clock_skew_seconds.unwrap_or(defaults.clock_skew),
            accept_jwt: args.accept_jwt || config.accept_jwt.unwrap_or(false),
            remote_admin: args.remote_admin || config.remote_admin.unwrap_or(false),
            page: !args.no_ui && config.ui.unwrap_or(true),
            timing,
            forward_host: config.forward_host.unwrap_or(defaults.forward_host),
            reuse_rendezvous: config.reuse_rendezvous.unwrap_or(defaults.reuse_rendezvous),
        };
        Ok(Self {
            options,
            faults: {
                let configured = config.faults.into_iter().flatten();
                configured.map(|fault| fault.0).collect()
            },
            authority,
        })
    }
}

/// Reads the text of the file.
fn read(text: &str) -> Result<Config, String> {
    from_text(text).map(|Object(config)| config)
}

fn hybrid_connections(
    args: &Args,
    configured: Option<Vec<HybridConnectionEntry>>,
    made: &mut MadeKeys,
) -> Result<Vec<HybridConnectionOptions>, String> {
    if !args.hybrid_connection.is_empty() {
        return args
            .hybrid_connection
            .iter()
            .map(|text| entry::from_argument(text))
            .collect();
    }
    match configured {
        None => Ok(vec![HybridConnectionOptions::new("hyco")]),
        Some(entries) => entries
            .into_iter()
            .map(|entry| match entry {
                HybridConnectionEntry::Path(path) => Ok(HybridConnectionOptions::new(path)),
                HybridConnectionEntry::Spec(mut spec) => {
                    made.complete(&spec.path, &mut spec.rules)?;
                    spec.options()
                }
            })
            .collect(),
    }
}

fn rules(
    args: &Args,
    configured: Option<Vec<RuleSpec>>,
    key: Option<Secret>,
    made: &mut MadeKeys,
) -> Result<Vec<Rule>, String> {
    if !args.rule.is_empty() {
        return args
            .rule
            .iter()
            .map(|text| rule::from_argument(text))
            .collect();
    }
    if let Some(mut specs) = configured {
        made.complete("", &mut specs)?;
        return specs.into_iter().map(RuleSpec::rule).collect();
    }
    let key = args.key.clone().or_else(|| key.map(|key| key.0));
    let key = key.unwrap_or_else(|| names::EMULATOR_KEY.to_owned());
    let rule = Rule::new(names::EMULATOR_KEY_NAME, key, Rights::ALL);
    Ok(vec![rule.map_err(|error| format!("--key: {error}"))?])
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        let args = Args::try_parse_from([&["hyco-relay", "--no-tls"], arguments].concat())
            .map_err(|error| error.to_string())?;
        Settings::read(&args, &mut MadeKeys::default())
    }

    #[test]
    fn without_options_the_relay_is_the_same_at_every_start() {
        let options = settings(&[]).expect("defaults").options;
        assert_eq!(options.port, 9400);
        assert_eq!(options.host, "127.0.0.1");
        assert_eq!(options.hybrid_connections[0].path, "hyco");
        assert_eq!(options.rules[0].primary_key(), names::EMULATOR_KEY);
    }

    #[test]
    fn rules_and_hybrid_connections_are_read_from_arguments() {
        let options = settings(&[
            "--rule",
            "listen=a=b==:Listen",
            "--hybrid-connection",
            "one,team/two:anonymous",
        ])
        .expect("they are fine")
        .options;
        let rule = &options.rules[0];
        assert_eq!((rule.name(), rule.primary_key()), ("listen", "a=b=="));
        assert!(rule.rights().listen && !rule.rights().send);
        let two = &options.hybrid_connections[1];
        assert_eq!(two.path, "team/two");
        assert!(!two.requires_client_authorization);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_no_key_is_shown() {
        for (arguments, named) in [
            (["--rule", "secret"], "--rule"),
            (["--rule", "a=secret"], "rights"),
            (["--rule", "a=secret:Dance"], "Dance"),
            (["--hybrid-connection", "x:y"], "x:y"),
            (["--config", "/nowhere"], "/nowhere"),
        ] {
            let error = settings(&arguments).expect_err("it is wrong");
            assert!(error.contains(named), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_named_by_key_and_line() {
        for (text, named) in [
            (
                "{\n \"port\": \"many\" }",
                "port: invalid type: string \"many\"",
            ),
            (
                "{\n \"hybridConnections\": [\"one\", { \"path\": \"two\", \"anonymous\": 1 }] }",
                "hybridConnections[1].anonymous: unknown field `anonymous`",
            ),
            (
                "{\n \"hybridConnections\": [5] }",
                "hybridConnections[0]: invalid type: integer `5`, expected a path, or an object",
            ),
            (
                "{\n \"rules\": [{ \"keyName\": \"a\", \"rights\": [\"Dance\"] }] }",
                "rules[0].rights[0]: unknown variant `Dance`",
            ),
            (
                "{\n \"faults\": [{ \"kind\": \"dorp\" }] }",
                "faults[0].kind: unknown variant `dorp`",
            ),
            ("{\n \"acceptTimeout\": 0 }", "acceptTimeout: 0 ms is not"),
            (
                "{\n \"faults\": [{ \"kind\": \"drop\" }] }",
                "faults[0]: a fault of kind drop needs on",
            ),
            (
                "{\n \"rules\": [{ \"keyName\": \"\" }] }",
                "rules[0]: invalid rule: its name is empty",
            ),
            (
                "{\n \"rules\": [{ \"keyName\": \"a\", \"rights\": [] }] }",
                "rules[0]: a rule needs at least one of",
            ),
            (
                "{\n \"rules\": [{ \"keyName\": \"a\" }, { \"keyName\": \"A\" }] }",
                "rules: there are two rules of the name 'A'",
            ),
            (
                "{\n \"hybridConnections\": [\"a\", { \"path\": \"A/\" }] }",
                "hybridConnections: there are two hybrid connections of the name 'A'",
            ),
            (
                "{\n \"hybridConnections\": [\"\"] }",
                "hybridConnections[0]: '' is not a path",
            ),
            (
                "{\n \"hybridConnections\": [{ \"path\": \"$admin\" }] }",
                "hybridConnections[0].path: '$admin' cannot be a path",
            ),
            (
                "{\n \"publicUrl\": \"wss://x/y\" }",
                "publicUrl: it may have a scheme, a host and a port alone",
            ),
            (
                "{\n \"hosts\": [\"a b\"] }",
                "hosts[0]: 'a b' is no host name",
            ),
            ("{\n \"port\": 1,", "EOF while parsing"),
            ("{\n \"prot\": 1 }", "prot: unknown field `prot`"),
            ("{\n} {", "trailing characters"),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.starts_with(named), "{message}");
            assert!(message.contains(" at line 2 column "), "{message}");
        }
        let message = read("[]").expect_err("a list");
        assert!(message.contains("must be an object"), "{message}");
    }

    /// The schema is for editors; it must know what the program knows.
    #[test]
    fn the_schema_has_the_members_of_the_file() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../config.schema.json")).expect("it is JSON");
        let known = schema["properties"].as_object().expect("members").keys();
        for name in known.clone() {
            let text = format!("{{\"{name}\": null}}");
            let read = serde_json::from_str::<Config>(&text);
            let message = read
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(!message.contains("unknown field"), "{message}");
        }
        let error = serde_json::from_str::<Config>("{\"x\": 1}").expect_err("x is unknown");
        let members = schema["$defs"]["fault"]["properties"].as_object();
        let fault = serde_json::from_str::<Fault>("{\"x\": 1}").expect_err("x is unknown");
        for name in fault.to_string().split('`').skip(3).step_by(2) {
            let known = members.is_some_and(|members| members.contains_key(name));
            assert!(known, "{name} is no member of a fault in the schema");
        }
        let message = error.to_string();
        for name in message.split('`').skip(3).step_by(2) {
            assert!(
                known.clone().any(|known| known == name),
                "{name} is not in the schema"
            );
        }
        assert!(message.contains("line 1 column"), "{message}");
    }
}
