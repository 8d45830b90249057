//! Reading JSON, so that an error names the key that is wrong.

use serde::{Deserializer, de::DeserializeOwned};
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
