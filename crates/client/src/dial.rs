//! From an address to an upgraded connection: name, TCP, TLS, WebSocket handshake, one deadline for all.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{client_async_with_config, tungstenite::protocol::WebSocketConfig};

use crate::{
    endpoint::Endpoint,
    error::{Error, Result},
    handshake,
    resolver::Resolver,
    stream::Stream,
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
}

/// Opens connections with one set of TLS options. Clones share the TLS session store.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    servername: Option<ServerName<'static>>,
    resolver: Resolver,
}

impl Dialer {
    /// A dialer of its own; [`Dialers`](crate::Dialers) shares dialers between equal options.
    pub fn new(options: &TlsOptions) -> Result<Self> {
        Self::sharing(options, Resolver::default())
    }

    /// A dialer that shares the threads of its look-ups.
    pub(crate) fn sharing(options: &TlsOptions, resolver: Resolver) -> Result<Self> {
        let servername = options.servername.as_deref().map(server_name).transpose()?;
        Ok(Self {
            config: Arc::new(options.config()?),
            servername,
            resolver,
        })
    }

    /// Opens a WebSocket. Redirects are not followed and no extension is offered.
    pub async fn dial(&self, dial: Dial) -> Result<Upgraded> {
        let endpoint = Endpoint::parse(&dial.address)?;
        let deadline = Deadline::new(dial.timeout);
        let request = handshake::request(&endpoint, &dial.headers, &dial.protocols)?;

        let stream = self.connect(&endpoint, deadline).await?;
        let mut reader = UpgradeReader::new(stream);
        let handshake = client_async_with_config(request, &mut reader, Some(small_buffers()));
        let outcome = deadline.limit("opening handshake", handshake).await?;
        let response = match outcome {
            Ok((_, response)) => response,
            Err(error) => return Err(handshake::failure(error, &reader.reason())),
        };
        handshake::check(&response)?;
        let (stream, rest) = reader.into_parts();
        Ok(Upgraded {
            stream,
            rest,
            protocol: handshake::header(&response, "sec-websocket-protocol"),
            tracking_id: handshake::header(&response, hyco_protocol::names::TRACKING_ID_HEADER),
        })
    }

    /// Whether both were cloned from one dialer.
    #[cfg(test)]
    pub(crate) fn shares_sessions(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }

    async fn connect(&self, endpoint: &Endpoint, deadline: Deadline) -> Result<Stream> {
        let tcp = connect_tcp(&self.resolver, endpoint, deadline).await?;
        // Frames are gathered before they are written; waiting for more only delays them.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        if !endpoint.secure {
            return Ok(Stream::Plain(tcp));
        }
        let name = match &self.servername {
            Some(name) => name.clone(),
            None => server_name(&endpoint.host)?,
        };
        let handshake = TlsStream::connect(tcp, Arc::clone(&self.config), name);
        match deadline.limit("TLS handshake", handshake).await? {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(source) => Err(Error::Tls {
                peer: endpoint.peer(),
                source,
            }),
        }
    }
}

/// Tries the addresses of the host in turn; a silent one must leave time for the others.
async fn connect_tcp(
    resolver: &Resolver,
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Result<TcpStream> {
    let addresses = resolve(resolver, endpoint, deadline).await?;
    let mut last = None;
    for (at, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = deadline.at.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {
                tracing::debug!(%address, "no answer");
            }
        }
    }
    match last {
        Some(source) => Err(Error::Connect {
            peer: endpoint.peer(),
            source,
        }),
        None => Err(deadline.missed("connection attempt")),
    }
}

/// Literal addresses and `localhost` need no look-up.
async fn resolve(
    resolver: &Resolver,
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>> {
    let port = endpoint.port;
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if endpoint.host == "localhost" {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        return Ok(vec![(v4, port).into(), (v6, port).into()]);
    }
    let looking = resolver.look_up(&endpoint.host, port);
    let found = match deadline.limit("name look-up", looking).await? {
        Ok(found) if found.is_empty() => Err(io::ErrorKind::NotFound.into()),
        outcome => outcome,
    };
    found.map_err(|source| Error::Lookup {
        host: endpoint.host.clone(),
        source,
    })
}

fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::InvalidAddress("the host is no name that a certificate can bear"))
}

/// tungstenite only does the handshake here; its frame buffers stay unused.
fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(0)
        .write_buffer_size(0)
}

/// The end of the time for a dial; the error names the step that was under way.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    fn new(after: Duration) -> Self {
        Self {
            at: Instant::now() + after.min(LONGEST),
            after,
        }
    }

    async fn limit<F: Future>(self, step: &'static str, future: F) -> Result<F::Output> {
        timeout_at(self.at, future)
            .await
            .map_err(|_| self.missed(step))
    }

    fn missed(self, step: &'static str) -> Error {
        Error::Timeout {
            step,
            after: self.after,
        }
    }
}

/// Keeps the sum of now and any timeout representable.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
