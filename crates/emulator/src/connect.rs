//! A sender connects: it is announced to a listener and waits for the decision.
//!
//! 1. the sender's token is checked, and its hybrid connection found;
//! 2. a listener is chosen at random, and gets `accept` with the sender's headers;
//! 3. the listener dials the address in it, and so accepts or rejects ([`accept`](crate::accept));
//! 4. the sender gets its answer. Until then it has got no byte.
//!
//! A sender that leaves drops all this at any point: the HTTP server drops what it was answering.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use hyco_protocol::{
    Accept, Command, RemoteEndpoint, Right,
    command::MAX_COMMAND,
    names::{ALLOWED_LISTENERS_HEADER, DISALLOWED_LISTENERS_HEADER},
    status::{ACCEPT_TIMED_OUT, DUPLICATE_CONNECTION, NO_LISTENER_MEETS_CRITERIA, NO_LISTENERS},
    uri::accept_address,
};
use tokio::{sync::oneshot, time::sleep};
use tracing::debug;

use crate::{
    answer::{Answer, Failure, rejected, switching_protocols},
    authorize::authorize,
    events::EventKind,
    handshake::{self, Handshake},
    hybrid_connection::{HybridConnection, Listener, Outgoing},
    pending::Decision,
    places::Expected,
    relay::Relay,
    visit::{Next, Visit},
    waiting::Waiting,
};

/// Answers a sender when a listener has decided.
pub(crate) async fn connect(visit: &Visit, handshake: Handshake) -> Result<Answer, Failure> {
    let (connection, _) = authorize(&visit.relay, &handshake, Right::Send)?;
    let dismissed = connection.dismissed();
    let candidates = candidates(&connection, &handshake.headers)?;
    let _expected = expect_dial(&visit.relay)?;
    let id = &handshake.tracking_id;
    let (_place, decided) = visit
        .relay
        .pending
        .enter(id, &connection, offered(&handshake))
        .map_err(|_| Failure::new(400, DUPLICATE_CONNECTION))?;
    let waiting = Waiting::new(&visit.relay, visit.remote, &handshake.target.path, id);
    let decision = visit.relay.within(|times| times.accept, async {
        delay_on_purpose(visit, &connection, &handshake.tracking_id).await;
        let command = |listener: &Listener| {
            accept_command(visit, &handshake, listener).map(|command| (command, None))
        };
        tell(candidates, command).await?;
        Ok(decision(decided).await)
    });
    let decision = tokio::select! {
        decision = decision => decision.unwrap_or_else(|| {
            let hint =
                "the listener was told of the sender, and did not dial the address in its accept";
            Err(Failure::new(504, ACCEPT_TIMED_OUT).with_hint(hint))
        }),
        failure = dismissed.failure() => Err(failure),
    };
    waiting.answered();
    let decision = decision?;
    Ok(match decision {
        Decision::Accept(acceptance) => {
            debug!(id, "accepted");
            visit.becomes(Next::Sender(acceptance.sender));
            let (protocol, extensions) = (acceptance.protocol, acceptance.extensions);
            switching_protocols(&handshake.accept_key, id, protocol, extensions)
        }
        Decision::Reject(rejection) => {
            debug!(id, status = rejection.status, "rejected");
            rejected(&rejection, id)
        }
    })
}

/// Keeps a place for the listener's dial of a sender that waits.
pub(crate) fn expect_dial(relay: &Relay) -> Result<Expected<'_>, Failure> {
    relay.places.expect().ok_or_else(|| {
        Failure::new(503, SERVER_BUSY)
            .with_hint("as many connections are open as may be: see maxConnections")
    })
}

/// Waits, or waits for ever, if a fault wants it so.
async fn delay_on_purpose(visit: &Visit, connection: &HybridConnection, id: &str) {
    let Some(active) = visit.relay.faults.on_accept(&connection.path) else {
        return;
    };
    visit.relay.events.tell(EventKind::Fault {
        fault: active.id,
        kind: active.fault.kind.as_str(),
        target: id.to_owned(),
    });
    match active.fault.delay {
        Some(delay) => sleep(Duration::from_millis(delay)).await,
        None => std::future::pending().await,
    }
}

/// The extensions that the sender offers.
fn offered(handshake: &Handshake) -> Option<String> {
    let values = handshake.headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
    let texts: Vec<_> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The listeners that the sender may be given to.
pub(crate) fn candidates(
    connection: &HybridConnection,
    headers: &HeaderMap,
) -> Result<Vec<Arc<Listener>>, Failure> {
    let mut listeners = connection.listeners();
    // One that was told to end would not tell of the sender any more.
    listeners.retain(|listener| !listener.is_ending());
    if listeners.is_empty() {
        let hint = format!("start a listener at {}", connection.path);
        return Err(Failure::new(404, NO_LISTENERS).with_hint(hint));
    }
    let allowed = handshake::ids(headers, ALLOWED_LISTENERS_HEADER);
    let disallowed = handshake::ids(headers, DISALLOWED_LISTENERS_HEADER);
    listeners.retain(|listener| {
        allowed.as_ref().is_none_or(|ids| listener.is_named_in(ids))
            && disallowed
                .as_ref()
                .is_none_or(|ids| !listener.is_named_in(ids))
    });
    match listeners.is_empty() {
        true => Err(Failure::new(404, NO_LISTENER_MEETS_CRITERIA)),
        false => Ok(listeners),
    }
}

/// Tells one of the listeners, chosen at random; another one only if a control channel is gone.
pub(crate) async fn tell(
    mut candidates: Vec<Arc<Listener>>,
    mut command: impl FnMut(&Listener) -> Result<Outgoing, Failure>,
) -> Result<(), Failure> {
    while !candidates.is_empty() {
        let listener = candidates.swap_remove(random_below(candidates.len()));
        let command = command(&listener)?;
        if listener.commands.send(command).await.is_ok() {
            listener.announced.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }
    Err(Failure::new(404, NO_LISTENERS))
}

fn accept_command(
    visit: &Visit,
    handshake: &Handshake,
    listener: &Listener,
) -> Result<String, Failure> {
    let (target, id) = (&handshake.target, &handshake.tracking_id);
    let remote = visit.remote;
    let command = Command::Accept(Accept {
        address: accept_address(&listener.base, &target.path, &target.query, id),
        id: id.clone(),
        connect_headers: handshake::connect_headers(&handshake.headers),
        remote_endpoint: Some(RemoteEndpoint {
            address: remote.ip().to_canonical().to_string(),
            port: remote.port(),
        }),
    });
    let json = command.to_json();
    match json.len() {
        ..=MAX_COMMAND => Ok(json),
        _ => Err(Failure::new(
            431,
            "The headers of the request are too long for a listener.",
        )),
    }
}

/// What the listener decides; nothing ever if it has taken the sender and then failed to say.
async fn decision(decided: oneshot::Receiver<Decision>) -> Decision {
    match decided.await {
        Ok(decision) => decision,
        Err(_) => std::future::pending().await,
    }
}

fn random_below(count: usize) -> usize {
    // Which listener is chosen is no secret; without random bytes it is the first one.
    getrandom::u32().map_or(0, |random| random as usize % count)
}

pub(crate) const SERVER_BUSY: &str = "ServerBusy: The relay has no place for another connection.";
