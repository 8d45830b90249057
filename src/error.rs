//! How a core error becomes a JavaScript error with a `code`.

use hyco_protocol::Coded;
use napi::bindgen_prelude::Error;

/// The `code` of a JavaScript error.
#[derive(Debug)]
pub struct Code(&'static str);

impl From<&'static str> for Code {
    fn from(code: &'static str) -> Self {
        Self(code)
    }
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// What a synchronous function of the boundary returns.
pub type Result<T> = std::result::Result<T, Error<Code>>;

/// Turns a core result into one that JavaScript understands.
pub trait IntoJs<T> {
    /// Keeps the value, converts the error.
    fn into_js(self) -> Result<T>;
}

impl<T, E: Coded> IntoJs<T> for std::result::Result<T, E> {
    fn into_js(self) -> Result<T> {
        self.map_err(|error| {
            let mut js = Error::new(Code(error.code()), error.to_string());
            if let Some(source) = error.source() {
                js.set_cause(Error::from_reason(source.to_string()));
            }
            js
        })
    }
}
