//! TLS 1.3 with a certificate of this run.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::TLS13,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate for this machine and its key, as PEM, and what serves them.
pub fn acceptor() -> io::Result<(String, String, TlsAcceptor)> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(io::Error::other)?;
    // Stateless tickets: a burst of a thousand clients does not push each other's sessions out.
    config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
    let pem = made.signing_key.serialize_pem();
    Ok((made.cert.pem(), pem, TlsAcceptor::from(Arc::new(config))))
}

/// Connects to servers that `ca` has signed.
pub fn connector(ca: &str) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
