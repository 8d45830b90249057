//! Reading the configuration again when it changes.
//!
//! Hybrid connections and faults follow the file while the relay runs. Other settings need a restart.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{args::Args, config::Settings, eprint};
use crate::{handle::Handle, options::HybridConnectionOptions};

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
    let (before, after) = (
        &old.options.hybrid_connections,
        &new.options.hybrid_connections,
    );
    let has = |list: &[HybridConnectionOptions], path: &str| {
        list.iter().any(|one| one.path.eq_ignore_ascii_case(path))
    };
    let ask = |method: &str, target: &str, body: Option<Value>| {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let answer = handle.request(method, target, body.as_bytes())?;
        if answer.status != 200 {
            eprint(&format!("{method} {target}: {}", answer.body));
        }
        Some(())
    };
    for gone in before.iter().filter(|one| !has(after, &one.path)) {
        ask("DELETE", &format!("hybridConnections/{}", gone.path), None)?;
    }
    for come in after.iter().filter(|one| !has(before, &one.path)) {
        let rules: Vec<_> = come
            .rules
            .iter()
            .map(|rule| {
                json!({
                    "keyName": rule.name(),
                    "key": rule.primary_key(),
                    "secondaryKey": rule.secondary_key(),
                })
            })
            .collect();
        let body = json!({
            "path": come.path,
            "requiresClientAuthorization": come.requires_client_authorization,
            "rules": rules,
        });
        ask("POST", "hybridConnections", Some(body))?;
    }
    if old.faults != new.faults {
        ask("DELETE", "faults", None)?;
        for fault in &new.faults {
            ask("POST", "faults", Some(json!(fault)))?;
        }
    }
    Some(())
}

const INTERVAL: Duration = Duration::from_millis(500);
