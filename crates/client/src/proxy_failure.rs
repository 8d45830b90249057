//! Why a proxy made no connection.

use std::io;

/// What went wrong at a proxy; reads as a sentence behind its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFailure {
    /// It cannot be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// Its name has no address.
    #[error("has no address: {0}")]
    Unresolved(#[source] io::Error),
    /// It broke the connection off.
    #[error("failed: {0}")]
    Broken(#[source] io::Error),
    /// It answered something that no HTTP or SOCKS5 proxy says.
    #[error("does not answer as a proxy does")]
    NotOne,
    /// An HTTP proxy refused the tunnel.
    #[error("refused the connection: {status} {reason}")]
    Refused {
        /// Its status, such as 407 where it wants other credentials.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// A SOCKS5 proxy refused the connection or the credentials.
    #[error("refused the connection: {0}")]
    Socks(String),
}

impl ProxyFailure {
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable(_)
            | Self::Unresolved(_)
            | Self::Broken(_)
            | Self::NotOne
            | Self::Socks(_) => None,
        }
    }

    pub(crate) fn source_error(&self) -> Option<&io::Error> {
        match self {
            Self::Unreachable(error) | Self::Broken(error) => Some(error),
            Self::Unresolved(_) | Self::NotOne | Self::Refused { .. } | Self::Socks(_) => None,
        }
    }
}
