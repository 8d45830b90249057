//! Certificates that OpenSSL takes, and the names of the reasons for which it takes none.

use std::{sync::Arc, time::Duration};

use hyco_client::{ConnectOptions, Dialer, Error, TlsOptions, sender};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData, SigningKey,
};
use rustls::{
    crypto::ring::default_provider,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for a server, or for a further authority.
    fn issue(&self, name: &str, key: &KeyPair, is_ca: bool) -> CertificateDer<'static> {
        let names = match name {
            "CN only" => Vec::new(),
            name => vec![name.to_owned()],
        };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = named(if name == "CN only" { "localhost" } else { name });
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }
}

fn named(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(rcgen::DnType::CommonName, name);
    names
}

/// A certificate of version 1, which rcgen does not make: no extensions, so only a common name.
fn version_1(
    subject: &str,
    key: &KeyPair,
    issuer: &str,
    signer: &KeyPair,
) -> CertificateDer<'static> {
    let algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let name = |name: &str| {
        let attribute = [vec![6, 3, 0x55, 4, 3], der(0x0c, name.as_bytes())].concat();
        der(0x30, &der(0x31, &der(0x30, &attribute)))
    };
    let times = [der(0x17, b"200101000000Z"), der(0x17, b"491231235959Z")].concat();
    let body = [
        der(2, &[1]),
        algorithm.to_vec(),
        name(issuer),
        der(0x30, &times),
        name(subject),
        key.subject_public_key_info(),
    ];
    let body = der(0x30, &body.concat());
    let signature = [vec![0], signer.sign(&body).unwrap()].concat();
    let whole = [body, algorithm.to_vec(), der(3, &signature)].concat();
    der(0x30, &whole).into()
}

fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap();
    let mut bytes = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => [vec![tag, 0x82], length.to_be_bytes().to_vec()].concat(),
    };
    bytes.extend_from_slice(contents);
    bytes
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// Connects to a server that shows these certificates.
async fn meet(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    host: &str,
    options: TlsOptions,
) -> Result<(), Error> {
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let key = default_provider()
        .key_provider
        .load_private_key(key)
        .unwrap();
    let own = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    // Both versions of TLS sign their handshakes differently.
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::<SingleCertAndKey>::clone(&own));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                drop(tokio_tungstenite::accept_async(stream).await);
            }
        };
        let mut connect = ConnectOptions::new(format!("wss://{host}:{port}/"));
        connect.timeout = Duration::from_secs(10);
        let dialer = Dialer::new(&options).unwrap();
        tokio::join!(sender::connect(&dialer, connect), serve).0?;
    }
    Ok(())
}

fn trusting(pem: &str) -> TlsOptions {
    TlsOptions {
        ca: vec![pem.to_owned()],
        ..TlsOptions::default()
    }
}

