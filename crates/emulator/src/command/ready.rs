//! What is printed when the relay is ready: what a program needs to connect.

use std::{fmt::Write as _, fs, net::IpAddr};

use hyco_protocol::{Rule, names};
use serde_json::json;

use super::{Args, Output, config::Settings, print, say};
use crate::{chosen_rules::ChosenRules, emulator::Emulator, options::HybridConnectionOptions, tls};

/// Prints it, and writes the file of environment variables.
pub(crate) fn tell(emulator: &Emulator, settings: &Settings, args: &Args) -> Result<(), String> {
    let ready = Ready::new(emulator, settings, args);
    if let Some(file) = &args.env_file {
        fs::write(file, ready.environment())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if args.silent {
        return Ok(());
    }
    for warning in ready.warnings() {
        say::warn(args, &warning);
    }
    match (args.json, args.output) {
        (true, _) | (_, Output::Json) => print(&ready.json()),
        (false, Output::Text) => print(&ready.text()),
    }
    Ok(())
}

struct Ready<'a> {
    emulator: &'a Emulator,
    settings: &'a Settings,
    places: Vec<Place<'a>>,
    /// The file with what clients have to trust.
    ca: Option<String>,
    /// A key was given for a rule that is not there.
    key_is_unused: bool,
}

/// A hybrid connection, and the rules that let clients in.
struct Place<'a> {
    path: &'a str,
    is_open_to_senders: bool,
    rules: ChosenRules,
}

impl<'a> Place<'a> {
    fn new(connection: &'a HybridConnectionOptions, of_namespace: &[Rule]) -> Self {
        Self {
            path: connection.path.trim_matches('/'),
            is_open_to_senders: !connection.requires_client_authorization,
            rules: ChosenRules::among(&connection.rules, of_namespace),
        }
    }

    /// Rights that no rule grants.
    fn missing(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let listen = self
            .rules
            .listener
            .is_none()
            .then_some(("Listen", "listen"));
        let send = self.rules.sender.is_none() && !self.is_open_to_senders;
        listen
            .into_iter()
            .chain(send.then_some(("Send", "connect")))
    }
}

