//! The crate's one error type.

/// An error with a code that stays the same from version to version.
pub trait Coded: std::error::Error {
    /// The code, `HYCO_ERR_` and a name; `docs/errors.md` explains each.
    fn code(&self) -> &'static str;
}

/// What is wrong with an input. Messages never quote a key or a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be understood; mend the address.
    #[error("invalid address: {0}")]
    InvalidAddress(&'static str),
    /// `sb-hc-action` has a value that names no action.
    #[error("unknown action")]
    UnknownAction,
    /// The status or the reason phrase of a rejection cannot be sent.
    #[error("invalid rejection: {0}")]
    InvalidRejection(&'static str),
    /// The name or the key of a rule is empty or longer than 256 characters.
    #[error("invalid rule: {0}")]
    InvalidRule(&'static str),
    /// A token's text is not a token.
    #[error("invalid token: {0}")]
    InvalidToken(&'static str),
    /// A connection string breaks the grammar, or its members contradict each other.
    #[error("invalid connection string: {0}")]
    InvalidConnectionString(String),
    /// A message on a control channel is not a command; log it and go on.
    #[error("malformed command: {0}")]
    MalformedCommand(String),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidAddress(_) => "HYCO_ERR_INVALID_ADDRESS",
            Self::UnknownAction | Self::MalformedCommand(_) => "HYCO_ERR_PROTOCOL",
            Self::InvalidRejection(_) => "HYCO_ERR_INVALID_REJECTION",
            Self::InvalidRule(_) | Self::InvalidToken(_) => "HYCO_ERR_INVALID_TOKEN",
            Self::InvalidConnectionString(_) => "HYCO_ERR_INVALID_CONNECTION_STRING",
        }
    }
}

impl Error {
    /// The code, as [`Coded`] gives it.
    pub fn code(&self) -> &'static str {
        Coded::code(self)
    }
}
