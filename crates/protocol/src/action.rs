//! The four actions.

use std::{fmt, str::FromStr};

use crate::error::Error;

/// What a WebSocket asks of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To be the control channel of a listener.
    Listen,
    /// To be a sender's connection; what a missing action means.
    Connect,
    /// To meet a sender, or to reject it.
    Accept,
    /// To carry one HTTP request and its response.
    Request,
}

impl Action {
    /// The word in `sb-hc-action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        [Self::Listen, Self::Connect, Self::Accept, Self::Request]
            .into_iter()
            .find(|action| action.as_str().eq_ignore_ascii_case(word))
            .ok_or(Error::UnknownAction)
    }
}
