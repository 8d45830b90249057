//! Hybrid connections and rules.

use hyco_protocol::{Right, Rights, Rule, query};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use super::{Operation, Outcome, parse};
use crate::{
    events::{EventKind, millis},
    hybrid_connection::HybridConnection,
    json::Object,
    options::{HybridConnectionOptions, new_key},
    valid,
};

/// A hybrid connection, as JSON says it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HybridConnectionSpec {
    #[serde(deserialize_with = "path")]
    pub(crate) path: String,
    #[serde(default = "yes")]
    requires_client_authorization: bool,
    #[serde(default)]
    pub(crate) rules: Vec<RuleSpec>,
}

/// A rule that can be made, perhaps without a key yet.
#[derive(Deserialize)]
#[serde(try_from = "Object<RuleText>")]
pub(crate) struct RuleSpec {
    pub(crate) key_name: String,
    pub(crate) key: Option<String>,
    secondary_key: Option<String>,
    rights: Rights,
}

/// A rule, as JSON says it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleText {
    key_name: String,
    key: Option<String>,
    secondary_key: Option<String>,
    rights: Option<Vec<RightName>>,
}

#[derive(Clone, Copy, Deserialize)]
enum RightName {
    Listen,
    Send,
    Manage,
}

impl std::fmt::Debug for RuleSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSpec")
            .field("key_name", &self.key_name)
            .finish_non_exhaustive()
    }
}

