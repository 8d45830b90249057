//! A rule, as the command line says it.

use hyco_protocol::{Right, Rights, Rule};

/// Reads `NAME=KEY:RIGHT,RIGHT`; a key may hold `=`, and no colon.
pub(crate) fn from_argument(text: &str) -> Result<Rule, String> {
    let wrong = |what: &str| {
        // The text holds a key, so it is not shown.
        format!("--rule must be NAME=KEY:Listen,Send,Manage: {what}")
    };
    let (name, rest) = text
        .split_once('=')
        .ok_or_else(|| wrong("there is no '='"))?;
    let (key, rights) = rest
        .rsplit_once(':')
        .ok_or_else(|| wrong("there are no rights behind a ':'"))?;
    let right = |word: &str| match word.trim() {
        "Listen" => Ok(Right::Listen),
        "Send" => Ok(Right::Send),
        "Manage" => Ok(Right::Manage),
        other => Err(wrong(&format!("'{other}' is no right"))),
    };
    let rights = rights
        .split(',')
        .map(right)
        .collect::<Result<Rights, _>>()?;
    Rule::new(name, key, rights).map_err(|error| wrong(&error.to_string()))
}
