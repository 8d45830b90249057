//! Dialling over TLS.

use std::{sync::Arc, time::Duration};

use hyco_client::{ConnectOptions, Dialer, Dialers, Error, TlsOptions, sender};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        HandshakeKind, ServerConfig,
        pki_types::{PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

/// A server that takes WebSockets over TLS.
struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    /// What to trust.
    ca: String,
}

impl Server {
    async fn bind() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.signing_key.serialize_pem().as_bytes());
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![own.cert.der().clone()], key.unwrap())
                .unwrap();
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            ca: own.cert.pem(),
        }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions {
            ca: vec![self.ca.clone()],
            ..TlsOptions::default()
        }
    }

    fn address(&self, host: &str) -> ConnectOptions {
        let port = self.listener.local_addr().unwrap().port();
        let mut options = ConnectOptions::new(format!("wss://{host}:{port}/"));
        options.timeout = Duration::from_secs(60);
        options
    }

    /// Takes one connection and answers its handshake.
    async fn accept(&self) -> Option<TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await.unwrap();
        let stream = self.acceptor.accept(stream).await.ok()?;
        let socket = tokio_tungstenite::accept_async(stream).await.ok()?;
        Some(socket.into_inner())
    }

    /// Connects with those options; the other side of the connection is the second value.
    async fn visit(
        &self,
        dialer: &Dialer,
        host: &str,
    ) -> (Result<(), Error>, Option<TlsStream<TcpStream>>) {
        let connect = sender::connect(dialer, self.address(host));
        let (connected, accepted) = tokio::join!(connect, self.accept());
        (connected.map(drop), accepted)
    }

    async fn failure(&self, options: TlsOptions, host: &str) -> Error {
        self.visit(&Dialer::new(&options).unwrap(), host)
            .await
            .0
            .unwrap_err()
    }
}

#[tokio::test]
async fn a_trusted_server_is_asked_for_by_name_c27() {
    let server = Server::bind().await;
    let dialer = Dialer::new(&server.options()).unwrap();
    let (connected, stream) = server.visit(&dialer, "localhost").await;
    connected.unwrap();
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.server_name(), Some("localhost"));
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
}

#[tokio::test]
async fn dials_of_one_dialer_resume_the_session() {
    let server = Server::bind().await;
    let dialer = Dialers::default().make(&server.options()).unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (connected, stream) = server.visit(&dialer, "localhost").await;
        connected.unwrap();
        kinds.push(stream.unwrap().get_ref().1.handshake_kind());
    }
    assert_eq!(kinds[1], Some(HandshakeKind::Resumed), "{kinds:?}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_as_node_names_it() {
    let server = Server::bind().await;
    let error = server.failure(TlsOptions::default(), "localhost").await;
    assert_eq!(error.code(), "HYCO_ERR_TLS");
    assert_eq!(
        error.cause_code(),
        Some("DEPTH_ZERO_SELF_SIGNED_CERT"),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .ends_with(" failed: self-signed certificate"),
        "{error}"
    );

    // Another key under the name of the trusted issuer.
    let other = Server::bind().await;
    let error = server.failure(other.options(), "localhost").await;
    assert_eq!(
        error.cause_code(),
        Some("DEPTH_ZERO_SELF_SIGNED_CERT"),
        "{error:?}"
    );

    let error = server.failure(server.options(), "127.0.0.1").await;
    assert_eq!(
        error.cause_code(),
        Some("ERR_TLS_CERT_ALTNAME_INVALID"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_name_can_be_chosen_and_the_check_be_waived() {
    let server = Server::bind().await;
    let mut options = server.options();
    options.servername = Some("localhost".to_owned());
    let dialer = Dialer::new(&options).unwrap();
    server.visit(&dialer, "127.0.0.1").await.0.unwrap();

    let options = TlsOptions {
        reject_unauthorized: false,
        ..TlsOptions::default()
    };
    let dialer = Dialer::new(&options).unwrap();
    server.visit(&dialer, "127.0.0.1").await.0.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_an_error_of_tls() {
    use tokio::io::AsyncWriteExt;

    let server = Server::bind().await;
    let dialer = Dialer::new(&server.options()).unwrap();
    let connect = sender::connect(&dialer, server.address("localhost"));
    let serve = async {
        let (mut stream, _) = server.listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        stream
    };
    let (connected, _stream) = tokio::join!(connect, serve);
    let error = connected.unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_TLS");
    assert_eq!(error.cause_code(), Some("ERR_SSL_WRONG_VERSION_NUMBER"));
}

#[tokio::test]
async fn a_server_silent_in_tls_is_not_waited_for_c28() {
    let server = Server::bind().await;
    let dialer = Dialer::new(&server.options()).unwrap();
    let mut options = server.address("localhost");
    options.timeout = Duration::from_secs(1);
    let (connected, _silent) =
        tokio::join!(sender::connect(&dialer, options), server.listener.accept());
    let error = connected.unwrap_err();
    assert_eq!(
        error.to_string(),
        "TLS handshake has timed out after 1000 ms"
    );
    assert_eq!(error.cause_code(), Some("ETIMEDOUT"));
}
