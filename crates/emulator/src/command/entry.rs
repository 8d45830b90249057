//! A hybrid connection, as the file and the command line say it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{admin::namespace::HybridConnectionSpec, options::HybridConnectionOptions, valid};

/// A hybrid connection: its path alone, or all of it.
#[derive(Debug)]
pub(crate) enum HybridConnectionEntry {
    Path(String),
    Spec(HybridConnectionSpec),
}

impl HybridConnectionEntry {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Spec(spec) => &spec.path,
        }
    }
}

/// Not `untagged`, whose errors say only that nothing fits.
impl<'de> Deserialize<'de> for HybridConnectionEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = HybridConnectionEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or an object with a path")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Self::Value, E> {
                valid::path(path)
                    .map(HybridConnectionEntry::Path)
                    .map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                let members = MapAccessDeserializer::new(members);
                Deserialize::deserialize(members).map(HybridConnectionEntry::Spec)
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

/// Reads `NAME` or `NAME:anonymous`.
pub(crate) fn from_argument(text: &str) -> Result<HybridConnectionOptions, String> {
    let (path, word) = text.split_once(':').unwrap_or((text, ""));
    if path.is_empty() || !["", "anonymous"].contains(&word) || text.ends_with(':') {
        return Err(format!(
            "--hybrid-connection cannot be '{text}': write NAME, or NAME:anonymous"
        ));
    }
    let path = valid::path(path).map_err(|error| format!("--hybrid-connection: {error}"))?;
    Ok(HybridConnectionOptions {
        requires_client_authorization: word.is_empty(),
        ..HybridConnectionOptions::new(path)
    })
}
