//! Going through a proxy: HTTP CONNECT, in the clear or over TLS, or SOCKS5. The proxy resolves names.

mod bridge;
mod connect;
mod exceptions;
mod socks;

use std::{fmt, io, sync::Arc};

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use url::Url;

use self::exceptions::Exceptions;
pub use self::exceptions::is_excepted;
use crate::{
    deadline::Deadline,
    endpoint::Endpoint,
    error::{Error, ProxyFailure, Result},
    resolver::Resolver,
    tcp::{self, Tcp},
    tls::TlsStream,
};

/// A proxy, and the hosts for which it is not used. Clones are the same one.
#[derive(Clone)]
pub struct Proxy(Arc<Settings>);

struct Settings {
    kind: Kind,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
    exceptions: Exceptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Socks,
}

struct Credentials {
    user: String,
    password: String,
}

impl Proxy {
    /// The proxy at that URL: `http:`, `https:`, `socks5:` or `socks5h:`, with user and password where it
    /// wants them. `no_proxy` lists the hosts that are dialled directly, see [`is_excepted`].
    pub fn new(url: &str, no_proxy: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|_| invalid("it is no URL"))?;
        let (kind, port) = match parsed.scheme() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks" | "socks5" | "socks5h" => (Kind::Socks, 1080),
            _ => return Err(invalid("its scheme is not http, https or socks5")),
        };
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid("it has no host"))?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = (!parsed.username().is_empty()).then(|| Credentials {
            user: decoded(parsed.username()),
            password: decoded(parsed.password().unwrap_or_default()),
        });
        Ok(Self(Arc::new(Settings {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: parsed.port().unwrap_or(port),
            credentials,
            exceptions: Exceptions::parse(no_proxy),
        })))
    }

    /// Whether connections to that host go through the proxy.
    pub(crate) fn is_for(&self, endpoint: &Endpoint) -> bool {
        !self.0.exceptions.has(&endpoint.host, endpoint.port)
    }

    /// A connection to that endpoint, through the proxy.
    pub(crate) async fn connect(
        &self,
        endpoint: &Endpoint,
        resolver: &Resolver,
        tls: &Arc<ClientConfig>,
        deadline: Deadline,
    ) -> Result<Tcp> {
        let Settings { host, port, .. } = &*self.0;
        let reached = tcp::connect(resolver, host, *port, deadline).await;
        let mut stream = reached.map_err(|error| match error {
            Error::Connect { source, .. } => self.failed(ProxyFailure::Unreachable(source)),
            Error::Lookup { source, .. } => self.failed(ProxyFailure::Unresolved(source)),
            error => error,
        })?;
        match self.0.kind {
            Kind::Http => {
                let asking = connect::ask(&mut stream, endpoint, self.0.credentials.as_ref());
                let answer = deadline.limit("answer of the proxy", asking).await?;
                answer.map_err(|failure| self.failed(failure))?;
                Ok(stream)
            }
            Kind::Https => {
                let name = crate::dial::server_name(host)?;
                let handshake = TlsStream::connect(stream, Arc::clone(tls), name);
                let outcome = deadline
                    .limit("TLS handshake with the proxy", handshake)
                    .await?;
                let mut stream =
                    outcome.map_err(|source| Error::of_tls(tcp::peer(host, *port), source))?;
                let asking = connect::ask(&mut stream, endpoint, self.0.credentials.as_ref());
                let answer = deadline.limit("answer of the proxy", asking).await?;
                answer.map_err(|failure| self.failed(failure))?;
                let bridged = deadline.limit("connection attempt", bridge::over(stream));
                bridged
                    .await?
                    .map_err(|error| self.failed(ProxyFailure::Broken(error)))
            }
            Kind::Socks => {
                let credentials = self.0.credentials.as_ref();
                let asking = socks::ask(stream, endpoint, credentials);
                let answer = deadline.limit("answer of the proxy", asking).await?;
                answer.map_err(|failure| self.failed(failure))
            }
        }
    }

    fn failed(&self, failure: ProxyFailure) -> Error {
        let proxy = tcp::peer(&self.0.host, self.0.port);
        Error::Proxy { proxy, failure }
    }
}

impl fmt::Debug for Proxy {
    /// Leaves out user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.0.kind)
            .field("host", &self.0.host)
            .field("port", &self.0.port)
            .finish_non_exhaustive()
    }
}

fn invalid(reason: &'static str) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidInput, reason);
    Error::Proxy {
        proxy: "the URL".to_owned(),
        failure: ProxyFailure::Broken(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(no_proxy: &str, host: &str) -> bool {
        let proxy = Proxy::new("http://proxy:8080", no_proxy).unwrap();
        proxy.is_for(&Endpoint::parse(&format!("wss://{host}/x")).unwrap())
    }

    #[test]
    fn hosts_of_no_proxy_are_dialled_directly() {
        let list = "example.org,[::1]:80";
        for host in ["example.org", "a.example.org:444", "[::1]:80"] {
            assert!(!uses(list, host), "{host}");
        }
        for host in ["example.com", "[::1]:81"] {
            assert!(uses(list, host), "{host}");
        }
        assert!(uses("", "localhost"));
    }

    #[test]
    fn a_url_is_taken_apart_and_its_password_not_shown() {
        let proxy = Proxy::new("socks5h://me:p%40ss@[::1]", "").unwrap();
        let Settings {
            kind,
            host,
            port,
            credentials,
            ..
        } = &*proxy.0;
        assert_eq!((*kind, host.as_str(), *port), (Kind::Socks, "::1", 1080));
        assert_eq!(credentials.as_ref().unwrap().password, "p@ss");
        assert!(!format!("{proxy:?}").contains("p@ss"));
        for url in ["proxy:8080", "ftp://proxy", "http://"] {
            assert_eq!(Proxy::new(url, "").unwrap_err().code(), "HYCO_ERR_PROXY");
        }
    }
}
