//! The emulator's certificate and its side of TLS.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::error::Error;

/// Where the certificate of the emulator comes from.
#[derive(Clone)]
#[non_exhaustive]
pub enum TlsOptions {
    /// A certificate is made at every start: for the host names of the namespace, signed by an
    /// authority whose key is thrown away. Clients trust [`Emulator::certificate`](crate::Emulator::certificate).
    Generated,
    /// A certificate with its chain, and its key, both as PEM.
    Given {
        /// The certificate, and the intermediate ones after it.
        certificate: String,
        /// The private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
        key: String,
    },
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Generated => f.write_str("Generated"),
            Self::Given { .. } => f.write_str("Given"),
        }
    }
}

/// The ready side of TLS.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// What a client has to trust, as PEM.
    pub(crate) certificate: String,
}

impl Tls {
    /// Reads or makes the certificate; `hosts` are the names it is made for.
    pub(crate) fn new(options: &TlsOptions, hosts: &[String]) -> Result<Self, Error> {
        let (chain, key, certificate) = match options {
            TlsOptions::Generated => {
                generate(hosts).map_err(|error| Error::Tls(error.to_string()))?
            }
            TlsOptions::Given { certificate, key } => read(certificate, key)?,
        };
        let invalid = |error: rustls::Error| Error::Tls(error.to_string());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(invalid)?;
        // Stateless tickets: a client may resume, however many others there were in between.
        config.ticketer = ring::Ticketer::new().map_err(invalid)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
        })
    }
}

type Material = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, String);

fn read(certificate: &str, key: &str) -> Result<Material, Error> {
    let invalid = |what: &str| Error::Tls(format!("the {what} is not valid PEM"));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("certificate"))?;
    if chain.is_empty() {
        return Err(invalid("certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| invalid("key"))?;
    Ok((chain, key, certificate.to_owned()))
}

fn generate(hosts: &[String]) -> Result<Material, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority
        .distinguished_name
        .push(DnType::CommonName, "hyco-rs emulator");
    (authority.not_before, authority.not_after) = validity();
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names: Vec<String> = hosts
        .iter()
        .map(|host| host.trim_matches(['[', ']']).to_owned())
        .collect();
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name
        .push(DnType::CommonName, "localhost");
    leaf.extended_key_usages
        .push(ExtendedKeyUsagePurpose::ServerAuth);
    leaf.use_authority_key_identifier_extension = true;
    (leaf.not_before, leaf.not_after) = validity();
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &issuer)?;
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok((
        vec![certificate.der().clone()],
        private,
        authority_certificate.pem(),
    ))
}

/// From yesterday, for clocks that are behind, to a year ahead: clients refuse much longer ones.
fn validity<T: From<SystemTime>>() -> (T, T) {
    let now = SystemTime::now();
    ((now - DAY).into(), (now + 365 * DAY).into())
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
