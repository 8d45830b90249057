//! A running emulator.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyco_protocol::Rule;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    error::Error,
    faults::Fault,
    handle::Handle,
    hybrid_connection::HybridConnection,
    options::{EmulatorOptions, root_rule},
    relay::{Bases, Parts, Relay},
    server,
    tls::Tls,
    valid,
};

/// A running emulator. Dropping it ends it; [`close`](Self::close) also waits for its end.
pub struct Emulator {
    running: Running,
    root: Rule,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    certificate: Option<String>,
    ended: mpsc::Receiver<Infallible>,
}

impl Emulator {
    /// Starts an emulator on the tokio runtime of the caller.
    pub async fn bind(options: EmulatorOptions) -> Result<Self, Error> {
        let hosts = hosts(&options)?;
        let tls = options
            .tls
            .as_ref()
            .map(|tls| Tls::new(tls, &hosts))
            .transpose()?;
        valid::distinct_paths(&options.hybrid_connections).map_err(invalid("hybridConnections"))?;
        let mut rules = options.rules;
        valid::rules(&rules).map_err(invalid("rules"))?;
        if rules.is_empty() {
            rules.push(root_rule()?);
        }
        let hybrid_connections = options
            .hybrid_connections
            .into_iter()
            .map(|connection| HybridConnection::new(connection).map(Arc::new))
            .collect::<Result<_, _>>()?;

        let host = options.host.trim_matches(['[', ']']);
        let listener = listen(host, options.port).await?;
        let address = listener.local_addr().map_err(|source| Error::Bind {
            address: format!("{host}:{}", options.port),
            source,
        })?;
        let beside = match (&tls, options.tls_port) {
            (Some(_), Some(port)) => Some(listen(host, port).await?),
            (None, Some(_)) => {
                return Err(invalid("tlsPort")("it needs tls".to_owned()));
            }
            (_, None) => None,
        };
        let tls_address = beside.as_ref().and_then(|beside| beside.local_addr().ok());
        let bases = match (&tls, tls_address) {
            (None, _) => Bases {
                plain: Some(authority(host, address, false)),
                tls: None,
            },
            (Some(_), None) => Bases {
                plain: None,
                tls: Some(authority(host, address, true)),
            },
            (Some(_), Some(tls)) => Bases {
                plain: Some(authority(host, address, false)),
                tls: Some(authority(host, tls, true)),
            },
        };

        let (alive, ended) = mpsc::channel(1);
        let root = rules[0].clone();
        let relay = Arc::new(Relay::new(Parts {
            hosts,
            public_url: options.public_url,
            rules,
            hybrid_connections,
            max_connections: options.max_connections,
            max_listeners: options.max_listeners,
            clock_skew: options.clock_skew,
            max_frame: options.max_frame,
            accept_jwt: options.accept_jwt,
            remote_admin: options.remote_admin,
            page: options.page,
            bases,
            forward_host: options.forward_host,
            reuse_rendezvous: options.reuse_rendezvous,
            timing: options.timing,
            alive,
        }));
        let (acceptor, certificate) = tls.map(|tls| (tls.acceptor, tls.certificate)).unzip();
        let serve = |listener, acceptor| {
            tokio::spawn(server::serve(listener, Arc::clone(&relay), acceptor));
        };
        let counting = Arc::clone(&relay);
        tokio::spawn(async move {
            tokio::select! {
                () = counting.stopped() => {}
                () = counting.events.tell_counts() => {}
            }
        });
        match beside {
            None => serve(listener, acceptor),
            Some(beside) => {
                serve(listener, None);
                serve(beside, acceptor);
            }
        }
        Ok(Self {
            running: Running(relay),
            root,
            address,
            tls_address,
            certificate,
            ended,
        })
    }

    /// What reaches it from other threads.
    pub fn handle(&self) -> Handle {
        Handle::new(&self.running.0)
    }

    /// Sets a fault; gives the number by which it is removed.
    ///
    /// # Errors
    ///
    /// A member that is missing, or that the kind does not have.
    pub fn set_fault(&self, fault: Fault) -> Result<u64, Error> {
        let set = self.running.0.set_fault(fault);
        set.map_err(invalid("fault"))
    }

