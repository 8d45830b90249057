//! A listener dials the address of an `accept`: to meet the sender, or to reject it.

use std::sync::Arc;

use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use hyco_protocol::status::{GONE, UNKNOWN_CONNECTION};
use tokio::{sync::oneshot, time::timeout};
use tracing::{debug, warn};

use crate::{
    answer::{Answer, Failure, refusal, switching_protocols},
    bridge::{Joined, bridge},
    pending::{Acceptance, Decision},
    relay::Relay,
    visit::{Handshake, Next, Visit},
};

/// Where a listener's end waits for the sender's.
pub(crate) struct Rendezvous {
    sender: oneshot::Receiver<Joined>,
    allow_rsv: bool,
    id: String,
}

/// Answers a listener's dial. Its credential is the id in the address, which works once.
pub(crate) fn accept(visit: &Visit, handshake: &Handshake) -> Result<Answer, Failure> {
    let gone = || Failure::new(403, UNKNOWN_CONNECTION);
    let target = &handshake.target;
    let id = target.id.as_deref().ok_or_else(gone)?;
    let connection = visit.relay.find(&target.path).ok_or_else(gone)?;
    let decision = visit.relay.pending.claim(id, connection).ok_or_else(gone)?;
    if let Some(rejection) = target.rejection() {
        let rejection = rejection.map_err(|error| Failure::new(400, error.to_string()))?;
        if rejection.short_names {
            warn!(
                id,
                "statusCode and statusDescription lack the prefix sb-hc-"
            );
        }
        decision
            .send(Decision::Reject(rejection))
            .map_err(|_| gone())?;
        return Ok(refusal(410, GONE, id));
    }
    let headers = &handshake.headers;
    let protocol = headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
    let extensions = headers.get(SEC_WEBSOCKET_EXTENSIONS).cloned();
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

impl Rendezvous {
    /// Waits for the sender's end, and lets a task of its own relay between the two.
    pub(crate) async fn join(self, relay: Arc<Relay>, listener: Joined) {
        let Self {
            sender,
            allow_rsv,
            id,
        } = self;
        // If the sender's 101 cannot be written, the listener's connection ends here, too.
        let Ok(Ok(sender)) = timeout(relay.timing.handshake, sender).await else {
            debug!(id, "the sender left after it had been accepted");
            return;
        };
        tokio::spawn(async move {
            let (_crossing, ending) = relay.bridges.enter();
            debug!(id, "relaying");
            let outcome = bridge(sender, listener, allow_rsv, &relay.timing, ending).await;
            debug!(id, ?outcome, "relayed");
        });
    }
}
