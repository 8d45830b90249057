//! A listener opens its control channel.

use std::sync::Arc;

use hyco_protocol::{
    Right,
    command::{MAX_COMMAND, MAX_CONTROL_BODY},
    status::{ENDPOINT_DOES_NOT_EXIST, TOO_MANY_LISTENERS},
};
use tokio::sync::mpsc;
use tracing::debug;

use crate::{
    answer::{Answer, Failure, switching_protocols},
    authorize::authorize,
    control::ControlChannel,
    handshake::Handshake,
    hybrid_connection::Unregistered,
    visit::{Next, Visit},
};

/// Registers the listener: the 101 is all that tells it so. Extensions are not answered.
pub(crate) fn listen(visit: &Visit, handshake: Handshake) -> Result<Answer, Failure> {
    let (connection, verified) = authorize(&visit.relay, &handshake, Right::Listen)?;
    let expires_at = verified.map_or(0, |verified| verified.expires_at);
    let (commands, queue) = mpsc::channel(QUEUE);
    let base = visit.base(&handshake.headers);
    let registration = connection
        .register(
            &handshake.tracking_id,
            base,
            visit.remote,
            commands,
            visit.relay.max_listeners,
        )
        .map_err(|unregistered| match unregistered {
            Unregistered::TooMany => {
                let most = visit.relay.max_listeners;
                let hint = format!(
                    "{most} listeners are connected to {} already",
                    connection.path
                );
                Failure::new(403, TOO_MANY_LISTENERS).with_hint(hint)
            }
            Unregistered::Deleted => Failure::new(404, ENDPOINT_DOES_NOT_EXIST)
                .with_hint("the hybrid connection was deleted at this moment"),
        })?;
    let id = handshake.tracking_id;
    debug!(id, path = connection.path, "listening");
    let answer = switching_protocols(&handshake.accept_key, &id, None, None);
    visit.becomes(Next::Control(Box::new(ControlChannel {
        relay: Arc::clone(&visit.relay),
        connection,
        path: handshake.target.path,
        id,
        expires_at,
        registration,
        commands: queue,
        answering: None,
        unwritten: false,
    })));
    Ok(answer)
}

/// How many commands wait for a slow listener; a sender beyond them waits for a place.
const QUEUE: usize = 256;

// What a deaf listener costs: 32 MiB, if each command and its body are as long as they may be.
const _: () = assert!(QUEUE * (MAX_COMMAND + MAX_CONTROL_BODY) == 32 * 1024 * 1024);