    /// Removes a fault; gives whether there was one.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.running.0.remove_fault(id)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.running.0.clear_faults();
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address at which TLS is spoken beside plain connections.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Scheme, host and port, as `ws://127.0.0.1:9400`: what takes the place of a namespace's name. It is
    /// the plain one where there are two.
    pub fn namespace(&self) -> String {
        let bases = &self.running.0.bases;
        match (&bases.plain, &bases.tls) {
            (Some(plain), _) => format!("ws://{plain}"),
            (None, Some(tls)) => format!("wss://{tls}"),
            (None, None) => String::new(),
        }
    }

    /// The same for TLS, as `wss://localhost:9401`, if TLS is spoken.
    pub fn tls_namespace(&self) -> Option<String> {
        let tls = self.running.0.bases.tls.as_ref()?;
        Some(format!("wss://{tls}"))
    }

    /// The first rule of the namespace, as it was at the start.
    pub fn rule(&self) -> &Rule {
        &self.root
    }

    /// What clients have to trust, as PEM, if the emulator speaks TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// A connection string with the first rule of the namespace, for a hybrid connection or for all. It
    /// is the plain one where there are two.
    ///
    /// Without TLS it says `UseDevelopmentEmulator=true`, which only hyco-rs understands.
    pub fn connection_string(&self, entity: Option<&str>) -> String {
        self.connection_string_of(&self.root, entity)
    }

    /// The same over TLS, for the official clients, if TLS is spoken.
    pub fn tls_connection_string(&self, entity: Option<&str>) -> Option<String> {
        self.tls_connection_string_of(&self.root, entity)
    }

    /// The connection string with another rule, in plain where that is spoken.
    pub(crate) fn connection_string_of(&self, rule: &Rule, entity: Option<&str>) -> String {
        let bases = &self.running.0.bases;
        let plain = bases.connection_string(rule, entity, false);
        plain
            .or_else(|| bases.connection_string(rule, entity, true))
            .unwrap_or_default()
    }

    /// The same over TLS, if that is spoken.
    pub(crate) fn tls_connection_string_of(
        &self,
        rule: &Rule,
        entity: Option<&str>,
    ) -> Option<String> {
        self.running.0.bases.connection_string(rule, entity, true)
    }

    /// Ends the emulator: control channels and relayed connections are closed with 1001. Returns when
    /// all its tasks have ended.
    pub async fn close(self) {
        let Self {
            running, mut ended, ..
        } = self;
        drop(running);
        // Nothing is ever sent; the channel ends with the last task.
        let _ = ended.recv().await;
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((host, port))
        .await
        .map_err(|source| Error::Bind {
            address: format!("{host}:{port}"),
            source,
        })
}

/// The handle's share of the relay; dropping it stops the relay.
struct Running(Arc<Relay>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop.send_replace(true);
        self.0.bridges.end_all();
    }
}

/// The names that tokens may be signed for, lower case, IPv6 addresses in brackets.
fn hosts(options: &EmulatorOptions) -> Result<Vec<String>, Error> {
    let mut hosts = ["localhost", "127.0.0.1", "[::1]"]
        .map(str::to_owned)
        .to_vec();
    hosts.push(valid::host(&options.host).map_err(invalid("host"))?);
    for host in &options.hosts {
        hosts.push(valid::host(host).map_err(invalid("hosts"))?);
    }
    if let Some(url) = &options.public_url {
        let address = valid::public_url(url).map_err(invalid("publicUrl"))?;
        hosts.push(address.host().to_owned());
    }
    hosts.sort_unstable();
    hosts.dedup();
    Ok(hosts)
}

fn invalid(option: &'static str) -> impl Fn(String) -> Error {
    move |reason| Error::InvalidOption { option, reason }
}

/// Host and port by which clients on this machine reach the emulator. Certificates are mostly made
/// for `localhost`, and nobody can connect to the unspecified address.
fn authority(host: &str, address: SocketAddr, secure: bool) -> String {
    let port = address.port();
    let ip = address.ip();
    if ip.is_unspecified() || secure && ip.is_loopback() {
        return format!("localhost:{port}");
    }
    match host.parse::<IpAddr>() {
        Ok(_) => address.to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}
