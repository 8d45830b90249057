//! The other side: certificates, configurations, and a session joined to a server in memory.

use std::{io::Write, sync::Arc};

use hyco_client::{Decrypted, TlsOptions, TlsSession};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, ServerName},
    version::{TLS12, TLS13},
};

/// How a session may have been agreed on.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) version: &'static SupportedProtocolVersion,
    /// The client has the configuration of a listener, whose ciphers leave plaintext where it was; else
    /// one that anybody might bring.
    own: bool,
}

/// Both protocol versions a relay may speak, and ciphers that are not ours.
pub(crate) const KINDS: [Kind; 3] = [
    Kind {
        version: &TLS13,
        own: true,
    },
    Kind {
        version: &TLS12,
        own: true,
    },
    Kind {
        version: &TLS13,
        own: false,
    },
];

/// A server for `localhost` and a client that trusts it.
pub(crate) struct Pair {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

impl Pair {
    pub(crate) fn new(
        Kind {
            version,
            own: is_own,
        }: Kind,
    ) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = own.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(default_provider());

        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let client = if is_own {
            let ca = vec![own.cert.pem()];
            let options = TlsOptions {
                ca,
                ..TlsOptions::default()
            };
            options.config().unwrap()
        } else {
            let mut roots = RootCertStore::empty();
            roots.add(certificate).unwrap();
            ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth()
        };
        Self {
            client: Arc::new(client),
            server: Arc::new(server),
        }
    }

    /// A session and a server that have shaken hands, and everything exchanged since is read.
    pub(crate) fn joined(&self) -> (TlsSession, ServerConnection) {
        let mut session = TlsSession::new(Arc::clone(&self.client), localhost()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        let mut outgoing = Vec::new();
        session.start(&mut outgoing).unwrap();
        while !outgoing.is_empty() {
            feed(&mut server, &outgoing);
            outgoing.clear();
            let mut flight = take(&mut server);
            let end = flight.len();
            let decrypted = session.decrypt(&mut flight, 0, end, &mut outgoing).unwrap();
            assert_eq!(decrypted, nothing(end));
        }
        assert!(!session.is_handshaking());
        assert!(!server.is_handshaking());
        (session, server)
    }
}

pub(crate) fn localhost() -> ServerName<'static> {
    "localhost".try_into().unwrap()
}

/// The result of decrypting a buffer of `end` bytes that held no data.
pub(crate) fn nothing(end: usize) -> Decrypted {
    Decrypted {
        plain: 0,
        cipher: end,
        end,
        closed: false,
    }
}

/// Gives bytes to the server, which must like them.
pub(crate) fn feed(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).unwrap();
        server.process_new_packets().unwrap();
    }
}

/// What the server has to send.
pub(crate) fn take(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// `plain` as the server sends it.
pub(crate) fn sealed(server: &mut ServerConnection, plain: &[u8]) -> Vec<u8> {
    server.set_buffer_limit(None);
    server.writer().write_all(plain).unwrap();
    take(server)
}

/// Reproducible noise: sizes, chunks and contents.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}