fn waived() -> TlsOptions {
    TlsOptions {
        reject_unauthorized: false,
        ..TlsOptions::default()
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_is_taken_as_openssl_takes_it() {
    let (authority, key) = (
        Authority::new("the authority"),
        KeyPair::generate().unwrap(),
    );
    let own = version_1("localhost", &key, "localhost", &key);
    let issued = version_1("localhost", &key, "the authority", authority.issuer.key());
    meet(vec![own.clone()], &key, "localhost", waived())
        .await
        .unwrap();
    meet(vec![own.clone()], &key, "localhost", trusting(&pem(&own)))
        .await
        .unwrap();
    meet(vec![issued], &key, "localhost", trusting(&authority.pem))
        .await
        .unwrap();

    // Signed with another key under the authority's name, by nobody, for another name.
    let forged = version_1("localhost", &key, "the authority", &key);
    let code = |outcome: Result<(), Error>| outcome.unwrap_err().cause_code();
    let forged = meet(vec![forged], &key, "localhost", trusting(&authority.pem)).await;
    assert_eq!(code(forged), Some("UNABLE_TO_VERIFY_LEAF_SIGNATURE"));
    let unknown = meet(
        vec![own.clone()],
        &key,
        "localhost",
        trusting(&authority.pem),
    )
    .await;
    assert_eq!(code(unknown), Some("DEPTH_ZERO_SELF_SIGNED_CERT"));
    let named = meet(vec![own.clone()], &key, "127.0.0.1", trusting(&pem(&own))).await;
    assert_eq!(code(named), Some("ERR_TLS_CERT_ALTNAME_INVALID"));
}

#[tokio::test]
async fn another_key_than_that_of_the_certificate_is_never_taken() {
    let key = KeyPair::generate().unwrap();
    let own = version_1("localhost", &key, "localhost", &key);
    let other = KeyPair::generate().unwrap();
    let error = meet(vec![own], &other, "localhost", waived())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_TLS");
}

#[test]
fn an_own_certificate_of_version_1_can_be_used_with_its_key_only() {
    let key = KeyPair::generate().unwrap();
    let own = version_1("client", &key, "client", &key);
    let mut options = TlsOptions {
        cert: Some(pem(&own)),
        key: Some(key.serialize_pem()),
        ..TlsOptions::default()
    };
    Dialer::new(&options).unwrap();
    options.key = Some(KeyPair::generate().unwrap().serialize_pem());
    let error = Dialer::new(&options).unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_INVALID_TLS");
    assert!(
        error.to_string().contains("do not belong together"),
        "{error}"
    );
}

#[tokio::test]
async fn a_common_name_counts_where_there_are_no_other_names() {
    let (authority, key) = (
        Authority::new("the authority"),
        KeyPair::generate().unwrap(),
    );
    let issued = authority.issue("CN only", &key, false);
    let trusted = trusting(&authority.pem);
    meet(vec![issued.clone()], &key, "localhost", trusted.clone())
        .await
        .unwrap();
    let error = meet(vec![issued], &key, "127.0.0.1", trusted)
        .await
        .unwrap_err();
    assert_eq!(error.cause_code(), Some("ERR_TLS_CERT_ALTNAME_INVALID"));
}

#[tokio::test]
async fn a_server_may_show_a_certificate_that_may_issue_others() {
    let (authority, key) = (
        Authority::new("the authority"),
        KeyPair::generate().unwrap(),
    );
    let issued = authority.issue("localhost", &key, true);
    meet(
        vec![issued.clone()],
        &key,
        "localhost",
        trusting(&authority.pem),
    )
    .await
    .unwrap();
    let other = Authority::new("another authority");
    let error = meet(vec![issued], &key, "localhost", trusting(&other.pem))
        .await
        .unwrap_err();
    assert_eq!(error.cause_code(), Some("UNABLE_TO_VERIFY_LEAF_SIGNATURE"));
}

#[tokio::test]
async fn reasons_not_to_trust_have_the_codes_and_texts_of_node() {
    let key = KeyPair::generate().unwrap();
    let (authority, stranger) = (Authority::new("the authority"), Authority::new("stranger"));
    let middle_key = KeyPair::generate().unwrap();
    let middle = authority.issue("middle", &middle_key, true);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = named("middle");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(params, middle_key);
    let below = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let mut below_params = below;
    below_params.distinguished_name = named("localhost");
    let below = below_params.signed_by(&key, &issuer).unwrap().der().clone();
    let leaf = authority.issue("localhost", &key, false);
    let mut old = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (old.not_before, old.not_after) = (
        rcgen::date_time_ymd(2000, 1, 1),
        rcgen::date_time_ymd(2001, 1, 1),
    );
    let old = old
        .signed_by(&key, &authority.issuer)
        .unwrap()
        .der()
        .clone();
    let mut future = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (future.not_before, future.not_after) = (
        rcgen::date_time_ymd(3000, 1, 1),
        rcgen::date_time_ymd(3001, 1, 1),
    );
    let future = future
        .signed_by(&key, &authority.issuer)
        .unwrap()
        .der()
        .clone();

    let cases = [
        (
            vec![leaf.clone()],
            &stranger,
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "unable to verify the first certificate",
        ),
        (
            vec![leaf.clone(), authority.der.clone()],
            &stranger,
            "SELF_SIGNED_CERT_IN_CHAIN",
            "self-signed certificate in certificate chain",
        ),
        (
            vec![below, middle],
            &stranger,
            "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
            "unable to get local issuer certificate",
        ),
        (
            vec![old],
            &authority,
            "CERT_HAS_EXPIRED",
            "certificate has expired",
        ),
        (
            vec![future],
            &authority,
            "CERT_NOT_YET_VALID",
            "certificate is not yet valid",
        ),
    ];
    for (chain, trusted, code, text) in cases {
        let error = meet(chain, &key, "localhost", trusting(&trusted.pem))
            .await
            .unwrap_err();
        assert_eq!(error.cause_code(), Some(code), "{error}");
        assert_eq!(error.cause().as_deref(), Some(text));
        assert!(
            error.to_string().ends_with(&format!(" failed: {text}")),
            "{error}"
        );
    }
    let error = meet(vec![leaf], &key, "127.0.0.1", trusting(&authority.pem))
        .await
        .unwrap_err();
    assert_eq!(
        error.cause().as_deref(),
        Some(
            "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: DNS:localhost"
        )
    );
}
