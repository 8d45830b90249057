//! A listener dials the address of an `accept`: to meet the sender, or to reject it.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL},
};
use hyco_protocol::status::{GONE, UNKNOWN_CONNECTION};
use tokio::sync::oneshot;
use tracing::debug;

use crate::{
    answer::{Answer, Failure, refusal, switching_protocols},
    bridge::{Joined, bridge},
    events::EventKind,
    extensions,
    handshake::Handshake,
    hybrid_connection::HybridConnection,
    pending::{Acceptance, Claimed, Decision},
    relay::Relay,
    visit::{Next, Visit},
};

/// Where a listener's end waits for the sender's.
pub(crate) struct Rendezvous {
    sender: oneshot::Receiver<Joined>,
    connection: Arc<HybridConnection>,
    allow_rsv: bool,
    id: String,
}

/// Answers a listener's dial. Its credential is the id in the address, which works once.
pub(crate) fn accept(visit: &Visit, handshake: &Handshake) -> Result<Answer, Failure> {
    let gone = || Failure::new(403, UNKNOWN_CONNECTION);
    let target = &handshake.target;
    let id = target.id.as_deref().ok_or_else(gone)?;
    let connection = visit.relay.find(&target.path).ok_or_else(gone)?;
    let Claimed { decision, offered } = visit
        .relay
        .pending
        .claim(id, &connection)
        .ok_or_else(gone)?;
    if let Some(rejection) = target.rejection() {
        let rejection = rejection.map_err(|error| Failure::new(400, error.to_string()))?;
        if rejection.short_names {
            warn(
                visit,
                id,
                "statusCode and statusDescription lack the prefix sb-hc-",
            );
        }
        decision
            .send(Decision::Reject(rejection))
            .map_err(|_| gone())?;
        return Ok(refusal(410, GONE, id));
    }
    let headers = &handshake.headers;
    let protocol = headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
    let extensions = extensions(visit, headers, offered.as_deref(), id);
    let (sender, joined) = oneshot::channel();
    let acceptance = Acceptance {
        protocol: protocol.clone(),
        extensions: extensions.clone(),
        sender,
    };
    decision
        .send(Decision::Accept(acceptance))
        .map_err(|_| gone())?;
    visit.becomes(Next::Listener(Rendezvous {
        sender: joined,
        connection,
        allow_rsv: extensions.is_some(),
        id: id.to_owned(),
    }));
    Ok(switching_protocols(
        &handshake.accept_key,
        id,
        protocol,
        extensions,
    ))
}

fn warn(visit: &Visit, id: &str, message: &str) {
    visit.relay.events.tell(EventKind::Warning {
        message: message.to_owned(),
        tracking_id: Some(id.to_owned()),
    });
}

/// The extensions for both sides.
fn extensions(
    visit: &Visit,
    headers: &HeaderMap,
    offered: Option<&str>,
    id: &str,
) -> Option<HeaderValue> {
    let dialled = headers.get(SEC_WEBSOCKET_EXTENSIONS)?;
    let text = dialled.to_str().ok();
    let answer = text.and_then(|text| extensions::answer(offered, text));
    if answer.is_none() {
        warn(
            visit,
            id,
            "dropped the extensions in a listener's dial, which are no answer to what the sender \
             offered; let the listener dial without compression",
        );
    }
    answer.map(|_| dialled.clone())
}

impl Rendezvous {
    /// Waits for the sender's end, and lets a task of its own relay between the two.
    pub(crate) async fn join(self, relay: Arc<Relay>, listener: Joined) {
        let Self {
            sender,
            connection,
            allow_rsv,
            id,
        } = self;
        // If the sender's 101 cannot be written, the listener's connection ends here, too.
        let Some(Ok(sender)) = relay.within(|times| times.handshake, sender).await else {
            debug!(id, "the sender left after it had been accepted");
            return;
        };
        tokio::spawn(async move {
            let (from, to) = (sender.remote, listener.remote);
            let crossing = relay.bridges.enter(&id, &connection, from, to);
            let span = &crossing.span;
            relay.events.tell(EventKind::Paired {
                connection: span.serial,
                hybrid_connection: connection.path.clone(),
                tracking_id: id.clone(),
                sender: from.to_string(),
                listener: to.to_string(),
            });
            let outcome = bridge(&relay, span, sender, listener, allow_rsv).await;
            debug!(id, ?outcome, "relayed");
            relay.metrics.ended(span);
            relay.events.tell(EventKind::Closed {
                what: "connection",
                connection: Some(span.serial),
                hybrid_connection: connection.path.clone(),
                tracking_id: id,
                reason: outcome.to_string(),
                duration: span.since.elapsed().as_millis() as u64,
                to_listener: Some(span.to_listener.traffic()),
                to_sender: Some(span.to_sender.traffic()),
            });
        });
    }
}
