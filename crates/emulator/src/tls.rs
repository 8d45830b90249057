//! The emulator's certificate and its side of TLS.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::error::Error;

/// Where the certificate of the emulator comes from.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsOptions {
    /// A certificate is made at every start: for the host names of the namespace, signed by an
    /// authority whose key is thrown away. Clients trust [`Emulator::certificate`](crate::Emulator::certificate).
    Generated,
    /// The authority is made once and kept in a folder, so that trust in it lasts. Certificates are made
    /// from it for the host names of the namespace, and made anew when the names change or the year ends.
    Kept {
        /// The folder; it is made if it is missing, and readable for its owner only.
        folder: PathBuf,
    },
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
            Self::Kept { folder } => write!(f, "Kept({})", folder.display()),
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
                let authority = Authority::new().map_err(unusable)?;
                authority.sign(hosts).map_err(unusable)?
            }
            TlsOptions::Kept { folder } => kept(folder)?.sign(hosts).map_err(unusable)?,
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

fn unusable(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

/// Who signs the certificates of an emulator.
struct Authority {
    key: KeyPair,
    /// Its certificate, as PEM.
    certificate: String,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = Self::parameters().self_signed(&key)?.pem();
        Ok(Self { key, certificate })
    }

    /// They are always the same, so that a key is all that has to be kept of an authority to sign.
    fn parameters() -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters
            .distinguished_name
            .push(DnType::CommonName, "hyco-rs local relay");
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (parameters.not_before, parameters.not_after) = validity(10 * YEAR);
        parameters
    }

    /// Makes a certificate for names.
    fn sign(self, hosts: &[String]) -> Result<Material, rcgen::Error> {
        let issuer = Issuer::new(Self::parameters(), self.key);
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
        (leaf.not_before, leaf.not_after) = validity(YEAR);
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok((vec![certificate.der().clone()], private, self.certificate))
    }
}

/// The authority of a folder; the first call makes it.
fn kept(folder: &Path) -> Result<Authority, Error> {
    let failed = |path: &Path, error: io::Error| Error::Tls(format!("{}: {error}", path.display()));
    let (key_file, certificate_file) = (folder.join(AUTHORITY_KEY), folder.join(AUTHORITY));
    match (
        fs::read_to_string(&key_file),
        fs::read_to_string(&certificate_file),
    ) {
        (Ok(key), Ok(certificate)) => {
            let key = KeyPair::from_pem(&key)
                .map_err(|error| Error::Tls(format!("{}: {error}", key_file.display())))?;
            Ok(Authority { key, certificate })
        }
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            let authority = Authority::new().map_err(unusable)?;
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
            write_private(&key_file, &authority.key.serialize_pem())
                .map_err(|error| failed(&key_file, error))?;
            fs::write(&certificate_file, &authority.certificate)
                .map_err(|error| failed(&certificate_file, error))?;
            Ok(authority)
        }
        (Err(error), _) => Err(failed(&key_file, error)),
        (_, Err(error)) => Err(failed(&certificate_file, error)),
    }
}

/// Writes what only its owner may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}

/// From yesterday, for clocks that are behind.
fn validity<T: From<SystemTime>>(ahead: Duration) -> (T, T) {
    let now = SystemTime::now();
    ((now - DAY).into(), (now + ahead).into())
}

/// What clients trust.
pub(crate) const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca-key.pem";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Clients refuse certificates that are good for much longer.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
