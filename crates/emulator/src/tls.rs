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
        Self::of(KeyPair::generate()?)
    }

    fn of(key: KeyPair) -> Result<Self, rcgen::Error> {
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
///
/// Several programs may do so at once. The key of the first one stands, and whoever finds no certificate
/// of it makes one: clients that trust any of those trust them all, since name and key are the same.
fn kept(folder: &Path) -> Result<Authority, Error> {
    let failed = |path: &Path, error: io::Error| Error::Tls(format!("{}: {error}", path.display()));
    let (key_file, certificate_file) = (folder.join(AUTHORITY_KEY), folder.join(AUTHORITY));
    let key = kept_key(&key_file).map_err(|error| failed(&key_file, error))?;
    let key = KeyPair::from_pem(&key)
        .map_err(|error| Error::Tls(format!("{}: {error}", key_file.display())))?;
    match fs::read_to_string(&certificate_file) {
        Ok(certificate) if is_of(&certificate, &key) => Ok(Authority { key, certificate }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(&certificate_file, error))
        }
        // There is none, or one of another key.
        _ => {
            let authority = Authority::of(key).map_err(unusable)?;
            write_whole(
                &certificate_file,
                &authority.certificate,
                false,
                |new, place| fs::rename(new, place),
            )
            .map_err(|error| failed(&certificate_file, error))?;
            Ok(authority)
        }
    }
}

/// The key of an authority, as PEM; makes it where there is none.
fn kept_key(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let key = KeyPair::generate().map_err(io::Error::other)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    write_whole(file, &key.serialize_pem(), true, |new, place| {
        match fs::hard_link(new, place) {
            // Another program was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has links.
            Err(_) => fs::rename(new, place),
            Ok(()) => Ok(()),
        }
    })?;
    fs::read_to_string(file)
}

/// Whether a certificate is of a key.
fn is_of(certificate: &str, key: &KeyPair) -> bool {
    let public = key.public_key_raw();
    CertificateDer::from_pem_slice(certificate.as_bytes())
        .is_ok_and(|der| der.windows(public.len()).any(|bytes| bytes == public))
}

/// Writes a file beside its place, where `put` puts it when it is whole.
fn write_whole(
    path: &Path,
    text: &str,
    is_private: bool,
    put: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{random:x}"));
    let new = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = is_private;
    let mut file = options.open(&new)?;
    let written = io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| put(&new, path));
    // It is gone if it was moved.
    let _ = fs::remove_file(&new);
    written
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

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    /// A folder of a test, and what is in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("hyco-relay-authority-{:x}", getrandom::u64().unwrap());
            Self(std::env::temp_dir().join(name))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn programs_that_start_at_once_make_one_authority_e68() {
        for _ in 0..20 {
            let folder = Folder::new();
            let barrier = Barrier::new(8);
            let start = || {
                barrier.wait();
                kept(&folder.0).unwrap()
            };
            let made: Vec<Authority> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let later = kept(&folder.0).unwrap();
            for authority in &made {
                assert_eq!(authority.key.serialize_pem(), later.key.serialize_pem());
                assert!(is_of(&authority.certificate, &later.key));
            }
            assert_eq!(folder.names(), [AUTHORITY_KEY, AUTHORITY]);
        }
    }

    #[test]
    fn a_certificate_of_another_key_is_made_anew_e68() {
        let folder = Folder::new();
        let first = kept(&folder.0).unwrap();
        fs::remove_file(folder.0.join(AUTHORITY_KEY)).unwrap();
        let second = kept(&folder.0).unwrap();
        assert_ne!(first.certificate, second.certificate);
        assert!(is_of(&second.certificate, &second.key));
        let kept = kept(&folder.0).unwrap();
        assert_eq!(kept.certificate, second.certificate);
    }
}
