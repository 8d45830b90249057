//! One client's request, and what its connection becomes afterwards.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, Request, header::HOST};
use hyco_protocol::{
    Action, Demand, Right, Target, Verified,
    names::AUTHORIZATION_HEADER,
    redact,
    status::{ENDPOINT_DOES_NOT_EXIST, WEB_SOCKET_ONLY},
    tracking::new_guid,
    verify,
};
use tokio::sync::oneshot;
use tracing::debug;

use crate::{
    accept,
    answer::{Answer, Failure},
    bridge::Joined,
    connect,
    control::ControlChannel,
    handshake,
    hybrid_connection::HybridConnection,
    listen,
    relay::{Relay, unix_now},
};

/// What one connection's requests share.
pub(crate) struct Visit {
    pub(crate) relay: Arc<Relay>,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) secure: bool,
    next: Mutex<Option<Next>>,
}

/// What becomes of a connection after its 101.
pub(crate) enum Next {
    /// A listener's control channel.
    Control(Box<ControlChannel>),
    /// A sender's end of a relayed connection; it goes to the listener's task.
    Sender(oneshot::Sender<Joined>),
    /// A listener's end of a relayed connection; it waits for the sender's.
    Listener(accept::Rendezvous),
}

/// A WebSocket request that has been read.
pub(crate) struct Handshake {
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) accept_key: String,
    /// The client's tracking id with the relay's suffix.
    pub(crate) tracking_id: String,
}

impl Visit {
    pub(crate) fn new(
        relay: Arc<Relay>,
        remote: SocketAddr,
        local: SocketAddr,
        secure: bool,
    ) -> Self {
        Self {
            relay,
            remote,
            local,
            secure,
            next: Mutex::default(),
        }
    }

    /// Says what the connection becomes after the 101 that is being answered.
    pub(crate) fn becomes(&self, next: Next) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    /// What the connection has become.
    pub(crate) fn take_next(&self) -> Option<Next> {
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        debug!(remote = %self.remote, method = %request.method(), target = redact(target), "request");
        let target = Target::parse(target);
        let tracking_id = tracking_id(target.id.as_deref());
        let system_tracker = self.system_tracker(request.headers(), &target);
        let answered = self.route(target, tracking_id.clone(), request).await;
        answered.unwrap_or_else(|failure| {
            debug!(remote = %self.remote, status = failure.status, failure.message, "refused");
            failure.into_answer(&tracking_id, &system_tracker)
        })
    }

    async fn route<B>(
        &self,
        target: Target,
        tracking_id: String,
        request: Request<B>,
    ) -> Result<Answer, Failure> {
        if !target.hybrid {
            return Err(match handshake::is_upgrade(request.headers()) {
                true => Failure::new(400, "The path of a web-socket request starts with /$hc."),
                false => Failure::new(501, "The emulator does not relay HTTP requests."),
            });
        }
        if !handshake::is_upgrade(request.headers()) {
            return Err(Failure::new(400, WEB_SOCKET_ONLY));
        }
        let action = target
            .action()
            .map_err(|error| Failure::new(400, error.to_string()))?;
        let accept_key = handshake::accept_key(&request)?;
        let (parts, _) = request.into_parts();
        let handshake = Handshake {
            target,
            headers: parts.headers,
            accept_key,
            tracking_id,
        };
        match action {
            Action::Listen => listen::listen(self, handshake),
            Action::Connect => connect::connect(self, handshake).await,
            Action::Accept | Action::Request => accept::accept(self, &handshake),
        }
    }

    /// Checks the token for a right and finds the hybrid connection, in this order: who may not look
    /// does not learn what exists.
    pub(crate) fn authorize(
        &self,
        handshake: &Handshake,
        right: Right,
    ) -> Result<(Arc<HybridConnection>, Option<Verified>), Failure> {
        let relay = &self.relay;
        let connection = relay.find(&handshake.target.path);
        let anonymous = right == Right::Send
            && connection.is_some_and(|connection| !connection.requires_client_authorization);
        let verified = if anonymous {
            None
        } else {
            Some(self.verify(handshake, connection, right)?)
        };
        match connection {
            Some(connection) => Ok((Arc::clone(connection), verified)),
            None => Err(Failure::new(404, ENDPOINT_DOES_NOT_EXIST)),
        }
    }

    fn verify(
        &self,
        handshake: &Handshake,
        connection: Option<&Arc<HybridConnection>>,
        right: Right,
    ) -> Result<Verified, Failure> {
        let token = handshake::text(&handshake.headers, AUTHORIZATION_HEADER)
            .or(handshake.target.token.as_deref())
            .unwrap_or_default();
        let demand = Demand {
            hosts: &self.relay.hosts,
            path: &handshake.target.path,
            right: Some(right),
            now: unix_now(),
            clock_skew: self.relay.clock_skew,
        };
        let rules = connection.map_or(&[][..], |connection| &connection.rules);
        Ok(verify(token, rules, &self.relay.rules, &demand)?)
    }

    /// Scheme, host and port by which this client reaches the relay.
    pub(crate) fn base(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.relay.public_url {
            return url.clone();
        }
        let scheme = if self.secure { "wss" } else { "ws" };
        match handshake::text(headers, HOST.as_str()) {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}", self.local),
        }
    }

    fn system_tracker(&self, headers: &HeaderMap, target: &Target) -> String {
        let local = self.local.to_string();
        let host = handshake::text(headers, HOST.as_str()).unwrap_or(&local);
        format!("sb://{host}{}", target.path)
    }
}

/// The client's id, or a new one, with the suffix of this node.
fn tracking_id(id: Option<&str>) -> String {
    let id = id.map_or_else(
        || {
            let mut random = [0; 16];
            // Without random bytes ids repeat, which the check for duplicates finds.
            let _ = getrandom::fill(&mut random);
            new_guid(random)
        },
        str::to_owned,
    );
    format!("{id}_G1")
}
