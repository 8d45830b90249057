//! Reading JSON, so that an error names the key that is wrong.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

/// Reads a value.
///
/// # Errors
///
/// What is wrong, behind the path of the key.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    read(value)
}

/// Reads a whole text.
///
/// # Errors
///
/// What is wrong, with line and column, behind the path of the key.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = read(&mut deserializer)?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(read)
}

/// What stands in braces. A struct alone would take a list as well, its values in the order of the members.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Err(de::Error::custom(
                    "it must be an object, { … }, and not a list",
                ))
            }
        }

        deserializer.deserialize_any(Members(PhantomData))
    }
}

fn read<'a, T: DeserializeOwned, D: Deserializer<'a>>(from: D) -> Result<T, String> {
    serde_path_to_error::deserialize(from).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            // The top has no name, nor has a place that nothing came to.
            "." | "?" => error.inner().to_string(),
            _ => format!("{path}: {}", error.inner()),
        }
    })
}