impl HybridConnectionSpec {
    pub(crate) fn options(self) -> Result<HybridConnectionOptions, String> {
        Ok(HybridConnectionOptions {
            path: self.path,
            requires_client_authorization: self.requires_client_authorization,
            rules: self
                .rules
                .into_iter()
                .map(RuleSpec::rule)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl RuleSpec {
    /// The rule; without a key it gets a new one.
    pub(crate) fn rule(self) -> Result<Rule, String> {
        let key = match self.key {
            Some(key) => key,
            None => new_key().map_err(|error| error.to_string())?,
        };
        made(self.key_name, key, self.secondary_key, self.rights)
    }
}

impl TryFrom<Object<RuleText>> for RuleSpec {
    type Error = String;

    fn try_from(Object(text): Object<RuleText>) -> Result<Self, String> {
        let RuleText {
            key_name,
            key,
            secondary_key,
            rights,
        } = text;
        let rights = rights.map_or(Rights::ALL, |names| {
            names.into_iter().map(Right::from).collect()
        });
        let rights = valid::rights(rights)?;
        // One that is made later is always good.
        let any = key.clone().unwrap_or_else(|| "key".to_owned());
        made(key_name.clone(), any, secondary_key.clone(), rights)?;
        Ok(Self {
            key_name,
            key,
            secondary_key,
            rights,
        })
    }
}

fn made(
    name: String,
    key: String,
    secondary_key: Option<String>,
    rights: Rights,
) -> Result<Rule, String> {
    let rule = Rule::new(name, key, rights);
    let rule = match secondary_key {
        None => rule,
        Some(key) => rule.and_then(|rule| rule.with_secondary_key(key)),
    };
    rule.map_err(|error| error.to_string())
}

impl From<RightName> for Right {
    fn from(name: RightName) -> Self {
        match name {
            RightName::Listen => Self::Listen,
            RightName::Send => Self::Send,
            RightName::Manage => Self::Manage,
        }
    }
}

impl Operation<'_> {
    pub(super) fn hybrid_connections(&self) -> Outcome {
        match (self.method.as_str(), self.rest) {
            ("GET", "") => {
                let connections = self.relay.hybrid_connections();
                Ok(connections.iter().map(|one| self.show(one)).collect())
            }
            ("POST", "") => {
                let spec: HybridConnectionSpec = parse(self.object()?)?;
                let options = spec.options().map_err(|message| (400, message))?;
                let connection =
                    HybridConnection::new(options).map_err(|error| (400, error.to_string()))?;
                let path = connection.path.clone();
                match self.relay.create(connection) {
                    true => Ok(json!({ "path": path })),
                    false => Err((
                        409,
                        format!("there is a hybrid connection '{path}' already"),
                    )),
                }
            }
            ("GET", path) => match self.relay.named(&decoded(path)) {
                Some(connection) => Ok(self.show(&connection)),
                None => Err(self.missing("hybrid connection")),
            },
            ("DELETE", path) if !path.is_empty() => match self.relay.delete(&decoded(path)) {
                true => Ok(json!({})),
                false => Err(self.missing("hybrid connection")),
            },
            _ => Err(self.no_method()),
        }
    }

    fn show(&self, connection: &std::sync::Arc<HybridConnection>) -> Value {
        let here =
            |other: &std::sync::Arc<HybridConnection>| std::sync::Arc::ptr_eq(connection, other);
        let spans = self.relay.bridges.list();
        let pending = self.relay.pending.list();
        let requests = self.relay.requests.list();
        json!({
            "path": connection.path,
            "requiresClientAuthorization": connection.requires_client_authorization,
            "createdAt": millis(connection.created),
            "listeners": connection.listeners().len(),
            "pending": pending.iter().filter(|(_, other, _)| here(other)).count(),
            "connections": spans.iter().filter(|span| here(&span.connection)).count(),
            "requests": requests.iter().filter(|one| here(&one.connection)).count(),
            "recorded": connection.is_recorded(),
            "rules": connection.rules().iter().map(Rule::name).collect::<Vec<_>>(),
        })
    }

    pub(super) fn rules(&self) -> Outcome {
        let path = query::parameter(self.query, "hybridConnection");
        let connection = match path {
            None => None,
            Some(path) => match self.relay.named(&path) {
                Some(connection) => Some(connection),
                None => return Err((404, format!("there is no hybrid connection '{path}'"))),
            },
        };
        let mut rules = connection
            .as_ref()
            .map_or_else(|| self.relay.rules(), |connection| connection.rules());
        let at = |rules: &[Rule], name: &str| {
            rules
                .iter()
                .position(|rule| rule.name().eq_ignore_ascii_case(name))
        };
        let answer = match (self.method.as_str(), self.rest) {
            ("GET", "") => return Ok(rules.iter().map(show_rule).collect()),
            ("POST", "") => {
                let spec: RuleSpec = parse(self.object()?)?;
                let rule = spec.rule().map_err(|message| (400, message))?;
                if at(&rules, rule.name()).is_some() {
                    return Err((409, format!("there is a rule '{}' already", rule.name())));
                }
                if rules.len() >= MOST_RULES {
                    return Err((403, format!("there are {MOST_RULES} rules already")));
                }
                let shown = show_rule(&rule);
                self.changed(format!("created the rule {}", rule.name()));
                rules.push(rule);
                shown
            }
            ("DELETE", name) if !name.is_empty() => {
                let Some(at) = at(&rules, &decoded(name)) else {
                    return Err(self.missing("rule"));
                };
                let rule = rules.remove(at);
                self.changed(format!("deleted the rule {}", rule.name()));
                json!({})
            }
            _ => return Err(self.no_method()),
        };
        match connection {
            Some(connection) => connection.set_rules(rules),
            None => self.relay.set_rules(rules),
        }
        Ok(answer)
    }

    fn changed(&self, what: String) {
        self.relay.events.tell(EventKind::Changed { what });
    }
}

/// A rule with its keys: they are shown to those who may change them.
pub(crate) fn show_rule(rule: &Rule) -> Value {
    let rights = rule.rights();
    let names: Vec<_> = [
        ("Listen", rights.listen),
        ("Send", rights.send),
        ("Manage", rights.manage),
    ]
    .into_iter()
    .filter_map(|(name, granted)| granted.then_some(name))
    .collect();
    json!({
        "keyName": rule.name(),
        "key": rule.primary_key(),
        "secondaryKey": rule.secondary_key(),
        "rights": names,
    })
}

fn decoded(path: &str) -> String {
    let path = path.replace('+', "%2B").replace('&', "%26");
    query::parameter(&format!("x={path}"), "x").unwrap_or_default()
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    valid::path(&text).map_err(D::Error::custom)
}

fn yes() -> bool {
    true
}

/// As many as a level has in Azure.
const MOST_RULES: usize = 12;
