//! The arguments of the program. This is the only definition of them, for both names of it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, builder::BoolishValueParser};
use hyco_protocol::names::EMULATOR_PORT;

use crate::valid;

/// A local relay for Azure Relay Hybrid Connections: for development, tests, and use on one machine.
///
/// Without options it listens at 127.0.0.1, at port 9400 in plain and at port 9401 with TLS,
/// has one hybrid connection named hyco, and takes one published key that is the same at every
/// start. It prints connection strings to paste, in the form of a .env.
/// http://127.0.0.1:9400/ shows what goes on. Ctrl+C ends it.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "hyco-relay",
    version,
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true,
    after_long_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The port; 0 takes a free one. TLS beside it has the next one
    #[arg(long, env = "HYCO_RELAY_PORT", value_name = "PORT", value_parser = port)]
    pub(crate) port: Option<u16>,

    /// The port for TLS beside plain connections
    #[arg(long, env = "HYCO_RELAY_TLS_PORT", value_name = "PORT", value_parser = port)]
    pub(crate) tls_port: Option<u16>,

    /// The address to listen on; 0.0.0.0 means all, and lets other machines in
    #[arg(long, env = "HYCO_RELAY_HOST", value_name = "ADDRESS", value_parser = host)]
    pub(crate) host: Option<String>,

    /// A hybrid connection, again and again for more; senders at NAME:anonymous need no token
    #[arg(
        long,
        env = "HYCO_RELAY_HYBRID_CONNECTIONS",
        value_name = "NAME[:anonymous]",
        value_delimiter = ','
    )]
    pub(crate) hybrid_connection: Vec<String>,

    /// A rule in place of RootManageSharedAccessKey; rights are Listen, Send, Manage
    #[arg(
        long,
        env = "HYCO_RELAY_RULES",
        value_name = "NAME=KEY:RIGHT,RIGHT",
        value_delimiter = ';',
        hide_env_values = true
    )]
    pub(crate) rule: Vec<String>,

    /// The key of RootManageSharedAccessKey, in place of the published one
    #[arg(
        long,
        env = "HYCO_RELAY_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(crate) key: Option<String>,

    /// A file with all of this and more in JSON; it is read again when it changes
    #[arg(long, env = "HYCO_RELAY_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Speak TLS at --port, and nothing in plain
    #[arg(long, env = "HYCO_RELAY_TLS", value_parser = yes_or_no(), conflicts_with_all = ["tls_port", "no_tls"])]
    pub(crate) tls: bool,

    /// Speak no TLS
    #[arg(long, env = "HYCO_RELAY_NO_TLS", value_parser = yes_or_no(), conflicts_with_all = ["tls_port", "cert"])]
    pub(crate) no_tls: bool,

    /// A certificate with its chain, as PEM, in place of one that is made
    #[arg(
        long,
        env = "HYCO_RELAY_CERT",
        value_name = "FILE",
        requires = "key_file"
    )]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert, as PEM
    #[arg(
        long,
        env = "HYCO_RELAY_KEY_FILE",
        value_name = "FILE",
        requires = "cert"
    )]
    pub(crate) key_file: Option<PathBuf>,

    /// Where the authority is kept that signs the certificates that are made
    #[arg(long, env = "HYCO_RELAY_CERT_DIR", value_name = "FOLDER")]
    pub(crate) cert_dir: Option<PathBuf>,

    /// Scheme, host and port in the addresses that listeners dial, as wss://relay.example
    #[arg(
        long,
        env = "HYCO_RELAY_PUBLIC_URL",
        value_name = "URL",
        value_parser = public_url
    )]
    pub(crate) public_url: Option<String>,

    /// Further names by which clients reach the relay, as that of a container
    #[arg(
        long,
        env = "HYCO_RELAY_HOSTS",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = host
    )]
    pub(crate) hosts: Vec<String>,

    /// Take any JSON Web Token that is for Azure Relay and has not ended, whoever signed it
    #[arg(long, env = "HYCO_RELAY_ACCEPT_JWT", value_parser = yes_or_no())]
    pub(crate) accept_jwt: bool,

    /// Let other machines use the page and the administration
    #[arg(long, env = "HYCO_RELAY_REMOTE_ADMIN", value_parser = yes_or_no())]
    pub(crate) remote_admin: bool,

    /// Have no page for browsers
    #[arg(long, env = "HYCO_RELAY_NO_UI", value_parser = yes_or_no())]
    pub(crate) no_ui: bool,

    /// How the log is written to standard error
    #[arg(
        long,
        env = "HYCO_RELAY_LOG",
        value_name = "FORMAT",
        default_value = "pretty"
    )]
    pub(crate) log: LogFormat,

    /// Write to the log what the relay does inside, too; without it, its warnings alone
    #[arg(
        long,
        short = 'v',
        env = "HYCO_RELAY_VERBOSE", value_parser = yes_or_no(),
        conflicts_with = "silent"
    )]
    pub(crate) verbose: bool,

    /// What is printed when the relay is ready
    #[arg(
        long,
        env = "HYCO_RELAY_OUTPUT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) output: Output,

    /// The same as --output json
    #[arg(long, env = "HYCO_RELAY_JSON", value_parser = yes_or_no(), hide = true)]
    pub(crate) json: bool,

    /// Write connection strings and more into a file of environment variables
    // Some versions of Node.js take --env-file for themselves wherever it stands.
    #[arg(
        long = "write-env",
        visible_alias = "env-file",
        env = "HYCO_RELAY_ENV_FILE",
        value_name = "FILE"
    )]
    pub(crate) env_file: Option<PathBuf>,

    /// Write nothing but failures
    #[arg(long, visible_alias = "quiet", short = 'q', env = "HYCO_RELAY_SILENT", value_parser = yes_or_no())]
    pub(crate) silent: bool,
}

