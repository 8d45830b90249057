//! The target of a request as the relay reads it, and which hybrid connection it means.

use std::fmt;

use crate::{
    action::Action,
    address::{origin_form, strip_hybrid},
    encoding::decode,
    error::Error,
    names, query,
    redact::redact,
};

/// The first line of a request to the relay, taken apart.
///
/// Values are decoded, a `+` being a blank; of a repeated parameter the first counts. The application's
/// own path and query stand as they came.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The path without `/$hc`, percent-encoded as it came; starts with a slash.
    pub path: String,
    /// Whether `/$hc` was there, which makes it a WebSocket request.
    pub hybrid: bool,
    /// The word in `sb-hc-action`, if it is there and not empty.
    pub action_word: Option<String>,
    /// The tracking id, if it is there and not empty.
    pub id: Option<String>,
    /// The token, if it is there and not empty.
    pub token: Option<String>,
    /// The name of a rule whose raw key is sent along.
    pub sas_key_name: Option<String>,
    /// The raw key.
    pub sas_key: Option<String>,
    /// The application's query: what is left without the relay's parameters.
    pub query: String,
    status_code: Option<String>,
    status_description: Option<String>,
    short_names: bool,
}

/// A listener's refusal of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status for the sender, 100 to 999.
    pub status: u16,
    /// The reason phrase as the listener gave it; none means the standard phrase of the status.
    pub description: Option<String>,
    /// Whether the parameters lacked their prefix, which deserves a warning.
    pub short_names: bool,
}

impl Target {
    /// Reads a request target in origin form (`/path?query`) or absolute form (`http://host/path?query`).
    pub fn parse(request_target: &str) -> Self {
        let origin = origin_form(request_target);
        let (path, all) = origin.split_once('?').unwrap_or((origin, ""));
        let (path, hybrid) = strip_hybrid(path);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let value = |name| query::parameter(all, name);
        let filled = |name| value(name).filter(|text| !text.is_empty());
        let action_word = filled(names::ACTION);
        let accepts = action_word
            .as_deref()
            .is_some_and(|word| word.eq_ignore_ascii_case("accept"));
        let mut status_code = value(names::STATUS_CODE);
        let mut status_description = value(names::STATUS_DESCRIPTION);
        let short_names = accepts && status_code.is_none();
        if short_names {
            status_code = value(names::SHORT_STATUS_CODE);
            status_description =
                status_description.or_else(|| value(names::SHORT_STATUS_DESCRIPTION));
        }
        Self {
            path: format!("{slash}{path}"),
            hybrid,
            action_word,
            id: filled(names::ID),
            token: filled(names::TOKEN),
            sas_key_name: filled(names::SAS_KEY_NAME),
            sas_key: filled(names::SAS_KEY),
            query: query::strip_query(all),
            status_code,
            status_description,
            short_names,
        }
    }

    /// What is asked for; nothing said means [`Action::Connect`].
    pub fn action(&self) -> Result<Action, Error> {
        self.action_word
            .as_deref()
            .map_or(Ok(Action::Connect), str::parse)
    }

    /// The rejection in an accept address. A status that is no number from 100 to 999 is an error.
    pub fn rejection(&self) -> Option<Result<Rejection, Error>> {
        let digits = self.status_code.as_deref()?;
        let status = match digits.parse() {
            Ok(status @ 100..=999) if digits.len() == 3 => status,
            _ => {
                let error = Error::InvalidRejection("the status must be from 100 to 999");
                return Some(Err(error));
            }
        };
        let description = self
            .status_description
            .clone()
            .filter(|text| !text.is_empty());
        Some(Ok(Rejection {
            status,
            description,
            short_names: self.short_names,
        }))
    }

    /// The application's path and query: what an HTTP request's `requestTarget` holds.
    pub fn application_target(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("path", &self.path)
            .field("hybrid", &self.hybrid)
            .field("action", &self.action_word)
            .field("id", &self.id)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("query", &redact(&self.query))
            .field("status_code", &self.status_code)
            .finish_non_exhaustive()
    }
}

/// Finds the hybrid connection that a path means: the longest name that is a prefix of the path by whole
/// segments, without regard to case. Gives the name and what follows it in the path, as it stands.
pub fn find_entity<'n, 'p>(
    path: &'p str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<(&'n str, &'p str)> {
    let matches = |name: &'n str| Some((name, segment_prefix(name, path)?));
    names
        .into_iter()
        .filter_map(matches)
        .min_by_key(|(_, suffix)| suffix.len())
}

/// What is left of `path` after the segments of `prefix`; none if they are not its first segments.
///
/// Escapes are decoded and letter case is ignored; slashes at the ends do not count.
pub(crate) fn segment_prefix<'p>(prefix: &str, path: &'p str) -> Option<&'p str> {
    let mut rest = path;
    for wanted in prefix.split('/').filter(|segment| !segment.is_empty()) {
        let from = rest.trim_start_matches('/');
        let (segment, after) = from.split_at(from.find('/').unwrap_or(from.len()));
        if fold(segment) != fold(wanted) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

fn fold(segment: &str) -> String {
    decode(segment).to_lowercase()
}
