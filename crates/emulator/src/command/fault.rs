//! `fault`: lets something go wrong in a relay that runs.

use serde_json::{Map, Value};

use super::{Failure, WRONG_USE, args::FaultArgs, ask::ask};
use crate::faults::Fault;

/// Asks the relay for it.
pub(crate) async fn run(args: &FaultArgs) -> Result<u8, Failure> {
    let (method, target, body) = match (&args.kind, args.remove, args.clear) {
        (Some(kind), ..) => ("POST", "faults".to_owned(), fault(kind, &args.members)?),
        (None, Some(number), _) => ("DELETE", format!("faults/{number}"), String::new()),
        (None, None, true) => ("DELETE", "faults".to_owned(), String::new()),
        (None, None, false) => ("GET", "faults".to_owned(), String::new()),
    };
    ask(args.relay.port, method, &target, &body).await
}

/// The fault as JSON, checked here, so that a mistake is named whether a relay runs or not. What reads as
/// a number is one.
fn fault(kind: &str, members: &[String]) -> Result<String, Failure> {
    let mut fault = Map::new();
    if let Some((name, _)) = kind.split_once('=') {
        let message =
            format!("the kind comes first, and '{name}=…' is a member: fault KIND {kind}");
        return Err((message, WRONG_USE));
    }
    fault.insert("kind".to_owned(), kind.into());
    for member in members {
        let Some((name, text)) = member.split_once('=') else {
            return Err((format!("'{member}' must be NAME=VALUE"), WRONG_USE));
        };
        let is_text = ["reason", "hybridConnection"].contains(&name);
        let number = serde_json::from_str(text).ok().filter(Value::is_number);
        let value = number.filter(|_| !is_text).unwrap_or_else(|| text.into());
        if fault.insert(name.to_owned(), value).is_some() {
            return Err((format!("'{name}' is given twice"), WRONG_USE));
        }
    }
    let fault = Value::Object(fault);
    match Fault::parse(fault.clone()) {
        Ok(_) => Ok(fault.to_string()),
        Err(message) => Err((format!("{message}\n{SEE}"), WRONG_USE)),
    }
}

const SEE: &str =
    "'fault --help' lists the kinds, and docs/emulator.md says which members each has.";
