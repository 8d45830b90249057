//! Why TLS failed, in the words and with the codes of Node.

use std::{fmt, io, sync::Arc};

use rustls::{CertificateError, OtherError};

/// Why a TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// The code that Node gives to it, such as `CERT_HAS_EXPIRED`.
    pub code: &'static str,
    /// The text that Node gives to it.
    pub text: String,
}

impl TlsFailure {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, text }
    }

    /// What an error of a TLS stream means; none if it is not one of TLS.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::InvalidCertificate(reason) => Self::of_certificate(reason),
            rustls::Error::AlertReceived(alert) => {
                let name = snake_case(&format!("{alert:?}"));
                Self::new(
                    "EPROTO",
                    format!("the server ended it with the alert {name}"),
                )
            }
            rustls::Error::InvalidMessage(_) => {
                let text = "wrong version number: what the server sent is not TLS";
                Self::new("ERR_SSL_WRONG_VERSION_NUMBER", text)
            }
            rustls::Error::PeerIncompatible(_) => {
                let text = "unsupported protocol: the server has no version or cipher in common";
                Self::new("ERR_SSL_UNSUPPORTED_PROTOCOL", text)
            }
            other => Self::new("EPROTO", other.to_string()),
        })
    }

    fn of_certificate(reason: &CertificateError) -> Self {
        use CertificateError as Reason;

        let (code, text) = match reason {
            Reason::Other(OtherError(other)) => match other.downcast_ref::<Self>() {
                Some(own) => return own.clone(),
                None => ("UNSPECIFIED", "unspecified certificate verification error"),
            },
            Reason::Expired | Reason::ExpiredContext { .. } => EXPIRED,
            Reason::NotValidYet | Reason::NotValidYetContext { .. } => NOT_YET_VALID,
            Reason::NotValidForName | Reason::NotValidForNameContext { .. } => (
                ALTNAME_INVALID,
                "Hostname/IP does not match certificate's altnames",
            ),
            Reason::UnknownIssuer => NO_ISSUER,
            Reason::BadSignature => ("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
            Reason::Revoked => ("CERT_REVOKED", "certificate revoked"),
            Reason::UnhandledCriticalExtension => (
                "UNHANDLED_CRITICAL_EXTENSION",
                "unhandled critical extension",
            ),
            Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => {
                ("INVALID_PURPOSE", "unsuitable certificate purpose")
            }
            Reason::BadEncoding => ("ERR_OSSL_ASN1_WRONG_TAG", "the certificate cannot be read"),
            _ => ("UNSPECIFIED", "unspecified certificate verification error"),
        };
        Self::new(code, text)
    }

    /// As an error of rustls that [`of`](Self::of) knows again.
    pub(crate) fn into_rustls(self) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(self))).into()
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for TlsFailure {}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

/// A code, and the text that goes with it.
type Known = (&'static str, &'static str);

pub(crate) const EXPIRED: Known = ("CERT_HAS_EXPIRED", "certificate has expired");
pub(crate) const NOT_YET_VALID: Known = ("CERT_NOT_YET_VALID", "certificate is not yet valid");
pub(crate) const NO_ISSUER: Known = (
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "unable to verify the first certificate",
);
pub(crate) const NO_LOCAL_ISSUER: Known = (
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "unable to get local issuer certificate",
);
pub(crate) const SELF_SIGNED: Known = ("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate");
pub(crate) const SELF_SIGNED_IN_CHAIN: Known = (
    "SELF_SIGNED_CERT_IN_CHAIN",
    "self-signed certificate in certificate chain",
);
pub(crate) const ALTNAME_INVALID: &str = "ERR_TLS_CERT_ALTNAME_INVALID";
