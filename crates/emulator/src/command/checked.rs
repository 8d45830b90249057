//! Values of the file that are checked where they are read, so that a mistake has its key and its line.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::entry::HybridConnectionEntry;
use crate::{admin::namespace::RuleSpec, faults::Fault, json::Object, valid};

/// A fault that can be set.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Object<Fault>")]
pub(crate) struct CheckedFault(pub(crate) Fault);

impl TryFrom<Object<Fault>> for CheckedFault {
    type Error = String;

    fn try_from(Object(fault): Object<Fault>) -> Result<Self, String> {
        fault.check()?;
        Ok(Self(fault))
    }
}

/// The name of a host.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Host(pub(crate) String);

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        valid::host(&text)?;
        Ok(Self(text))
    }
}

/// What listeners dial.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PublicUrl(pub(crate) String);

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        valid::public_url(&text)?;
        Ok(Self(text))
    }
}

/// A text that is not shown.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Hybrid connections, each of which is there once.
pub(crate) fn hybrid_connections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<HybridConnectionEntry>>, D::Error> {
    let all: Option<Vec<HybridConnectionEntry>> = Deserialize::deserialize(deserializer)?;
    let paths = all.iter().flatten().map(HybridConnectionEntry::path);
    valid::distinct("hybrid connections", paths).map_err(D::Error::custom)?;
    Ok(all)
}

/// Rules, each of which is there once.
pub(crate) fn rules<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<RuleSpec>>, D::Error> {
    let all: Option<Vec<RuleSpec>> = Deserialize::deserialize(deserializer)?;
    let names = all.iter().flatten().map(|rule| &*rule.key_name);
    valid::distinct("rules", names).map_err(D::Error::custom)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use crate::{command::config::Config, json};

    #[test]
    fn a_list_is_no_object_without_names() {
        for (text, named) in [
            (
                "{\n \"rules\": [[\"a\", \"b\"]] }",
                "rules[0]: it must be an object, { … }, and not a list",
            ),
            (
                "{\n \"rules\": [[{ \"keyName\": \"a\" }]] }",
                "rules[0]: it must be an object, { … }, and not a list",
            ),
            (
                "{\n \"faults\": [[\"drop\", \"control\"]] }",
                "faults[0]: it must be an object, { … }, and not a list",
            ),
            (
                "{\n \"faults\": [\"swallowAccept\"] }",
                "faults[0]: invalid type: string \"swallowAccept\", expected an object",
            ),
            (
                "{\n \"hybridConnections\": [{ \"path\": \"a\", \"rules\": [[\"b\"]] }] }",
                "hybridConnections[0].rules[0]: it must be an object, { … }, and not a list",
            ),
            (
                "{\n \"hybridConnections\": [[\"a\"]] }",
                "hybridConnections[0]: invalid type: sequence, expected a path, or an object",
            ),
        ] {
            let read = json::from_text::<json::Object<Config>>(text);
            let message = read.expect_err(text);
            assert!(message.starts_with(named), "{message}");
            assert!(message.contains(" at line 2 column "), "{message}");
        }
    }
}
