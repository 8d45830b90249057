//! Whether a server's certificate is to be trusted.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::{error::Result, trust::invalid};

/// The usual verifier: chains to a trusted certificate, in time, for the right name.
///
/// Like Node, and unlike webpki, it also trusts a server that presents one of the trusted
/// certificates itself although that one may issue others: what `openssl req -x509` makes.
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
        if let (true, Some(error)) = (roots.is_empty(), refused) {
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

impl ServerCertVerifier for TrustListed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(webpki) = &self.webpki else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        match webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            // webpki looks at the dates first, so they are in order here.
            Err(error) if is_issuer(&error) && self.listed.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
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

/// Whether webpki refused a certificate only because it may issue others.
fn is_issuer(error: &rustls::Error) -> bool {
    // rustls passes this refusal on as an opaque error of webpki.
    matches!(
        error,
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity")
    )
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
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
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
