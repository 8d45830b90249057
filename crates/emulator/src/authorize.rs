//! Who may do what: the token of a handshake, and the hybrid connection that it is for.

use std::sync::Arc;

use hyco_protocol::{
    Demand, Right, Verified, names::AUTHORIZATION_HEADER, status::ENDPOINT_DOES_NOT_EXIST, verify,
};

use crate::{
    answer::Failure,
    handshake::{self, Handshake},
    hint::Refused,
    hybrid_connection::HybridConnection,
    relay::Relay,
};

/// Checks the token for a right and finds the hybrid connection, in this order: who may not look
/// does not learn what exists.
pub(crate) fn authorize(
    relay: &Relay,
    handshake: &Handshake,
    right: Right,
) -> Result<(Arc<HybridConnection>, Option<Verified>), Failure> {
    let path = &handshake.target.path;
    let connection = relay.find(path);
    let anonymous = right == Right::Send
        && connection
            .as_ref()
            .is_some_and(|connection| !connection.requires_client_authorization);
    let verified = if anonymous {
        None
    } else {
        let token = handshake::text(&handshake.headers, AUTHORIZATION_HEADER)
            .or(handshake.target.token.as_deref())
            .unwrap_or_default();
        let demand = Demand {
            hosts: &relay.hosts,
            path,
            right: Some(right),
            now: relay.now(),
            clock_skew: relay.clock_skew,
        };
        let mut rules = connection
            .as_ref()
            .map_or_else(Vec::new, |connection| connection.rules());
        rules.extend(relay.rules());
        let verified = verify(token, &rules, &[], &demand).map_err(|error| {
            let refused = Refused {
                token,
                path,
                hosts: &relay.hosts,
                rules: &rules,
                right,
                now: demand.now,
            };
            let hint = refused.hint(&error);
            Failure::from(error).with_hint(hint)
        })?;
        Some(verified)
    };
    match connection {
        Some(connection) => Ok((connection, verified)),
        None => Err(Failure::new(404, ENDPOINT_DOES_NOT_EXIST).with_hint(existing(relay))),
    }
}

/// Which paths there are, for a log.
fn existing(relay: &Relay) -> String {
    let connections = relay.hybrid_connections();
    let mut paths: Vec<_> = connections
        .iter()
        .take(MOST_SHOWN)
        .map(|connection| connection.path.as_str())
        .collect();
    if connections.len() > MOST_SHOWN {
        paths.push("…");
    }
    format!("the hybrid connections here are: {}", paths.join(", "))
}

const MOST_SHOWN: usize = 10;