impl<'a> Ready<'a> {
    fn new(emulator: &'a Emulator, settings: &'a Settings, args: &Args) -> Self {
        let options = &settings.options;
        let places = options
            .hybrid_connections
            .iter()
            .map(|connection| Place::new(connection, &options.rules))
            .collect();
        let ca = settings
            .authority
            .as_ref()
            .map(|folder| folder.join(tls::AUTHORITY).display().to_string());
        let is_used = |key| options.rules.iter().any(|rule| rule.primary_key() == key);
        Self {
            emulator,
            settings,
            places,
            ca,
            key_is_unused: args.key.as_deref().is_some_and(|key| !is_used(key)),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let ip: IpAddr = self.emulator.local_addr().ip();
        if !ip.is_loopback() {
            let rules = &self.settings.options.rules;
            let is_published = |rule: &Rule| rule.primary_key() == names::EMULATOR_KEY;
            let key = match rules.iter().any(is_published) {
                true => ", and the key is published; choose one with --key where that matters",
                false => "",
            };
            warnings.push(format!("{ip} can be reached by other machines{key}"));
        }
        if self.key_is_unused {
            warnings.push(
                "the key that was given has no effect: it belongs to \
                 RootManageSharedAccessKey, which is not there beside rules of yours"
                    .to_owned(),
            );
        }
        for place in &self.places {
            for (right, act) in place.missing() {
                warnings.push(format!(
                    "nobody can {act} at '{}', since no rule has the right {right}; add one, \
                     as --rule '{act}=KEY:{right}'",
                    place.path
                ));
            }
        }
        warnings
    }

    /// The environment variables that this package, its commands and the samples of others understand.
    fn variables(&self, place: &Place<'_>, rule: &Rule) -> Vec<(&'static str, String)> {
        let path = Some(place.path);
        let mut variables = vec![(
            "HYCO_CONNECTION_STRING",
            self.emulator.connection_string_of(rule, path),
        )];
        if let Some(string) = self.emulator.tls_connection_string_of(rule, path) {
            variables.push(("RELAY_CONNECTION_STRING", string));
        }
        variables
    }

    /// The rule of a hybrid connection's first connection string.
    fn rule<'b>(&'b self, place: &'b Place<'_>) -> &'b Rule {
        place.rules.first().unwrap_or_else(|| self.emulator.rule())
    }

    /// The file of environment variables, for the first hybrid connection.
    fn environment(&self) -> String {
        let mut text = String::new();
        let Some(place) = self.places.first() else {
            return text;
        };
        let rule = self.rule(place);
        let mut variables = self.variables(place, rule);
        variables.extend([
            ("SB_HC_NAMESPACE", self.emulator.namespace()),
            ("SB_HC_PATH", place.path.to_owned()),
            ("SB_HC_KEYRULE", rule.name().to_owned()),
            ("SB_HC_KEY", rule.primary_key().to_owned()),
        ]);
        variables.extend(self.ca.clone().map(|ca| ("NODE_EXTRA_CA_CERTS", ca)));
        append(&mut text, "", &variables);
        if let Some(sender) = place.rules.other_sender() {
            text.push_str("# For a sender:\n");
            append(&mut text, "# ", &self.variables(place, sender));
        }
        text
    }

    fn json(&self) -> String {
        let strings: Vec<_> = self
            .places
            .iter()
            .map(|place| {
                let (path, rule) = (Some(place.path), self.rule(place));
                let mut strings = json!({
                    "hybridConnection": path,
                    "connectionString": self.emulator.connection_string_of(rule, path),
                    "tlsConnectionString": self.emulator.tls_connection_string_of(rule, path),
                });
                if let Some(sender) = place.rules.other_sender() {
                    let tls = self.emulator.tls_connection_string_of(sender, path);
                    strings["senderConnectionString"] =
                        json!(self.emulator.connection_string_of(sender, path));
                    strings["senderTlsConnectionString"] = json!(tls);
                }
                strings
            })
            .collect();
        json!({
            "event": "listening",
            "port": self.emulator.local_addr().port(),
            "tlsPort": self.emulator.tls_addr().map(|address| address.port()),
            "namespace": self.emulator.namespace(),
            "tlsNamespace": self.emulator.tls_namespace(),
            "keyName": self.emulator.rule().name(),
            "key": self.emulator.rule().primary_key(),
            "connectionStrings": strings
                .iter()
                .map(|strings| &strings["connectionString"])
                .collect::<Vec<_>>(),
            "hybridConnections": strings,
            "ca": self.ca,
            "certificate": self.emulator.certificate(),
        })
        .to_string()
    }

    /// What is to be pasted, in the form of a file of environment variables: the rest are comments.
    fn text(&self) -> String {
        let (emulator, mut text) = (self.emulator, String::new());
        let namespace = emulator.namespace();
        let beside = emulator.tls_namespace().filter(|tls| *tls != namespace);
        let and = beside.map_or_else(String::new, |tls| format!(", and with TLS at {tls}"));
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "# The relay listens at {namespace}{and}. Ctrl+C ends it."
        );
        if self.settings.options.page {
            let page = namespace.replacen("ws", "http", 1);
            let _ = writeln!(text, "# {page}/ shows what goes on.");
        }
        for (index, place) in self.places.iter().enumerate() {
            self.append_place(&mut text, place, index == 0);
        }
        if let Some(ca) = &self.ca {
            text.push_str(
                "#\n# Clients that use TLS have to trust this; docs/emulator.md says how.\n",
            );
            append(&mut text, "", &[("NODE_EXTRA_CA_CERTS", ca.clone())]);
        }
        text.push_str(CALLS);
        text
    }

    /// The connection strings of a hybrid connection. A file in which a variable stands twice would hide
    /// all but the last, so only one of each is no comment.
    fn append_place(&self, text: &mut String, place: &Place<'_>, is_first: bool) {
        let sender = place.rules.other_sender();
        let whose = sender.map_or("", |_| ", for a listener");
        let mark = if is_first { "" } else { "# " };
        let _ = writeln!(
            text,
            "#\n# {}{whose}: the first line is for hyco-rs, one for RELAY is for .NET, Java and others",
            place.path
        );
        append(text, mark, &self.variables(place, self.rule(place)));
        if let Some(sender) = sender {
            let _ = writeln!(text, "# {}, for a sender:", place.path);
            append(text, "# ", &self.variables(place, sender));
        }
    }
}

/// How programs use what stands above.
const CALLS: &str = "#
# A listener and a sender in Node.js:
#   createRelayedServer({ connectionString: process.env.HYCO_CONNECTION_STRING }, (socket) => socket.send('hi'))
#   relayedConnect(null, null, { connectionString: process.env.HYCO_CONNECTION_STRING }).on('message', (data) => console.log(String(data)))";

/// Variables, a line each, behind a mark that makes them comments.
fn append(text: &mut String, mark: &str, variables: &[(&str, String)]) {
    for (name, value) in variables {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{mark}{name}={}", quoted(value));
    }
}

/// A value as files of environment variables have it. A shell ends an unquoted one at its first `;`, which
/// every connection string has; readers of such files take the quotes away, and nothing else.
fn quoted(value: &str) -> String {
    let quote = ['\'', '"', '`']
        .into_iter()
        .find(|quote| !value.contains(*quote));
    match quote {
        Some(quote) => format!("{quote}{value}{quote}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_are_quoted_by_what_they_do_not_hold() {
        assert_eq!(quoted("a;b#c $d"), "'a;b#c $d'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("'\""), "`'\"`");
        assert_eq!(quoted("'\"`"), "'\"`");
    }
}
