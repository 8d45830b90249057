//! Whether a server's certificate is to be trusted, by the rules of OpenSSL and Node.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        CryptoProvider, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::ParsedCertificate,
};

use crate::{
    certificate::{Age, Certificate},
    error::Result,
    tls_failure::{
        ALTNAME_INVALID, EXPIRED, NO_ISSUER, NO_LOCAL_ISSUER, NOT_YET_VALID, SELF_SIGNED,
        SELF_SIGNED_IN_CHAIN, TlsFailure,
    },
    trust::invalid,
};

/// The usual verifier: chains to a trusted certificate, in time, for the right name.
///
/// webpki does that for nearly all certificates. Like OpenSSL, and unlike webpki, this one also trusts a
/// server that presents
/// - a trusted certificate itself, although that one may issue others: what `openssl req -x509` makes;
/// - a certificate of version 1, or one that may issue others, right below a trusted one;
/// - a certificate with a common name and no alternative names.
#[derive(Debug)]
pub(crate) struct TrustListed {
    webpki: Option<Arc<WebPkiServerVerifier>>,
    listed: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl TrustListed {
    pub(crate) fn new(
        listed: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let mut refused = None;
        for certificate in &listed {
            // A store of roots may hold a certificate that rustls cannot use; the others count.
            refused = roots.add(certificate.clone()).err().or(refused);
        }
        let readable = || {
            listed
                .iter()
                .any(|listed| Certificate::read(listed).is_some())
        };
        if let (true, Some(error)) = (roots.is_empty() && !readable(), refused) {
            return Err(invalid(error));
        }
        let webpki = match roots.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                    .build()
                    .map_err(invalid)?,
            ),
        };
        Ok(Self {
            webpki,
            listed,
            provider: Arc::clone(provider),
        })
    }
}

impl TrustListed {
    /// Whether a certificate that webpki cannot judge is listed, or issued right below a listed one.
    fn check_directly(
        &self,
        shown: &CertificateDer<'_>,
        now: UnixTime,
    ) -> std::result::Result<(), Option<TlsFailure>> {
        let certificate = Certificate::read(shown).ok_or(None)?;
        let failure = |(code, text)| Err(Some(TlsFailure::new(code, text)));
        match certificate.age(now) {
            Age::Valid => {}
            Age::Expired => return failure(EXPIRED),
            Age::NotYetValid => return failure(NOT_YET_VALID),
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        let is_issuer = |listed: &CertificateDer<'_>| {
            Certificate::read(listed).is_some_and(|listed| {
                listed.age(now) == Age::Valid && certificate.is_issued_by(&listed, algorithms)
            })
        };
        match self.listed.contains(shown) || self.listed.iter().any(is_issuer) {
            true => Ok(()),
            false => Err(None),
        }
    }
}

impl ServerCertVerifier for TrustListed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.webpki {
            Some(webpki) => {
                let chain = (end_entity, intermediates);
                webpki.verify_server_cert(chain.0, chain.1, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let error = match verdict {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        if is_about_name(&error) {
            return check_name(end_entity, server_name);
        }
        if !is_about_chain(&error) {
            return Err(error);
        }
        match self.check_directly(end_entity, now) {
            Ok(()) => check_name(end_entity, server_name),
            Err(Some(failure)) => Err(failure.into_rustls()),
            Err(None) => Err(untrusted(end_entity, intermediates).into_rustls()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        TrustAnyone(Arc::clone(&self.provider)).verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        TrustAnyone(Arc::clone(&self.provider)).verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        TrustAnyone(Arc::clone(&self.provider)).supported_verify_schemes()
    }
}

fn is_about_name(error: &rustls::Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })
    )
}

/// Whether webpki found no way to a trusted certificate, or did not look for one because of what the
/// certificate is: rustls passes these refusals on as opaque errors of webpki.
fn is_about_chain(error: &rustls::Error) -> bool {
    use CertificateError::{BadEncoding, BadSignature, Other, UnknownIssuer};
    matches!(
        error,
        rustls::Error::InvalidCertificate(BadEncoding | BadSignature | Other(_) | UnknownIssuer)
    )
}

/// Whether a trusted certificate is for that name.
fn check_name(
    shown: &CertificateDer<'_>,
    name: &ServerName<'_>,
) -> std::result::Result<ServerCertVerified, rustls::Error> {
    let by_webpki = ParsedCertificate::try_from(shown)
        .is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok());
    let certificate = Certificate::read(shown);
    if by_webpki || certificate.as_ref().is_some_and(|it| it.is_for(name)) {
        return Ok(ServerCertVerified::assertion());
    }
    let names = certificate.map(|it| it.alternative_names());
    let names = names.unwrap_or_default();
    let why = match name {
        ServerName::IpAddress(_) => {
            format!("IP: {} is not in the cert's list: {names}", name.to_str())
        }
        _ => format!(
            "Host: {}. is not in the cert's altnames: {names}",
            name.to_str()
        ),
    };
    let text = format!("Hostname/IP does not match certificate's altnames: {why}");
    Err(TlsFailure::new(ALTNAME_INVALID, text).into_rustls())
}

