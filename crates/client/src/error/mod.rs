//! The crate's one error type.

mod cause;
mod class;

use std::{io, time::Duration};

use hyco_protocol::{Coded, tracking::extract_tracking_id};

use crate::tls_failure::TlsFailure;
pub use crate::{
    proxy_failure::ProxyFailure,
    refusal::{Refusal, RefusedBy},
};

/// Why something failed. Messages never quote a token, a key or the query of an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be dialled; mend the address.
    #[error("invalid address: {0}")]
    InvalidAddress(&'static str),
    /// A header's name or value cannot be sent; mend the header.
    #[error("invalid header {0:?}")]
    InvalidHeader(String),
    /// A certificate or key of the TLS options is unusable; mend the options.
    #[error("invalid TLS options: {0}")]
    InvalidTls(String),
    /// The status or the reason phrase of a rejection cannot be sent.
    #[error("{0}")]
    InvalidRejection(String),
    /// The token provider failed or did not answer in time; it is asked again before the next try.
    #[error("no token: {0}")]
    Token(String),
    /// The peer answered 401 or 403: the token is missing, invalid, expired, or lacks the right.
    #[error("unauthorized: {0}")]
    Unauthorized(Refusal),
    /// The relay knows no hybrid connection of that name; create it or mend the path.
    #[error("endpoint not found: {0}")]
    EndpointNotFound(Refusal),
    /// No listener is online that could take the connection; try again later.
    #[error("no listener: {0}")]
    NoListener(Refusal),
    /// The peer answered that the other side was too late (408, 504); try again.
    #[error("the other side timed out: {0}")]
    LateAnswer(Refusal),
    /// The service failed or is busy (500, 502, 503 with a tracking id); try again later.
    #[error("service unavailable: {0}")]
    Unavailable(Refusal),
    /// A quota of the namespace or the hybrid connection is used up, such as its 25 listeners.
    #[error("a quota is used up: {0}")]
    Quota(Refusal),
    /// The listener, or a server that is no relay, refused a sender with this status, which proxies and
    /// gateways do not use.
    #[error("refused by the listener: {0}")]
    RefusedByListener(Refusal),
    /// Another answer than 101, which is not one of the above.
    #[error("refused: {0}")]
    Rejected(Refusal),
    /// The sender left, or the decision came more than 30 s after the accept; nothing is to be done.
    #[error("the sender is gone{}", .0.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    SenderGone(Option<Refusal>),
    /// Too many rendezvous were being opened; the sender was told 503.
    #[error("too many connections are being accepted, the sender was refused with 503")]
    Busy,
    /// A step took too long.
    #[error("{step} has timed out after {} ms", after.as_millis())]
    Timeout {
        /// What was under way.
        step: &'static str,
        /// The deadline that was given for the whole.
        after: Duration,
    },
    /// The name of the host has no address.
    #[error("cannot resolve {host}: {source}")]
    Lookup {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The host cannot be reached.
    #[error("cannot connect to {peer}: {source}")]
    Connect {
        /// Host and port.
        peer: String,
        /// What the system said about the last address tried.
        source: io::Error,
    },
    /// The proxy is dead, refuses the connection or its credentials, or is none.
    #[error("proxy {proxy} {failure}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What went wrong there.
        #[source]
        failure: ProxyFailure,
    },
    /// TLS failed.
    #[error("TLS with {peer} failed: {failure}")]
    Tls {
        /// Host and port.
        peer: String,
        /// Why, in the words of Node.
        #[source]
        failure: TlsFailure,
    },
    /// The connection broke during the TLS handshake.
    #[error("connection to {peer} lost during the TLS handshake: {source}")]
    TlsBroken {
        /// Host and port.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke during the WebSocket handshake.
    #[error("connection lost during the opening handshake: {0}")]
    Handshake(#[source] io::Error),
    /// The peer's answer breaks the WebSocket protocol; the texts are those of npm `ws`.
    #[error("{0}")]
    Protocol(String),
    /// An open control channel ended without our doing; 1006 means without a close frame.
    #[error("control channel lost: {code} {reason}")]
    Lost {
        /// The close code.
        code: u16,
        /// The close reason, or what happened instead of a close.
        reason: String,
    },
    /// A task of this package panicked; report it.
    #[error("something failed that should not: {0}")]
    Internal(String),
    /// A relayed HTTP request cannot be served; the sender was told so.
    #[error("the relayed request cannot be served: {0}")]
    BadRequest(&'static str),
    /// The HTTP server's answer cannot be relayed; mend the server.
    #[error("the server's answer cannot be relayed: {0}")]
    BadAnswer(&'static str),
    /// The HTTP server cannot be reached, or gave the request up.
    #[error("the server did not answer: {0}")]
    Upstream(#[source] io::Error),
    /// As many requests as allowed are unanswered; the sender was answered 503.
    #[error("too many requests are unanswered")]
    TooManyRequests,
    /// What was being opened was given up.
    #[error("closed before it was open")]
    Closed,
}

impl Error {
    /// The stable code, `HYCO_ERR_` and a name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidAddress(_) => "HYCO_ERR_INVALID_ADDRESS",
            Self::InvalidHeader(_) => "HYCO_ERR_INVALID_HEADER",
            Self::InvalidTls(_) => "HYCO_ERR_INVALID_TLS",
            Self::InvalidRejection(_) => "HYCO_ERR_INVALID_REJECTION",
            Self::Token(_) => "HYCO_ERR_TOKEN",
            Self::Unauthorized(_) => "HYCO_ERR_UNAUTHORIZED",
            Self::EndpointNotFound(_) => "HYCO_ERR_ENDPOINT_NOT_FOUND",
            Self::NoListener(_) => "HYCO_ERR_NO_LISTENER",
            Self::Unavailable(_) => "HYCO_ERR_UNAVAILABLE",
            Self::Quota(_) => "HYCO_ERR_QUOTA",
            Self::Rejected(_) | Self::RefusedByListener(_) => "HYCO_ERR_REJECTED",
            Self::SenderGone(_) => "HYCO_ERR_SENDER_GONE",
            Self::Busy => "HYCO_ERR_BUSY",
            Self::LateAnswer(_) | Self::Timeout { .. } => "HYCO_ERR_TIMEOUT",
            Self::Lookup { .. } | Self::Connect { .. } => "HYCO_ERR_CONNECT",
            Self::Proxy { .. } => "HYCO_ERR_PROXY",
            Self::Tls { .. } | Self::TlsBroken { .. } => "HYCO_ERR_TLS",
            Self::Handshake(_) | Self::Lost { .. } => "HYCO_ERR_CONNECTION_LOST",
            Self::Protocol(_) => "HYCO_ERR_PROTOCOL",
            Self::Internal(_) => "HYCO_ERR_INTERNAL",
            Self::BadRequest(_) => "HYCO_ERR_BAD_REQUEST",
            Self::BadAnswer(_) | Self::Upstream(_) => "HYCO_ERR_BAD_ANSWER",
            Self::TooManyRequests => "HYCO_ERR_TOO_MANY_REQUESTS",
            Self::Closed => "HYCO_ERR_CLOSED",
        }
    }

    /// The HTTP status the peer, or the proxy on the way to it, answered, if it answered one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Proxy { failure, .. } => failure.status(),
            _ => self.refusal().map(|refusal| refusal.status),
        }
    }

    /// The reason phrase or close reason the peer gave, as it came.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Lost { reason, .. } => Some(reason),
            _ => self.refusal().map(|refusal| refusal.reason.as_str()),
        }
    }

    /// How the other side closed an open control channel; 1006 is without a close frame.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Lost { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The id under which the service knows what failed.
    pub fn tracking_id(&self) -> Option<&str> {
        match self {
            Self::Lost { reason, .. } => extract_tracking_id(reason),
            _ => self
                .refusal()
                .and_then(|refusal| refusal.tracking_id.as_deref()),
        }
    }

    /// Who gave the answer behind it, as far as that can be told.
    pub fn refused_by(&self) -> Option<RefusedBy> {
        match self {
            Self::RefusedByListener(_) => Some(RefusedBy::Listener),
            _ if self.refusal()?.is_from_service() => Some(RefusedBy::Relay),
            _ => None,
        }
    }

    /// The answer behind it, if there is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::EndpointNotFound(refusal)
            | Self::NoListener(refusal)
            | Self::LateAnswer(refusal)
            | Self::Unavailable(refusal)
            | Self::Quota(refusal)
            | Self::RefusedByListener(refusal)
            | Self::Rejected(refusal) => Some(refusal),
            Self::SenderGone(refusal) => refusal.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn refusal_mut(&mut self) -> Option<&mut Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::EndpointNotFound(refusal)
            | Self::NoListener(refusal)
            | Self::LateAnswer(refusal)
            | Self::Unavailable(refusal)
            | Self::Quota(refusal)
            | Self::RefusedByListener(refusal)
            | Self::Rejected(refusal) => Some(refusal),
            Self::SenderGone(refusal) => refusal.as_mut(),
            _ => None,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

/// What [`Error`] is to this crate.
pub type Result<T> = std::result::Result<T, Error>;
