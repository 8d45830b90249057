//! From an address to an upgraded connection: name, TCP, TLS, WebSocket handshake, one deadline for all.

use std::{sync::Arc, time::Duration};

use hyco_protocol::{Secrets, names::TRACKING_ID_HEADER};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio_tungstenite::{client_async_with_config, tungstenite::protocol::WebSocketConfig};

use crate::{
    answer::Answer,
    deadline::Deadline,
    endpoint::Endpoint,
    error::{Error, Result},
    handshake,
    proxy::Proxy,
    reach::{Reach, is_near, is_near_name},
    resolver::Resolver,
    stream::Stream,
    tcp,
    tls::TlsStream,
    trust::TlsOptions,
    upgrade::UpgradeReader,
};

/// What to open.
#[derive(Clone)]
pub struct Dial {
    /// `ws:` or `wss:` URL; path and query are sent as they stand.
    pub address: String,
    /// Further request headers. They may replace `Host`; those of the WebSocket handshake are ignored.
    pub headers: Vec<(String, String)>,
    /// The sub-protocols to offer.
    pub protocols: Vec<String>,
    /// How long the whole may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Dial {
    /// Leaves out the query and the headers, which may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dial")
            .field("address", &hyco_protocol::redact(&self.address))
            .field("protocols", &self.protocols)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A connection whose WebSocket handshake is done; from here on it carries frames.
#[derive(Debug)]
pub struct Upgraded {
    /// The byte stream.
    pub stream: Stream,
    /// Bytes that came right behind the answer; they are the first to be parsed.
    pub rest: Vec<u8>,
    /// The sub-protocol the peer chose.
    pub protocol: Option<String>,
    /// The service's id of this connection.
    pub tracking_id: Option<String>,
    /// The answer itself, where it was asked for.
    pub answer: Option<Answer>,
}

impl From<Stream> for Upgraded {
    /// A stream on which a handshake was done elsewhere, and nothing came behind it.
    fn from(stream: Stream) -> Self {
        Self {
            stream,
            rest: Vec::new(),
            protocol: None,
            tracking_id: None,
            answer: None,
        }
    }
}

/// Opens connections with one set of TLS options. Clones share the TLS session store.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    servername: Option<ServerName<'static>>,
    resolver: Resolver,
    proxy: Option<Proxy>,
    /// How near the relay of the listener is, for which this dials.
    reach: Option<Reach>,
}

impl Dialer {
    /// A dialer of its own; [`Dialers`](crate::Dialers) makes some that share look-up threads.
    pub fn new(options: &TlsOptions) -> Result<Self> {
        Self::sharing(options, Resolver::default())
    }

    /// A dialer that shares the threads of its look-ups.
    pub(crate) fn sharing(options: &TlsOptions, resolver: Resolver) -> Result<Self> {
        // An empty name asks for none, as in Node; the host is verified then.
        let name = options
            .servername
            .as_deref()
            .filter(|name| !name.is_empty());
        let servername = name.map(server_name).transpose()?;
        Ok(Self {
            config: Arc::new(options.config()?),
            servername,
            resolver,
            proxy: None,
            reach: None,
        })
    }

