//! Which error a failure is.

use std::io;

use super::{Error, Refusal};
use crate::{endpoint::Endpoint, tls_failure::TlsFailure};

impl Error {
    /// What a task panicked with.
    pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Internal(hyco_protocol::redact(text.unwrap_or("a panic")))
    }

    /// Sorts an answer other than 101 into its class (docs/protocol.md, 3.2 and 4.4).
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let says = |words: &str| refusal.reason.contains(words);
        match refusal.status {
            // The service's own text; its status differs (docs/protocol.md, 7.2).
            400.. if says("QuotaExceeded") && refusal.is_from_service() => Self::Quota(refusal),
            401 | 403 => Self::Unauthorized(refusal),
            404 if says("listeners") && refusal.is_from_service() => Self::NoListener(refusal),
            404 if says("Endpoint does not exist") => Self::EndpointNotFound(refusal),
            408 | 504 => Self::LateAnswer(refusal),
            500 | 502 | 503 if refusal.is_from_service() => Self::Unavailable(refusal),
            _ => Self::Rejected(refusal),
        }
    }

    /// What an answer to a sender means: what the service has not signed comes from the listener, unless
    /// it is what proxies and gateways on the way say, too.
    pub(crate) fn of_sender(self) -> Self {
        match self {
            Self::Unauthorized(refusal) | Self::Rejected(refusal)
                if matches!(refusal.status, 400..=406 | 408..=428 | 430..=499)
                    && !refusal.is_from_service() =>
            {
                Self::RefusedByListener(refusal)
            }
            error => error,
        }
    }

    /// A failure of TLS may show only while the answer to the handshake is read.
    pub(crate) fn with_peer(self, endpoint: &Endpoint) -> Self {
        match self {
            Self::Handshake(source) => match TlsFailure::of(&source) {
                Some(failure) => Self::Tls {
                    peer: endpoint.peer(),
                    failure,
                },
                None => Self::Handshake(source),
            },
            error => error,
        }
    }

    /// An error of a stream over TLS while it was being opened.
    pub(crate) fn of_tls(peer: String, source: io::Error) -> Self {
        match TlsFailure::of(&source) {
            Some(failure) => Self::Tls { peer, failure },
            None => Self::TlsBroken { peer, source },
        }
    }

    /// What a refusal of an accept's address means: the address has died (docs/protocol.md, 4.5).
    pub(crate) fn of_rendezvous(self) -> Self {
        match self.refusal() {
            Some(refusal) if matches!(refusal.status, 400 | 403 | 404 | 410) => {
                Self::SenderGone(Some(refusal.clone()))
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RefusedBy;

    fn refused(status: u16, reason: &str) -> Error {
        Error::refused(Refusal::new(status, reason.to_owned(), None))
    }

    #[test]
    fn refusals_are_sorted_by_status_and_text_c56() {
        let service = "TrackingId:b7a0_G10, SystemTracker:sb://ns/e, Timestamp:2025-04-24T11:08:15";
        let code = |status, text: &str| refused(status, text).code();
        assert_eq!(code(401, "nope"), "HYCO_ERR_UNAUTHORIZED");
        assert_eq!(code(403, ""), "HYCO_ERR_UNAUTHORIZED");
        assert_eq!(
            code(404, &format!("Endpoint does not exist. {service}")),
            "HYCO_ERR_ENDPOINT_NOT_FOUND"
        );
        let nobody = format!("There are no listeners connected for the endpoint. {service}");
        assert_eq!(code(404, &nobody), "HYCO_ERR_NO_LISTENER");
        assert_eq!(code(404, "no such room"), "HYCO_ERR_REJECTED");
        assert_eq!(code(504, ""), "HYCO_ERR_TIMEOUT");
        assert_eq!(
            code(503, &format!("Busy. {service}")),
            "HYCO_ERR_UNAVAILABLE"
        );
        assert_eq!(code(503, "closed for lunch"), "HYCO_ERR_REJECTED");
        assert_eq!(code(200, "OK"), "HYCO_ERR_REJECTED");
    }

    #[test]
    fn a_refusal_exposes_status_reason_and_tracking_id_c56() {
        let error = refused(
            401,
            "InvalidSignature: bad. TrackingId:abc_G1, SystemTracker:x",
        );
        assert_eq!(error.status(), Some(401));
        assert_eq!(error.tracking_id(), Some("abc_G1"));
        assert!(error.reason().unwrap().starts_with("InvalidSignature"));
        assert!(
            error
                .to_string()
                .starts_with("unauthorized: 401 InvalidSignature")
        );
    }

    #[test]
    fn a_quota_is_no_matter_of_authorization() {
        let text = "QuotaExceeded: The maximum number of listeners. TrackingId:abc_G1, x";
        assert_eq!(refused(403, text).code(), "HYCO_ERR_QUOTA");
        assert_eq!(refused(503, text).code(), "HYCO_ERR_QUOTA");
        assert_eq!(
            refused(403, "QuotaExceeded").code(),
            "HYCO_ERR_UNAUTHORIZED"
        );
    }

    #[test]
    fn what_the_service_has_not_signed_comes_from_the_listener() {
        for status in [400, 401, 403, 404, 418, 499] {
            let error = refused(status, "No").of_sender();
            assert_eq!(error.code(), "HYCO_ERR_REJECTED");
            let text = format!("refused by the listener: {status} No");
            assert_eq!(error.to_string(), text);
            assert_eq!(error.refused_by(), Some(RefusedBy::Listener));
        }
        let signed = refused(401, "InvalidSignature. TrackingId:abc_G1, x").of_sender();
        assert_eq!(signed.code(), "HYCO_ERR_UNAUTHORIZED");
        assert_eq!(signed.refused_by(), Some(RefusedBy::Relay));
    }

    #[test]
    fn what_something_on_the_way_may_have_said_is_not_laid_to_the_listener() {
        for status in [200, 302, 407, 429, 500, 502, 503, 599] {
            let error = refused(status, "No").of_sender();
            assert_eq!(error.code(), "HYCO_ERR_REJECTED");
            assert_eq!(error.to_string(), format!("refused: {status} No"));
            assert_eq!(error.refused_by(), None);
        }
    }

    #[test]
    fn the_answer_behind_any_refusal_can_be_kept() {
        let signed = "QuotaExceeded: 25 listeners. TrackingId:abc_G1, x";
        for (status, text) in [(401, ""), (403, signed), (404, ""), (503, ""), (504, "")] {
            for mut error in [refused(status, text), refused(status, text).of_sender()] {
                assert!(error.refusal().is_some());
                assert!(error.refusal_mut().is_some(), "{error}");
            }
        }
    }
}
