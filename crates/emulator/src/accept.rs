//! A listener dials the address of an `accept`: to meet the sender, or to reject it.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL},
};
use hyco_protocol::status::{GONE, UNKNOWN_CONNECTION};
use hyco_websocket::RewriterConfig;
use tokio::{sync::oneshot, time::timeout};
use tracing::{debug, warn};

use crate::{
    answer::{Answer, Failure, refusal, switching_protocols},
    bridge::{Joined, bridge},
    extensions,
    handshake::Handshake,
    pending::{Acceptance, Claimed, Decision},
    relay::Relay,
    visit::{Next, Visit},
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
    let Claimed { decision, offered } =
        visit.relay.pending.claim(id, connection).ok_or_else(gone)?;
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
    let extensions = extensions(headers, offered.as_deref(), id);
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

/// The extensions for both sides.
fn extensions(headers: &HeaderMap, offered: Option<&str>, id: &str) -> Option<HeaderValue> {
    let dialled = headers.get(SEC_WEBSOCKET_EXTENSIONS)?;
    let text = dialled.to_str().ok();
    let answer = text.and_then(|text| extensions::answer(offered, text));
    if answer.is_none() {
        warn!(
            id,
            dialled = text,
            "dropped the extensions in the listener's dial: they cannot be an answer to what the sender offered"
        );
    }
    answer.map(|_| dialled.clone())
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
            let config = RewriterConfig {
                allow_rsv,
                max_frame: relay.max_frame,
            };
            let outcome = bridge(sender, listener, config, &relay.timing, ending).await;
            debug!(id, ?outcome, "relayed");
        });
    }
}
