//! What clients need to connect: connection strings and tokens.

use hyco_protocol::{Right, Rule, token::sign_canonical};
use serde_json::{Value, json};

use super::{Operation, Outcome};
use crate::chosen_rules::ChosenRules;

impl Operation<'_> {
    /// Connection strings for each hybrid connection, plain and over TLS: with a rule that lets both sides
    /// in, else with one for listeners, and beside it one for senders.
    pub(super) fn connection_strings(&self) -> Value {
        let rules = self.relay.rules();
        let bases = &self.relay.bases;
        self.relay
            .hybrid_connections()
            .iter()
            .map(|connection| {
                let chosen = ChosenRules::among(&connection.rules(), &rules);
                let string = |rule: Option<&Rule>, secure| {
                    bases.connection_string(rule?, Some(&connection.path), secure)
                };
                let mut strings = json!({
                    "hybridConnection": connection.path,
                    "plain": string(chosen.first(), false),
                    "tls": string(chosen.first(), true),
                });
                if let Some(sender) = chosen.other_sender() {
                    strings["senderPlain"] = json!(string(Some(sender), false));
                    strings["senderTls"] = json!(string(Some(sender), true));
                }
                strings
            })
            .collect()
    }

    /// Makes a token that is good for an hour, for a client that cannot sign one, as a page.
    pub(super) fn token(&self) -> Outcome {
        let spec = self.object()?;
        let path = spec.get("hybridConnection").and_then(Value::as_str);
        let Some(connection) = path.and_then(|path| self.relay.named(path)) else {
            let message = "hybridConnection must be the path of one that exists";
            return Err((400, message.to_owned()));
        };
        let mut rules = connection.rules();
        rules.extend(self.relay.rules());
        let rule = rules.iter().find(|rule| rule.rights().grant(Right::Send));
        let Some(rule) = rule else {
            return Err((409, "no rule grants Send".to_owned()));
        };
        let uri = format!("http://localhost/{}", connection.path);
        let end = self.relay.now() + 3600;
        let token = sign_canonical(&uri, rule.name(), rule.primary_key(), end)
            .map_err(|error| (500, error.to_string()))?;
        Ok(json!({ "token": token, "expiresAt": end }))
    }
}