    /// The same dialer, going through a proxy.
    pub fn through(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// The same dialer, for a listener: what it dials is not this machine if the relay is another.
    pub(crate) fn for_listener(mut self) -> Self {
        self.reach = Some(Reach::default());
        self
    }

    /// Opens a WebSocket to the listener's relay itself, wherever that is.
    pub(crate) async fn dial_home(&self, dial: Dial) -> Result<Upgraded> {
        let host = Endpoint::parse(&dial.address)?.host;
        let home = Self {
            reach: None,
            ..self.clone()
        };
        let upgraded = home.dial(dial).await?;
        if let Some(reach) = &self.reach {
            // Through a proxy only the proxy's address is known.
            let address = upgraded.stream.tcp().peer_addr().ok();
            let address = address.filter(|_| self.proxy.is_none());
            reach.met(&host, address.map(|address| address.ip()));
        }
        Ok(upgraded)
    }

    /// Opens a WebSocket. Redirects are not followed and no extension is offered.
    pub async fn dial(&self, dial: Dial) -> Result<Upgraded> {
        self.open(dial, false).await
    }

    /// Opens a WebSocket and keeps the answer, also in the error of a refusal.
    pub async fn dial_for_answer(&self, dial: Dial) -> Result<Upgraded> {
        self.open(dial, true).await
    }

    async fn open(&self, dial: Dial, keep_answer: bool) -> Result<Upgraded> {
        let endpoint = Endpoint::parse(&dial.address)?;
        let deadline = Deadline::new(dial.timeout);
        let request = handshake::request(&endpoint, &dial.headers, &dial.protocols)?;

        let stream = self.connect(&endpoint, deadline).await?;
        let mut reader = UpgradeReader::new(stream);
        let handshake = client_async_with_config(request, &mut reader, Some(small_buffers()));
        let outcome = deadline.limit("opening handshake", handshake).await?;
        let response = match outcome {
            Ok((_, response)) => response,
            Err(error) => {
                // A peer may echo what it was sent.
                let secrets = Secrets::sent(&dial.address, &dial.headers);
                let mut failure = handshake::failure(error, &reader.reason(), &secrets);
                if let Some(refusal) = failure.refusal_mut().filter(|_| keep_answer) {
                    let mut answer = Answer::read(refusal.status, reader, deadline.at).await;
                    answer.hide(&secrets);
                    refusal.answer = Some(Box::new(answer));
                }
                return Err(failure.with_peer(&endpoint));
            }
        };
        handshake::check(&response)?;
        let answer = keep_answer.then(|| Answer::head(response.status().as_u16(), &reader));
        let (stream, rest) = reader.into_parts();
        Ok(Upgraded {
            stream,
            rest,
            answer,
            protocol: handshake::header(&response, "sec-websocket-protocol"),
            tracking_id: handshake::header(&response, TRACKING_ID_HEADER),
        })
    }

    /// Connects to a server that is no relay.
    pub(crate) async fn connect_to(
        &self,
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> Result<Stream> {
        self.connect(endpoint, Deadline::new(timeout)).await
    }

    async fn connect(&self, endpoint: &Endpoint, deadline: Deadline) -> Result<Stream> {
        let resolver = &self.resolver;
        let is_public = self.reach.as_ref().is_some_and(Reach::is_public);
        if is_public && is_near_name(&endpoint.host) {
            return Err(TOO_NEAR);
        }
        let tcp = match self.proxy.as_ref().filter(|proxy| proxy.is_for(endpoint)) {
            // Boxed, as TLS below: their state is three times all else of a dial, which is moved when it
            // becomes a task.
            Some(proxy) => {
                let connecting = proxy.connect(endpoint, resolver, &self.config, deadline);
                Box::pin(connecting).await?
            }
            None => tcp::connect(resolver, &endpoint.host, endpoint.port, deadline).await?,
        };
        let through_proxy = self
            .proxy
            .as_ref()
            .is_some_and(|proxy| proxy.is_for(endpoint));
        if is_public && !through_proxy && tcp.peer_addr().is_ok_and(|peer| is_near(peer.ip())) {
            return Err(TOO_NEAR);
        }
        if !endpoint.secure {
            return Ok(Stream::Plain(tcp));
        }
        let name = match &self.servername {
            Some(name) => name.clone(),
            None => server_name(&endpoint.host)?,
        };
        let handshake = Box::pin(TlsStream::connect(tcp, Arc::clone(&self.config), name));
        match deadline.limit("TLS handshake", handshake).await? {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(source) => Err(Error::of_tls(endpoint.peer(), source)),
        }
    }
}

const TOO_NEAR: Error =
    Error::InvalidAddress("a relay elsewhere may not point to this machine or its neighbours");

pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::InvalidAddress("the host is no name that a certificate can bear"))
}

/// tungstenite only does the handshake here; its frame buffers stay unused.
fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(0)
        .write_buffer_size(0)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_relay_elsewhere_may_not_point_to_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialer = Dialer::new(&TlsOptions::default()).unwrap().for_listener();
        let dial = |host: &str| Dial {
            address: format!("ws://{host}:{port}/$hc/hyco?sb-hc-action=accept"),
            headers: Vec::new(),
            protocols: Vec::new(),
            timeout: Duration::from_millis(200),
        };
        let reach = dialer.reach.as_ref().unwrap();
        reach.met("ns.example.org", "203.0.113.7".parse().ok());
        for host in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"] {
            let error = dialer.dial(dial(host)).await.unwrap_err();
            assert_eq!(error.code(), "HYCO_ERR_INVALID_ADDRESS", "{host}");
        }
        // The relay itself may be anywhere, and one of this machine may point to it.
        let error = dialer.dial_home(dial("127.0.0.1")).await.unwrap_err();
        assert_eq!(error.code(), "HYCO_ERR_TIMEOUT");
        reach.met("localhost", None);
        let error = dialer.dial(dial("127.0.0.1")).await.unwrap_err();
        assert_eq!(error.code(), "HYCO_ERR_TIMEOUT");
    }
}
