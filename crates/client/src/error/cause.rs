//! What lies under an error, in the words of Node.

use std::io;

use super::{Error, ProxyFailure};

impl Error {
    /// The code Node gives to the underlying failure of the system or of TLS, such as `ECONNREFUSED`.
    pub fn cause_code(&self) -> Option<&'static str> {
        match self {
            Self::Lookup { source, .. } => Some(lookup_code(source)),
            Self::Connect { source, .. }
            | Self::TlsBroken { source, .. }
            | Self::Handshake(source)
            | Self::Upstream(source) => io_code(source),
            Self::Tls { failure, .. } => Some(failure.code),
            Self::Proxy {
                failure: ProxyFailure::Unresolved(source),
                ..
            } => Some(lookup_code(source)),
            Self::Proxy { failure, .. } => failure.source_error().and_then(io_code),
            Self::Timeout { .. } => Some("ETIMEDOUT"),
            _ => None,
        }
    }

    /// The text of the underlying failure, if there is one.
    pub fn cause(&self) -> Option<String> {
        std::error::Error::source(self).map(ToString::to_string)
    }
}

/// The system's look-up tells what failed in words only.
fn lookup_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => "EAGAIN",
        _ if error.to_string().contains("emporary failure") => "EAI_AGAIN",
        _ => "ENOTFOUND",
    }
}

fn io_code(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "ECONNRESET",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::NetworkDown => "ENETDOWN",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::PermissionDenied => "EACCES",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_carry_the_names_node_uses() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = Error::Connect {
            peer: "localhost:1".to_owned(),
            source: refused,
        };
        assert_eq!(error.cause_code(), Some("ECONNREFUSED"));
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let error = Error::of_tls("localhost:1".to_owned(), io::Error::other(expired));
        assert_eq!(error.cause_code(), Some("CERT_HAS_EXPIRED"));
    }
}
