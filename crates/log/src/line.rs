//! A line of the log.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use hyco_protocol::redact;
use serde::Serialize;
use tracing::{
    Event,
    field::{Field, Visit},
};

/// What was said, by whom, and about what. Secrets are hidden in all of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Line {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// The module that says it.
    pub target: String,
    /// What it says.
    pub message: String,
    /// What belongs to it, by name.
    pub fields: BTreeMap<&'static str, String>,
    /// The fields of the spans around it, by the name of the span, a dot and their own.
    pub spans: BTreeMap<String, String>,
}

impl Line {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        Self {
            level: match *metadata.level() {
                tracing::Level::ERROR => "error",
                tracing::Level::WARN => "warn",
                tracing::Level::INFO => "info",
                tracing::Level::DEBUG => "debug",
                tracing::Level::TRACE => "trace",
            },
            target: metadata.target().to_owned(),
            message: fields.0.remove("message").unwrap_or_default(),
            fields: fields.0,
            spans: BTreeMap::new(),
        }
    }

    pub(crate) fn add_span(&mut self, name: &str, fields: &Fields) {
        for (field, value) in &fields.0 {
            self.spans.insert(format!("{name}.{field}"), value.clone());
        }
    }

    /// The number that a span of that name has, if there is one around it.
    #[must_use]
    pub fn number(&self, span: &str) -> Option<u32> {
        self.spans.get(&format!("{span}.number"))?.parse().ok()
    }
}

impl fmt::Display for Line {
    /// As people read it: level, module, message and fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.trim_start_matches("hyco_");
        write!(f, "{} {target}: {}", self.level, self.message)?;
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

/// Fields as texts, by name.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), redact(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A value that cannot be written is no reason to say nothing.
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name(), redact(&text));
    }
}
