//! What is printed when the relay is ready: what a program needs to connect.

use std::{fmt::Write as _, fs, net::IpAddr};

use serde_json::json;

use super::{Args, Output, config::Settings, eprint, print};
use crate::{emulator::Emulator, tls};

/// Prints it, and writes the file of environment variables.
pub(crate) fn tell(emulator: &Emulator, settings: &Settings, args: &Args) -> Result<(), String> {
    let ready = Ready::new(emulator, settings);
    if let Some(file) = &args.env_file {
        fs::write(file, ready.environment())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if args.silent {
        return Ok(());
    }
    if let Some(warning) = ready.warning() {
        eprint(&warning);
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
    paths: Vec<&'a str>,
    /// The file with what clients have to trust.
    ca: Option<String>,
}

impl<'a> Ready<'a> {
    fn new(emulator: &'a Emulator, settings: &'a Settings) -> Self {
        let connections = &settings.options.hybrid_connections;
        let paths = connections
            .iter()
            .map(|connection| connection.path.trim_matches('/'))
            .collect();
        let ca = settings
            .authority
            .as_ref()
            .map(|folder| folder.join(tls::AUTHORITY).display().to_string());
        Self {
            emulator,
            settings,
            paths,
            ca,
        }
    }

    fn warning(&self) -> Option<String> {
        let ip: IpAddr = self.emulator.local_addr().ip();
        (!ip.is_loopback()).then(|| {
            format!(
                "warning: {ip} can be reached by other machines, and the key is published; choose \
                 one with --key where that matters"
            )
        })
    }

    /// The environment variables that this package, its commands and the samples of others understand.
    fn variables(&self, path: &str) -> Vec<(&'static str, String)> {
        let emulator = self.emulator;
        let mut variables = vec![(
            "HYCO_CONNECTION_STRING",
            emulator.connection_string(Some(path)),
        )];
        if let Some(string) = emulator.tls_connection_string(Some(path)) {
            variables.push(("RELAY_CONNECTION_STRING", string));
        }
        variables
    }

    /// The file of environment variables, for the first hybrid connection.
    fn environment(&self) -> String {
        let path = self.paths.first().copied().unwrap_or_default();
        let rule = self.emulator.rule();
        let mut variables = self.variables(path);
        variables.extend([
            ("SB_HC_NAMESPACE", self.emulator.namespace()),
            ("SB_HC_PATH", path.to_owned()),
            ("SB_HC_KEYRULE", rule.name().to_owned()),
            ("SB_HC_KEY", rule.primary_key().to_owned()),
        ]);
        variables.extend(self.ca.clone().map(|ca| ("NODE_EXTRA_CA_CERTS", ca)));
        let mut text = String::new();
        for (name, value) in variables {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{name}={}", quoted(&value));
        }
        text
    }

    fn json(&self) -> String {
        let strings: Vec<_> = self
            .paths
            .iter()
            .map(|path| {
                json!({
                    "hybridConnection": path,
                    "connectionString": self.emulator.connection_string(Some(path)),
                    "tlsConnectionString": self.emulator.tls_connection_string(Some(path)),
                })
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
            "hybridConnections": strings,
            "connectionStrings": self
                .paths
                .iter()
                .map(|path| self.emulator.connection_string(Some(path)))
                .collect::<Vec<_>>(),
            "ca": self.ca,
            "certificate": self.emulator.certificate(),
        })
        .to_string()
    }

    /// What is to be pasted, in the form of a file of environment variables: the rest are comments.
    fn text(&self) -> String {
        let (emulator, mut text) = (self.emulator, String::new());
        let namespace = emulator.namespace();
        let mut line = |part: &str| {
            let _ = writeln!(text, "{part}");
        };
        let beside = emulator.tls_namespace().filter(|tls| *tls != namespace);
        let and = beside.map_or_else(String::new, |tls| format!(", and with TLS at {tls}"));
        line(&format!(
            "# The relay listens at {namespace}{and}. Ctrl+C ends it."
        ));
        if self.settings.options.page {
            let page = namespace.replacen("ws", "http", 1);
            line(&format!("# {page}/ shows what goes on."));
        }
        for path in &self.paths {
            line(&format!(
                "#\n# {path}: the first line is for hyco-rs, one for RELAY is for .NET, Java and others"
            ));
            for (name, value) in self.variables(path) {
                line(&format!("{name}={}", quoted(&value)));
            }
        }
        if let Some(ca) = &self.ca {
            line("#\n# Clients that use TLS have to trust this; docs/emulator.md says how.");
            line(&format!("NODE_EXTRA_CA_CERTS={}", quoted(ca)));
        }
        let string = "process.env.HYCO_CONNECTION_STRING";
        line("#\n# A listener and a sender in Node.js:");
        line(&format!(
            "#   createRelayedServer({{ connectionString: {string} }}, (socket) => socket.send('hi'))"
        ));
        line(&format!(
            "#   relayedConnect(null, null, {{ connectionString: {string} }}).on('message', (data) => console.log(String(data)))"
        ));
        text.truncate(text.trim_end().len());
        text
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
