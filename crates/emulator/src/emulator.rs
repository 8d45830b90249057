//! A running emulator.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyco_protocol::{Address, Rule, Scheme};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    error::Error,
    faults::Fault,
    handle::Handle,
    hybrid_connection::HybridConnection,
    options::{EmulatorOptions, root_rule},
    relay::{Parts, Relay},
    server,
    tls::Tls,
};

/// A running emulator. Dropping it ends it; [`close`](Self::close) also waits for its end.
pub struct Emulator {
    running: Running,
    root: Rule,
    address: SocketAddr,
    /// Host and port by which clients on this machine reach it.
    authority: String,
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
        let mut rules = options.rules;
        if rules.is_empty() {
            rules.push(root_rule()?);
        }
        let hybrid_connections = options
            .hybrid_connections
            .into_iter()
            .map(|connection| HybridConnection::new(connection).map(Arc::new))
            .collect::<Result<_, _>>()?;

        let bind = |source| Error::Bind {
            address: format!("{}:{}", options.host, options.port),
            source,
        };
        let host = options.host.trim_matches(['[', ']']);
        let listener = TcpListener::bind((host, options.port))
            .await
            .map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;

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
            timing: options.timing,
            alive,
        }));
        let (acceptor, certificate) = tls.map(|tls| (tls.acceptor, tls.certificate)).unzip();
        tokio::spawn(server::serve(listener, Arc::clone(&relay), acceptor));
        let authority = authority(host, address, certificate.is_some());
        let running = Running(relay);
        Ok(Self {
            running,
            root,
            address,
            authority,
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
        set.map_err(|reason| Error::InvalidOption {
            option: "fault",
            reason,
        })
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

    /// Scheme, host and port, as `ws://127.0.0.1:9400`: what takes the place of a namespace's name.
    pub fn namespace(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "wss"
        } else {
            "ws"
        };
        format!("{scheme}://{}", self.authority)
    }

    /// The first rule of the namespace, as it was at the start.
    pub fn rule(&self) -> &Rule {
        &self.root
    }

    /// What clients have to trust, as PEM, if the emulator speaks TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// A connection string with the first rule of the namespace, for a hybrid connection or for all.
    ///
    /// Without TLS it says `UseDevelopmentEmulator=true`, which only hyco-rs understands.
    pub fn connection_string(&self, entity: Option<&str>) -> String {
        let (authority, rule) = (&self.authority, self.rule());
        let (name, key) = (rule.name(), rule.primary_key());
        let mut text =
            format!("Endpoint=sb://{authority}/;SharedAccessKeyName={name};SharedAccessKey={key}");
        if let Some(path) = entity {
            text.push_str(&format!(";EntityPath={path}"));
        }
        if self.certificate.is_none() {
            text.push_str(";UseDevelopmentEmulator=true");
        }
        text
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
    let invalid = |option| {
        move |error: hyco_protocol::Error| Error::InvalidOption {
            option,
            reason: error.to_string(),
        }
    };
    let host_of = |host: &str| {
        let bare = host.trim_matches(['[', ']']);
        let host = if bare.contains(':') {
            format!("[{bare}]")
        } else {
            bare.to_owned()
        };
        Address::parse(&format!("sb://{host}/")).map(|address| address.host().to_owned())
    };
    let mut hosts = ["localhost", "127.0.0.1", "[::1]"]
        .map(str::to_owned)
        .to_vec();
    hosts.push(host_of(&options.host).map_err(invalid("host"))?);
    for host in &options.hosts {
        hosts.push(host_of(host).map_err(invalid("hosts"))?);
    }
    if let Some(url) = &options.public_url {
        let address = Address::parse(url).map_err(invalid("publicUrl"))?;
        if !matches!(address.scheme(), Scheme::Ws | Scheme::Wss) {
            let reason = "its scheme is neither ws nor wss".to_owned();
            return Err(Error::InvalidOption {
                option: "publicUrl",
                reason,
            });
        }
        hosts.push(address.host().to_owned());
    }
    hosts.sort_unstable();
    hosts.dedup();
    Ok(hosts)
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
