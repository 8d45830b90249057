//! TLS.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use hyco_emulator::{Emulator, EmulatorOptions, Error, TlsOptions};
use hyco_protocol::token::sign_canonical;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::unix_now;

struct Client {
    emulator: Emulator,
    connector: TlsConnector,
    token: String,
}

impl Client {
    async fn new() -> Self {
        let tls = Some(TlsOptions::Generated);
        let emulator = Emulator::bind(EmulatorOptions {
            tls,
            ..EmulatorOptions::default()
        })
        .await
        .unwrap();
        let mut roots = RootCertStore::empty();
        let certificate = emulator.certificate().unwrap();
        roots
            .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let rule = emulator.rule();
        let uri = format!("{}/hyco", emulator.namespace());
        let token =
            sign_canonical(&uri, rule.name(), rule.primary_key(), unix_now() + 3600).unwrap();
        Self {
            connector: TlsConnector::from(Arc::new(config)),
            emulator,
            token,
        }
    }

    async fn tls(&self, host: &str) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.emulator.local_addr())
            .await
            .unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        self.connector.connect(name, stream).await.unwrap()
    }

    async fn open(&self, url: &str) -> WebSocketStream<TlsStream<TcpStream>> {
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("servicebusauthorization", self.token.parse().unwrap());
        let stream = self.tls("localhost").await;
        client_async(request, stream).await.unwrap().0
    }
}

#[tokio::test]
async fn everything_works_over_tls_with_a_generated_certificate_e68() {
    let client = Client::new().await;
    let namespace = client.emulator.namespace();
    assert!(namespace.starts_with("wss://localhost:"), "{namespace}");
    let url = format!("{namespace}/$hc/hyco?sb-hc-action=");
    let mut control = client.open(&format!("{url}listen")).await;
    let connect = format!("{url}connect");
    let (mut sender, mut listener) = tokio::join!(client.open(&connect), async {
        let accept = control.next().await.unwrap().unwrap();
        let accept: serde_json::Value = serde_json::from_str(accept.to_text().unwrap()).unwrap();
        let address = accept["accept"]["address"].as_str().unwrap();
        assert!(address.starts_with("wss://localhost:"), "{address}");
        client.open(address).await
    });
    for size in [0, 64, 16 * 1024, 1024 * 1024] {
        let message = Message::binary(vec![3; size]);
        let (sent, received) = tokio::join!(sender.send(message.clone()), listener.next());
        sent.unwrap();
        assert!(received.unwrap().unwrap() == message);
        let (sent, received) = tokio::join!(listener.send(message.clone()), sender.next());
        sent.unwrap();
        assert!(received.unwrap().unwrap() == message);
    }
    sender.close(None).await.unwrap();
    assert!(listener.next().await.unwrap().unwrap().is_close());
    assert!(listener.next().await.is_none());
    while sender.next().await.is_some() {}
    client.emulator.close().await;
}

#[tokio::test]
async fn the_certificate_is_good_for_the_loopback_addresses_and_sessions_are_resumed() {
    let client = Client::new().await;
    for host in ["localhost", "127.0.0.1", "::1"] {
        client.tls(host).await;
    }
    // A ticket comes with the first bytes that are read.
    let head = b"GET /$hc/hyco HTTP/1.1\r\nHost: x\r\n\r\n";
    let kinds = async || {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = client.tls("localhost").await;
        stream.write_all(head).await.unwrap();
        stream.read_u8().await.unwrap();
        stream.get_ref().1.handshake_kind()
    };
    kinds().await;
    assert_eq!(kinds().await, Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let certificate = |certificate: &str, key: &str| EmulatorOptions {
        tls: Some(TlsOptions::Given {
            certificate: certificate.into(),
            key: key.into(),
        }),
        ..EmulatorOptions::default()
    };
    let error = Emulator::bind(certificate("nonsense", "nonsense"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "HYCO_ERR_TLS");
    let public_url = Some("https://relay.example".to_owned());
    let options = EmulatorOptions {
        public_url,
        ..EmulatorOptions::default()
    };
    let error = Emulator::bind(options).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidOption {
                option: "publicUrl",
                ..
            }
        ),
        "{error}"
    );

    let first = Emulator::bind(EmulatorOptions::default()).await.unwrap();
    let port = first.local_addr().port();
    let options = EmulatorOptions {
        port,
        ..EmulatorOptions::default()
    };
    assert_eq!(
        Emulator::bind(options).await.unwrap_err().code(),
        "HYCO_ERR_EMULATOR_BIND"
    );
}
