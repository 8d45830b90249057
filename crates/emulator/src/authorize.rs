//! Who may do what: the token of a handshake, and the hybrid connection that it is for.

use std::sync::Arc;

use hyco_protocol::{
    Demand, Right, Verified, names::AUTHORIZATION_HEADER, status::ENDPOINT_DOES_NOT_EXIST, verify,
};

use crate::{
    answer::Failure,
    handshake::{self, Handshake},
    hybrid_connection::HybridConnection,
    relay::{Relay, unix_now},
};

/// Checks the token for a right and finds the hybrid connection, in this order: who may not look
/// does not learn what exists.
pub(crate) fn authorize(
    relay: &Relay,
    handshake: &Handshake,
    right: Right,
) -> Result<(Arc<HybridConnection>, Option<Verified>), Failure> {
    let connection = relay.find(&handshake.target.path);
    let anonymous = right == Right::Send
        && connection.is_some_and(|connection| !connection.requires_client_authorization);
    let verified = if anonymous {
        None
    } else {
        let token = handshake::text(&handshake.headers, AUTHORIZATION_HEADER)
            .or(handshake.target.token.as_deref())
            .unwrap_or_default();
        let demand = Demand {
            hosts: &relay.hosts,
            path: &handshake.target.path,
            right: Some(right),
            now: unix_now(),
            clock_skew: relay.clock_skew,
        };
        let rules = connection.map_or(&[][..], |connection| &connection.rules);
        Some(verify(token, rules, &relay.rules, &demand)?)
    };
    match connection {
        Some(connection) => Ok((Arc::clone(connection), verified)),
        None => Err(Failure::new(404, ENDPOINT_DOES_NOT_EXIST)),
    }
}
