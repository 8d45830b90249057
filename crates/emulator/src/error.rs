//! The crate's one error type.

use std::io;

use hyco_protocol::Coded;

/// Why an emulator could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on: it is in use, or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Host and port as given.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use the certificate: {0}")]
    Tls(String),
    /// An option has a value that makes no sense; the message names it.
    #[error("invalid option {option}: {reason}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "HYCO_ERR_EMULATOR_BIND",
            Self::Tls(_) => "HYCO_ERR_TLS",
            Self::InvalidOption { .. } => "HYCO_ERR_INVALID_OPTION",
            Self::Random(_) => "HYCO_ERR_INTERNAL",
        }
    }
}

impl Error {
    /// The code, as [`Coded`] gives it.
    pub fn code(&self) -> &'static str {
        Coded::code(self)
    }
}