impl Args {
    pub(crate) fn port(&self, configured: Option<u16>) -> u16 {
        self.port.or(configured).unwrap_or(EMULATOR_PORT)
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Let something go wrong in a relay that runs, or end it with --remove or --clear
    Fault(FaultArgs),

    /// Say whether a relay runs at a plain port of this machine: exit code 0 if it does
    Health(RelayArgs),
}

// Which relay is meant: a comment of documentation would become the help of the command.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct RelayArgs {
    /// The relay's plain port
    #[arg(
        long,
        env = "HYCO_RELAY_PORT",
        value_name = "PORT",
        default_value_t = EMULATOR_PORT,
        value_parser = port
    )]
    pub(crate) port: u16,
}

/// A fault: its kind, and what the kind needs.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = KINDS)]
pub(crate) struct FaultArgs {
    /// drop, close, blackHole, refuse, delayAccept, swallowAccept, latency, bandwidth,
    /// slice, cutAfter, timers or clock; left out, the faults in force are listed
    #[arg(verbatim_doc_comment)]
    pub(crate) kind: Option<String>,

    /// Members of the fault, as on=control status=503 count=3 hybridConnection=hyco
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) members: Vec<String>,

    /// Remove the fault of that number
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["kind", "clear"])]
    pub(crate) remove: Option<u64>,

    /// Remove all faults
    #[arg(long, conflicts_with = "kind")]
    pub(crate) clear: bool,

    #[command(flatten)]
    pub(crate) relay: RelayArgs,
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "a port is a number from 0 to 65535".to_owned())
}

fn host(text: &str) -> Result<String, String> {
    valid::host(text).map(|_| text.to_owned())
}

fn public_url(text: &str) -> Result<String, String> {
    valid::public_url(text).map(|_| text.to_owned())
}

/// What a variable may say of an option without a value: yes, true, on or 1, and their opposites.
fn yes_or_no() -> BoolishValueParser {
    BoolishValueParser::new()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Pretty,
    /// A line of JSON
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// A line of JSON
    Json,
}

