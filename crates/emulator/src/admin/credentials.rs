//! What clients need to connect: connection strings and tokens.

use hyco_protocol::{Right, token::sign_canonical};
use serde_json::{Value, json};

use super::{Operation, Outcome};

impl Operation<'_> {
    /// A connection string for each hybrid connection, plain and over TLS, with the first rule.
    pub(super) fn connection_strings(&self) -> Value {
        let rules = self.relay.rules();
        let Some(rule) = rules.first() else {
            return json!([]);
        };
        let bases = &self.relay.bases;
        self.relay
            .hybrid_connections()
            .iter()
            .map(|connection| {
                let path = Some(connection.path.as_str());
                json!({
                    "hybridConnection": connection.path,
                    "plain": bases.connection_string(rule, path, false),
                    "tls": bases.connection_string(rule, path, true),
                })
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
