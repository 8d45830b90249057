//! What a certificate says, also one that webpki does not read: X.509 version 1, without alternative
//! names, or of an issuer that is itself a server. OpenSSL, and so Node, takes these.

use rustls::{
    DigitallySignedStruct,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime},
};
use x509_parser::{
    asn1_rs::{Any, FromDer},
    certificate::X509Certificate,
    extensions::GeneralName,
};

/// A certificate, read.
pub(crate) struct Certificate<'a> {
    der: &'a [u8],
    parsed: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; none if it is not one.
    pub(crate) fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        Some(Self { der, parsed })
    }

    /// Whether it was issued under its own name.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.parsed.subject().as_raw() == self.parsed.issuer().as_raw()
    }

    /// Whether that one bears the name of this one's issuer.
    pub(crate) fn names_as_issuer(&self, other: &Self) -> bool {
        self.parsed.issuer().as_raw() == other.parsed.subject().as_raw()
    }

    /// Whether that one has signed this one and may: certificates of version 1 may, and those that say so.
    pub(crate) fn is_issued_by(
        &self,
        issuer: &Self,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let may_issue = match issuer.parsed.basic_constraints() {
            Ok(Some(constraints)) => constraints.value.ca,
            Ok(None) => issuer.parsed.version().0 == 0,
            Err(_) => false,
        };
        may_issue
            && self.names_as_issuer(issuer)
            && self.is_signed_by(issuer, algorithms).unwrap_or(false)
    }

    /// Before, within or after its time.
    pub(crate) fn age(&self, now: UnixTime) -> Age {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = self.parsed.validity();
        match now {
            _ if now < validity.not_before.timestamp() => Age::NotYetValid,
            _ if now > validity.not_after.timestamp() => Age::Expired,
            _ => Age::Valid,
        }
    }

    /// Its alternative names, as Node writes them: `DNS:localhost, IP Address:127.0.0.1`.
    pub(crate) fn alternative_names(&self) -> String {
        let names: Vec<_> = self.general_names().filter_map(written).collect();
        names.join(", ")
    }

    /// Whether it is for that host by its common name, which counts where there are no other names.
    pub(crate) fn is_for(&self, host: &ServerName<'_>) -> bool {
        let (ServerName::DnsName(host), None) = (host, self.general_names().next()) else {
            return false;
        };
        let host = host.as_ref().to_ascii_lowercase();
        let names = self.parsed.subject().iter_common_name();
        names
            .filter_map(|name| name.as_str().ok())
            .any(|name| covers(&name.to_ascii_lowercase(), &host))
    }

    /// Its public key, as DER.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.parsed.public_key().raw
    }

    /// Whether its key has signed a TLS handshake.
    pub(crate) fn has_signed(
        &self,
        message: &[u8],
        signed: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let mapped = algorithms.mapping.iter();
        let fitting = mapped.filter(|(scheme, _)| *scheme == signed.scheme);
        fitting
            .flat_map(|(_, algorithms)| *algorithms)
            .any(|algorithm| {
                self.verifies(*algorithm, message, signed.signature())
                    .unwrap_or(false)
            })
    }

    fn is_signed_by(&self, issuer: &Self, algorithms: &WebPkiSupportedAlgorithms) -> Option<bool> {
        let (_, whole) = Any::from_der(self.der).ok()?;
        let (rest, _) = Any::from_der(whole.data).ok()?;
        let body = whole.data.get(..whole.data.len() - rest.len())?;
        let (rest, algorithm) = Any::from_der(rest).ok()?;
        let (_, signature) = Any::from_der(rest).ok()?;
        // The first byte of a bit string counts the bits that are left over.
        let signature = signature.data.get(1..)?;
        let all = algorithms.all.iter();
        let mut fitting = all.filter(|it| it.signature_alg_id().as_ref() == algorithm.data);
        Some(fitting.any(|algorithm| {
            let verdict = issuer.verifies(*algorithm, body, signature);
            verdict.unwrap_or(false)
        }))
    }

    /// Whether its key has made that signature with that algorithm; none if the key is not one for it.
    fn verifies(
        &self,
        algorithm: &dyn SignatureVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let (_, whole) = Any::from_der(self.public_key()).ok()?;
        let (rest, kind) = Any::from_der(whole.data).ok()?;
        let (_, key) = Any::from_der(rest).ok()?;
        if algorithm.public_key_alg_id().as_ref() != kind.data {
            return None;
        }
        let verdict = algorithm.verify_signature(key.data.get(1..)?, message, signature);
        Some(verdict.is_ok())
    }

    fn general_names(&self) -> impl Iterator<Item = &GeneralName<'a>> {
        let names = self.parsed.subject_alternative_name().ok().flatten();
        names
            .into_iter()
            .flat_map(|names| &names.value.general_names)
    }
}

/// Where a time lies in the life of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    NotYetValid,
    Valid,
    Expired,
}

fn written(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::IPAddress(bytes) => {
            let address = match <[u8; 4]>::try_from(*bytes) {
                Ok(v4) => std::net::IpAddr::from(v4),
                Err(_) => std::net::IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(format!("IP Address:{address}"))
        }
        _ => None,
    }
}

/// Whether a name, perhaps with a star for its first label, is that of a host; both in lower case.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => {
            rest.contains('.')
                && host
                    .split_once('.')
                    .is_some_and(|(_, domain)| domain == rest)
        }
        None => name == host,
    }
}