/// Where the way from a certificate to a trusted one ends, as OpenSSL names it.
fn untrusted(shown: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> TlsFailure {
    let of = |(code, text)| TlsFailure::new(code, text);
    let Some(first) = Certificate::read(shown) else {
        return TlsFailure::new("ERR_OSSL_ASN1_WRONG_TAG", "the certificate cannot be read");
    };
    if first.is_self_issued() {
        return of(SELF_SIGNED);
    }
    let others: Vec<_> = intermediates.iter().filter_map(Certificate::read).collect();
    let mut last = &first;
    // No longer than the chain, so that issuers of each other end it.
    for step in 0..=others.len() {
        match others.iter().find(|other| last.names_as_issuer(other)) {
            Some(issuer) if issuer.is_self_issued() => return of(SELF_SIGNED_IN_CHAIN),
            Some(issuer) => last = issuer,
            None if step == 0 => return of(NO_ISSUER),
            None => break,
        }
    }
    of(NO_LOCAL_ISSUER)
}

/// The verifier of `rejectUnauthorized: false`: signatures are checked, names and issuers are not.
#[derive(Debug)]
pub(crate) struct TrustAnyone(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        match own_reading(cert) {
            None => verify_tls12_signature(message, cert, signed, algorithms),
            Some(certificate) if certificate.has_signed(message, signed, algorithms) => {
                Ok(HandshakeSignatureValid::assertion())
            }
            Some(_) => Err(CertificateError::BadSignature.into()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        match own_reading(cert) {
            None => verify_tls13_signature(message, cert, signed, algorithms),
            Some(certificate) => {
                let key = SubjectPublicKeyInfoDer::from(certificate.public_key());
                verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate that webpki does not read and OpenSSL does.
fn own_reading<'a>(cert: &'a CertificateDer<'_>) -> Option<Certificate<'a>> {
    match ParsedCertificate::try_from(cert) {
        Ok(_) => None,
        Err(_) => Certificate::read(cert),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn issuer(name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .clone()
    }

    fn verdict(
        trusted: &CertificateDer<'static>,
        shown: &CertificateDer<'static>,
        at: u64,
    ) -> bool {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = TrustListed::new(vec![trusted.clone()], &provider).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
        verifier
            .verify_server_cert(shown, &[], &name, &[], now)
            .is_ok()
    }

    #[test]
    fn a_trusted_certificate_that_may_issue_others_is_trusted_itself() {
        let certificate = issuer("localhost");
        assert!(verdict(&certificate, &certificate, 1_700_000_000));
    }

    #[test]
    fn it_must_be_listed_be_for_the_name_and_be_in_time() {
        let certificate = issuer("localhost");
        assert!(!verdict(&issuer("localhost"), &certificate, 1_700_000_000));
        let other = issuer("example.org");
        assert!(!verdict(&other, &other, 1_700_000_000));
        assert!(!verdict(&certificate, &certificate, 100_000_000_000));
    }
}
