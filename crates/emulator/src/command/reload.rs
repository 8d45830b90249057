//! Reading the configuration again when it changes.
//!
//! Hybrid connections, rules and faults follow the file while the relay runs. A hybrid connection whose
//! rules or authorization changed is made anew, which ends its listeners. Other settings need a restart, and a
//! change of them is told.

use std::{fs, path::PathBuf, time::Duration};

use hyco_protocol::Rule;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{args::Args, config::Settings, eprint, log, made_keys::MadeKeys, say};
use crate::{
    admin::namespace::show_rule,
    handle::Handle,
    options::{EmulatorOptions, HybridConnectionOptions},
};

/// What is needed to read the configuration again.
pub(crate) struct Reload {
    pub(crate) file: PathBuf,
    pub(crate) args: Args,
    pub(crate) handle: Handle,
    /// Those that the relay has.
    pub(crate) settings: Settings,
    pub(crate) made: MadeKeys,
}

impl Reload {
    /// Watches the file until the relay ends.
    ///
    /// `content` is what the settings were read from, so that no change is missed.
    pub(crate) async fn watch(mut self, mut content: Option<Vec<u8>>) {
        loop {
            sleep(INTERVAL).await;
            let now = fs::read(&self.file).ok();
            // A file that is being replaced is missing, or empty, for a moment.
            if now == content || now.as_ref().is_none_or(Vec::is_empty) {
                continue;
            }
            content = now;
            match Settings::read(&self.args, &mut self.made) {
                Ok(next) => {
                    if self.apply(&next).is_none() {
                        return;
                    }
                    say::say(
                        &self.args,
                        &format!("{} was read again", self.file.display()),
                    );
                    let fixed = fixed(&self.settings.options, &next.options);
                    if !fixed.is_empty() {
                        let names = fixed.join(", ");
                        say::warn(&self.args, &format!("a change of {names} needs a restart"));
                    }
                    self.settings = next;
                }
                Err(message) => eprint(&log::own(
                    "error",
                    &format!("the old settings stay: {message}"),
                    self.args.log,
                )),
            }
        }
    }

    /// Gives the relay what has changed; none when the relay has ended.
    fn apply(&self, new: &Settings) -> Option<()> {
        let specs = |settings: &Settings| -> Vec<Value> {
            let all = settings.options.hybrid_connections.iter();
            all.map(spec).collect()
        };
        let (before, after) = (specs(&self.settings), specs(new));
        let ask = |method: &str, target: &str, body: Option<Value>| {
            let body = body.map_or_else(String::new, |body| body.to_string());
            let answer = self.handle.request(method, target, body.as_bytes())?;
            if answer.status != 200 {
                let message = format!("{method} {target} of the new settings: {}", answer.body);
                say::warn(&self.args, &message);
            }
            Some(())
        };
        // One that has changed is made anew.
        for gone in before.iter().filter(|one| !after.contains(one)) {
            let path = gone["path"].as_str().unwrap_or_default();
            ask(
                "DELETE",
                &format!("hybridConnections/{}", segment(path)),
                None,
            )?;
        }
        for come in after.into_iter().filter(|one| !before.contains(one)) {
            ask("POST", "hybridConnections", Some(come))?;
        }
        let (before, after) = (&self.settings.options.rules, &new.options.rules);
        let (before, after) = (shown(before), shown(after));
        for gone in before.iter().filter(|one| !after.contains(one)) {
            let name = gone["keyName"].as_str().unwrap_or_default();
            ask("DELETE", &format!("rules/{}", segment(name)), None)?;
        }
        for come in after.into_iter().filter(|one| !before.contains(one)) {
            ask("POST", "rules", Some(come))?;
        }
        if self.settings.faults != new.faults {
            ask("DELETE", "faults", None)?;
            for fault in &new.faults {
                ask("POST", "faults", Some(json!(fault)))?;
            }
        }
        Some(())
    }
}

/// A name, as it stands in a path of the administration.
fn segment(name: &str) -> String {
    name.replace('%', "%25").replace('?', "%3F")
}

/// A hybrid connection as the administration takes it.
fn spec(options: &HybridConnectionOptions) -> Value {
    json!({
        "path": options.path,
        "requiresClientAuthorization": options.requires_client_authorization,
        "rules": shown(&options.rules),
    })
}

fn shown(rules: &[Rule]) -> Vec<Value> {
    rules.iter().map(show_rule).collect()
}

/// The settings that differ and that a running relay cannot change.
fn fixed(old: &EmulatorOptions, new: &EmulatorOptions) -> Vec<&'static str> {
    let differ = [
        ("host", old.host != new.host),
        ("port", old.port != new.port),
        ("tlsPort", old.tls_port != new.tls_port),
        ("the certificate", old.tls != new.tls),
        ("hosts", old.hosts != new.hosts),
        ("publicUrl", old.public_url != new.public_url),
        ("acceptJwt", old.accept_jwt != new.accept_jwt),
        ("remoteAdmin", old.remote_admin != new.remote_admin),
        ("ui", old.page != new.page),
        ("maxListeners", old.max_listeners != new.max_listeners),
        ("maxConnections", old.max_connections != new.max_connections),
        ("maxFrame", old.max_frame != new.max_frame),
        ("clockSkewSeconds", old.clock_skew != new.clock_skew),
        ("forwardHost", old.forward_host != new.forward_host),
        (
            "reuseRendezvous",
            old.reuse_rendezvous != new.reuse_rendezvous,
        ),
        ("the times", old.timing != new.timing),
    ];
    let differ = differ.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(name, _)| name).collect()
}

/// Who saves a file tries it at once.
const INTERVAL: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::time::Instant;

    use super::*;
    use crate::Emulator;

    /// A file that is deleted with this.
    struct Kept(PathBuf);

    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_file_holds_after_half_a_second() {
        let name = format!("hyco-reload-{}.json", std::process::id());
        let file = Kept(std::env::temp_dir().join(name));
        let write = |paths: &str| {
            let text = format!(r#"{{"hybridConnections":{paths}}}"#);
            fs::write(&file.0, text).expect("a file");
        };
        write(r#"["one"]"#);
        let path = file.0.to_str().expect("a path");
        let arguments = [
            "hyco-relay",
            "--silent",
            "--no-tls",
            "--port",
            "0",
            "--config",
            path,
        ];
        let args = Args::try_parse_from(arguments).expect("they are fine");
        let mut made = MadeKeys::default();
        let settings = Settings::read(&args, &mut made).expect("it is fine");
        let emulator = Emulator::bind(settings.options.clone()).await;
        let emulator = emulator.expect("a relay");
        let handle = emulator.handle();
        let reload = Reload {
            file: file.0.clone(),
            args,
            handle: handle.clone(),
            settings,
            made,
        };
        let watching = tokio::spawn(reload.watch(fs::read(&file.0).ok()));
        let started = Instant::now();
        write(r#"["one","two"]"#);
        let knows_two = || {
            let answer = handle.request("GET", "hybridConnections", b"");
            answer.is_some_and(|answer| answer.body.contains("\"two\""))
        };
        while !knows_two() && started.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(10)).await;
        }
        let seen = started.elapsed().as_millis();
        assert!((400..=520).contains(&seen), "{seen} ms");
        watching.abort();
    }
}
