//! Who may do what: the token of a handshake, and the hybrid connection that it is for.

use std::sync::Arc;

use hyco_protocol::{
    Demand, Right, Rights, TokenError, Verified, names::AUTHORIZATION_HEADER, redact,
    status::ENDPOINT_DOES_NOT_EXIST, token::WebToken, verify,
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
    let token = handshake::text(&handshake.headers, AUTHORIZATION_HEADER)
        .or(handshake.target.token.as_deref())
        .unwrap_or_default();
    permit(relay, &handshake.target.path, token, right)
}

/// The same with the path and the token of any request.
pub(crate) fn permit(
    relay: &Relay,
    path: &str,
    token: &str,
    right: Right,
) -> Result<(Arc<HybridConnection>, Option<Verified>), Failure> {
    let connection = relay.find(path);
    let anonymous = right == Right::Send
        && connection
            .as_ref()
            .is_some_and(|connection| !connection.requires_client_authorization);
    let verified = if anonymous {
        None
    } else {
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
        if relay.accept_jwt
            && let Ok(web) = WebToken::parse(token)
        {
            let verified = verify_web_token(web, right, &demand)?;
            return found(relay, connection, Some(verified));
        }
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
    found(relay, connection, verified)
}

fn found(
    relay: &Relay,
    connection: Option<Arc<HybridConnection>>,
    verified: Option<Verified>,
) -> Result<(Arc<HybridConnection>, Option<Verified>), Failure> {
    match connection {
        Some(connection) => Ok((connection, verified)),
        None => Err(Failure::new(404, ENDPOINT_DOES_NOT_EXIST).with_hint(existing(relay))),
    }
}

/// Takes a token of Microsoft Entra ID at its word: audience, end, and roles if it names any.
pub(crate) fn verify_web_token(
    token: WebToken,
    right: Right,
    demand: &Demand<'_>,
) -> Result<Verified, Failure> {
    let is_relay = |name: &String| AUDIENCES.contains(&name.trim_end_matches('/'));
    if !token.audiences.iter().any(is_relay) {
        let audiences = token.audiences.join(", ");
        let hint = format!("aud is '{audiences}', it must be {}", AUDIENCES[0]);
        return Err(Failure::from(TokenError::InvalidAudience).with_hint(redact(&hint)));
    }
    if token.expires_at.saturating_add(demand.clock_skew) <= demand.now {
        return Err(Failure::from(TokenError::Expired(token.expires_at)));
    }
    let rights = match token.roles.is_empty() {
        true => Rights::ALL,
        false => Rights {
            listen: token.roles.iter().any(|role| role.contains("Listener")),
            send: token.roles.iter().any(|role| role.contains("Sender")),
            manage: token.roles.iter().any(|role| role.contains("Owner")),
        },
    };
    if !rights.grant(right) {
        let hint = format!("the roles are {}", token.roles.join(", "));
        return Err(Failure::from(TokenError::MissingRight(right)).with_hint(hint));
    }
    Ok(Verified {
        rule: "Entra".to_owned(),
        rights,
        expires_at: token.expires_at,
    })
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

/// What tokens of Microsoft Entra ID for Azure Relay are for.
const AUDIENCES: [&str; 2] = ["https://relay.azure.net", "https://relay.chinacloudapi.cn"];
const MOST_SHOWN: usize = 10;