const EXAMPLES: &str = "\
Examples (with Node.js it is npx hyco-rs emulator in place of hyco-relay):
  hyco-relay --hybrid-connection orders --hybrid-connection chat:anonymous
      two hybrid connections; senders at chat need no token
  hyco-relay --write-env .env --silent
      leaves what programs need in a file
  hyco-relay --rule 'listen=some key:Listen' --rule 'send=another key:Send'
      rules of your own
  hyco-relay --host 0.0.0.0 --hosts relay --key 'some key'
      for other machines, which know it as relay
  hyco-relay fault refuse status=503 count=3
      lets the next three handshakes fail in the relay that runs

Clients:
  hyco-rs takes HYCO_CONNECTION_STRING of what is printed, .NET and Java take
  RELAY_CONNECTION_STRING. Others connect to ws://127.0.0.1:9400/$hc/hyco?sb-hc-action=connect, or
  =listen, with a token in the header ServiceBusAuthorization: npx hyco-rs token prints one.
  Those that speak TLS have to trust ca.pem in the folder of --cert-dir, which is printed, too:
  NODE_EXTRA_CA_CERTS for Node.js, SSL_CERT_FILE for .NET, Go and Python, curl --cacert,
  keytool -importcert -alias hyco-relay -file ca.pem -keystore trust.jks for Java,
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n hyco-relay -i ca.pem for Chromium on Linux,
  security add-trusted-cert -r trustRoot ca.pem for macOS,
  certutil -user -addstore Root ca.pem for Windows.";

const KINDS: &str = "\
Kinds and their members (those in brackets may be left out):
  drop           on=control|connection [after=MS]           loses it, without a close frame
  close          on=… [after=MS] [code=1011] [reason=TEXT]  closes it with a close frame
  blackHole      on=… [after=MS] [duration=MS] [direction]  lets nothing pass
  refuse         status=503 [reason=TEXT] [action=listen|connect|accept|request]
  delayAccept    delay=MS                                   tells listeners of senders late
  swallowAccept                                             tells listeners of senders never
  latency        delay=MS [jitter=MS] [direction]           lets bytes arrive late
  bandwidth      bytesPerSecond=N [direction]               lets bytes pass slowly
  slice          bytes=N [direction]                        cuts frames into fragments
  cutAfter       bytes=N [direction]                        loses a connection after so many bytes
  timers         factor=0.01                                lets all times run faster or slower
  clock          seconds=N                                  sets the clock that tokens are checked with
direction is toListener or toSender. All but the last two also take hybridConnection=NAME,
probability=0.5 and count=N.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn the_arguments_make_sense() {
        Args::command().debug_assert();
    }

    /// Help is pasted into issues.
    #[test]
    fn help_shows_no_key_of_the_environment() {
        for argument in Args::command().get_arguments() {
            if ["key", "rule"].contains(&argument.get_id().as_str()) {
                assert!(argument.is_hide_env_values_set(), "{}", argument.get_id());
            }
        }
    }

    /// Who has the help needs no other text.
    #[test]
    fn the_help_of_fault_names_every_member_of_every_kind() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../config.schema.json")).expect("it is JSON");
        let members = &schema["$defs"]["fault"]["properties"];
        for name in members.as_object().expect("members").keys() {
            assert!(name == "kind" || super::KINDS.contains(&**name), "{name}");
        }
        for kind in members["kind"]["enum"].as_array().expect("kinds") {
            let kind = kind.as_str().expect("a word");
            assert!(super::KINDS.contains(&format!("\n  {kind} ")), "{kind}");
        }
    }

    /// Environment variables are the only way in some containers.
    #[test]
    fn every_option_has_an_environment_variable() {
        for argument in Args::command().get_arguments() {
            let name = argument.get_id().as_str();
            if argument.get_long().is_some() && !["help", "version"].contains(&name) {
                assert!(argument.get_env().is_some(), "{name}");
            }
        }
    }
}
