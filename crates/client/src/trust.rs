//! Whom to trust over TLS: from PEM texts to the configuration of rustls.

use std::sync::Arc;

use rustls::{
    CipherSuite, ClientConfig,
    client::{Resumption, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::{
    certificate::Certificate,
    error::{Error, Result},
    tls::in_place,
    verifier::{TrustAnyone, TrustListed},
};

/// The TLS options of a listener or a sender.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM texts of the certificates to trust; each may hold several.
    pub ca: Vec<String>,
    /// PEM text of the own certificate chain.
    pub cert: Option<String>,
    /// PEM text of the own key, not encrypted.
    pub key: Option<String>,
    /// The name to ask for and to verify, instead of the host of the address; an empty one asks for none.
    pub servername: Option<String>,
    /// The peer's certificate must be valid; otherwise any is trusted.
    pub reject_unauthorized: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            ca: Vec::new(),
            cert: None,
            key: None,
            servername: None,
            reject_unauthorized: true,
        }
    }
}

impl std::fmt::Debug for TlsOptions {
    /// Leaves out the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions")
            .field("ca", &self.ca.len())
            .field("cert", &self.cert.is_some())
            .field("servername", &self.servername)
            .field("reject_unauthorized", &self.reject_unauthorized)
            .finish_non_exhaustive()
    }
}

impl TlsOptions {
    /// Builds what rustls needs. This parses every certificate: a Node has some 150 roots.
    pub fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(invalid)?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.reject_unauthorized {
            true => Arc::new(TrustListed::new(self.roots()?, &provider)?),
            false => Arc::new(TrustAnyone(Arc::clone(&provider))),
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let own = certified(certificates(cert)?, key, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(invalid("cert and key belong together")),
        };
        config.enable_sni = self.servername.as_deref() != Some("");
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SERVERS * SESSIONS);
        Ok(config)
    }

    fn roots(&self) -> Result<Vec<CertificateDer<'static>>> {
        let mut roots = Vec::new();
        for pem in &self.ca {
            roots.append(&mut certificates(pem)?);
        }
        Ok(roots)
    }
}

/// ring, with AES-128 before AES-256 and ChaCha20 last: it costs least per record where the CPU has AES.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| match suite.suite() {
            CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
            CipherSuite::TLS13_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => 1,
            _ => 2,
        });
    for suite in &mut provider.cipher_suites {
        *suite = in_place::suite(*suite);
    }
    provider
}

/// The own certificates with their key. webpki, by which rustls would compare them, cannot read a
/// certificate of version 1.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &str,
    provider: &CryptoProvider,
) -> Result<CertifiedKey> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(invalid)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(invalid)?;
    let first = chain.first().and_then(Certificate::read);
    let first = first.ok_or_else(|| invalid("cert holds no certificate"))?;
    if key
        .public_key()
        .is_some_and(|key| key.as_ref() != first.public_key())
    {
        return Err(invalid("cert and key do not belong together"));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<std::result::Result<_, _>>()
        .map_err(invalid)
}

pub(crate) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::InvalidTls(reason.to_string())
}

/// Each rendezvous may be at another node of the service.
const REMEMBERED_SERVERS: usize = 256;
/// Of one server rustls keeps up to so many, of about 1 KiB each, and counts them all.
const SESSIONS: usize = 8;

#[cfg(test)]
mod tests {
    use rustls::{ClientConnection, HandshakeKind, ServerConnection, pki_types::ServerName};

    use super::*;

    fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn options_become_a_configuration() {
        let own = certificate();
        let options = TlsOptions {
            ca: vec![format!("{}\n{}", own.cert.pem(), certificate().cert.pem())],
            cert: Some(own.cert.pem()),
            key: Some(own.signing_key.serialize_pem()),
            ..TlsOptions::default()
        };
        let config = options.config().unwrap();
        assert!(config.client_auth_cert_resolver.has_certs());
        assert!(config.alpn_protocols.is_empty());
        let first = config.crypto_provider().cipher_suites[0].suite();
        assert_eq!(first, CipherSuite::TLS13_AES_128_GCM_SHA256);
    }

    #[test]
    fn unusable_options_are_refused() {
        let own = certificate();
        let bad_ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
        let refused = [
            TlsOptions {
                ca: vec![bad_ca],
                ..TlsOptions::default()
            },
            TlsOptions {
                cert: Some(own.cert.pem()),
                ..TlsOptions::default()
            },
            TlsOptions {
                cert: Some(own.cert.pem()),
                key: Some("no key".to_owned()),
                ..TlsOptions::default()
            },
        ];
        for options in refused {
            assert_eq!(options.config().unwrap_err().code(), "HYCO_ERR_INVALID_TLS");
        }
    }

    /// A TLS handshake with a server of that name; how it went.
    fn handshake(
        client: &Arc<ClientConfig>,
        server: &Arc<rustls::ServerConfig>,
        name: &str,
    ) -> Option<HandshakeKind> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        loop {
            let mut records = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut records).unwrap();
            }
            server.read_tls(&mut records.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut answers = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut answers).unwrap();
            }
            if records.is_empty() && answers.is_empty() {
                return client.handshake_kind();
            }
            client.read_tls(&mut answers.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
    }

    #[test]
    fn a_session_with_each_of_256_servers_is_resumed() {
        let own = certificate();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        // It remembers nothing itself.
        server.ticketer = ring::Ticketer::new().unwrap();
        let server = Arc::new(server);
        let options = TlsOptions {
            reject_unauthorized: false,
            ..TlsOptions::default()
        };
        let client = Arc::new(options.config().unwrap());
        let name = |number: usize| format!("node{number}.localhost");
        for number in 0..256 {
            let kind = handshake(&client, &server, &name(number));
            assert_eq!(kind, Some(HandshakeKind::Full), "{number}");
        }
        for number in [0, 100, 255] {
            let kind = handshake(&client, &server, &name(number));
            assert_eq!(kind, Some(HandshakeKind::Resumed), "{number}");
        }
        for number in 256..512 {
            handshake(&client, &server, &name(number));
        }
        let kind = handshake(&client, &server, &name(0));
        assert_eq!(kind, Some(HandshakeKind::Full), "it is forgotten");
    }
}
