//! Reading the configuration again when it changes.
//!
//! Hybrid connections and faults follow the file while the relay runs. One whose rules or
//! authorization changed is made anew, which ends its listeners. Other settings need a restart.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{args::Args, config::Settings, eprint};
use crate::{admin::namespace::show_rule, handle::Handle, options::HybridConnectionOptions};

/// Watches the file until the relay ends.
///
/// `content` is what the settings were read from, so that no change is missed.
pub(crate) async fn watch(
    file: PathBuf,
    mut content: Option<Vec<u8>>,
    args: Args,
    handle: Handle,
    mut settings: Settings,
) {
    let look = || fs::read(&file).ok();
    loop {
        sleep(INTERVAL).await;
        let now = look();
        // A file that is being replaced is missing, or empty, for a moment.
        if now == content || now.as_ref().is_none_or(Vec::is_empty) {
            continue;
        }
        content = now;
        match Settings::read(&args) {
            Ok(next) => {
                if apply(&handle, &settings, &next).is_none() {
                    return;
                }
                settings = next;
                eprint(&format!("{} was read again", file.display()));
            }
            Err(message) => eprint(&format!("the old settings stay: {message}")),
        }
    }
}

/// Gives the relay what has changed; none when the relay has ended.
fn apply(handle: &Handle, old: &Settings, new: &Settings) -> Option<()> {
    let specs = |settings: &Settings| -> Vec<Value> {
        let all = settings.options.hybrid_connections.iter();
        all.map(spec).collect()
    };
    let (before, after) = (specs(old), specs(new));
    let ask = |method: &str, target: &str, body: Option<Value>| {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let answer = handle.request(method, target, body.as_bytes())?;
        if answer.status != 200 {
            eprint(&format!("{method} {target}: {}", answer.body));
        }
        Some(())
    };
    // One that has changed is made anew.
    for gone in before.iter().filter(|one| !after.contains(one)) {
        let path = gone["path"].as_str().unwrap_or_default();
        ask("DELETE", &format!("hybridConnections/{path}"), None)?;
    }
    for come in after.into_iter().filter(|one| !before.contains(one)) {
        ask("POST", "hybridConnections", Some(come))?;
    }
    if old.faults != new.faults {
        ask("DELETE", "faults", None)?;
        for fault in &new.faults {
            ask("POST", "faults", Some(json!(fault)))?;
        }
    }
    Some(())
}

/// A hybrid connection as the administration takes it.
fn spec(options: &HybridConnectionOptions) -> Value {
    json!({
        "path": options.path,
        "requiresClientAuthorization": options.requires_client_authorization,
        "rules": options.rules.iter().map(show_rule).collect::<Vec<_>>(),
    })
}

const INTERVAL: Duration = Duration::from_millis(500);
