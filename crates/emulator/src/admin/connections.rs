//! What is connected: listeners, senders that wait, relayed connections, HTTP requests.

use hyco_protocol::query;
use serde_json::{Value, json};

use super::{Operation, Outcome};
use crate::{
    bridges::{Order, Span},
    events::millis,
    hybrid_connection::{HybridConnection, Listener},
};

impl Operation<'_> {
    pub(super) fn listeners(&self) -> Outcome {
        let all = || {
            let connections = self.relay.hybrid_connections();
            connections.into_iter().flat_map(|connection| {
                let listeners = connection.listeners();
                listeners
                    .into_iter()
                    .map(move |listener| (std::sync::Arc::clone(&connection), listener))
            })
        };
        match (self.method.as_str(), self.rest) {
            ("GET", "") => Ok(all()
                .map(|(connection, listener)| show_listener(&connection, &listener))
                .collect()),
            ("DELETE", rest) if !rest.is_empty() => {
                let number = self.number()?;
                let Some((_, listener)) = all().find(|(_, one)| one.serial == number) else {
                    return Err(self.missing("listener"));
                };
                listener.end(match self.order()? {
                    Order::Close(code, reason) => Some((code, reason)),
                    Order::Drop => None,
                });
                Ok(json!({}))
            }
            _ => Err(self.no_method()),
        }
    }

    pub(super) fn pending(&self) -> Value {
        let waiting = self.relay.pending.list();
        waiting
            .into_iter()
            .map(|(id, connection, since)| {
                json!({
                    "trackingId": id,
                    "hybridConnection": connection.path,
                    "waiting": since.elapsed().as_millis() as u64,
                })
            })
            .collect()
    }

    pub(super) fn connections(&self) -> Outcome {
        let all = self.relay.bridges.list();
        match (self.method.as_str(), self.rest) {
            ("GET", "") => Ok(all.iter().map(|span| show_span(span)).collect()),
            ("DELETE", rest) if !rest.is_empty() => {
                let number = self.number()?;
                let Some(span) = all.iter().find(|span| span.serial == number) else {
                    return Err(self.missing("connection"));
                };
                span.order(self.order()?);
                Ok(json!({}))
            }
            _ => Err(self.no_method()),
        }
    }

    pub(super) fn requests(&self) -> Outcome {
        let all = self.relay.requests.list();
        match (self.method.as_str(), self.rest) {
            ("GET", "") => Ok(all
                .iter()
                .map(|request| {
                    let (to_listener, to_sender) = request.bytes();
                    json!({
                        "number": request.serial,
                        "hybridConnection": request.connection.path,
                        "trackingId": request.id,
                        "method": request.method,
                        "path": request.path,
                        "sender": request.remote.to_string(),
                        "since": millis(request.opened),
                        "status": request.status(),
                        "toListener": to_listener,
                        "toSender": to_sender,
                    })
                })
                .collect()),
            ("DELETE", rest) if !rest.is_empty() => {
                let number = self.number()?;
                let Some(request) = all.iter().find(|one| one.serial == number) else {
                    return Err(self.missing("request"));
                };
                request.end();
                Ok(json!({}))
            }
            _ => Err(self.no_method()),
        }
    }

    /// How the query wants something to end: `?drop`, or `?code=&reason=`.
    fn order(&self) -> Result<Order, (u16, String)> {
        let wants_drop = self
            .query
            .split('&')
            .any(|part| part == "drop" || part == "drop=true");
        if wants_drop {
            return Ok(Order::Drop);
        }
        let code = match query::parameter(self.query, "code") {
            None => 1001,
            Some(text) => match text.parse() {
                Ok(code @ (1000..=1003 | 1007..=1014 | 3000..=4999)) => code,
                _ => {
                    let message = "code must be one that a close frame can have, as 1011 or 4000";
                    return Err((400, message.to_owned()));
                }
            },
        };
        let reason = query::parameter(self.query, "reason").unwrap_or_default();
        if reason.len() > 123 {
            return Err((400, "reason must be at most 123 bytes long".to_owned()));
        }
        Ok(Order::Close(code, reason))
    }
}

fn show_listener(connection: &HybridConnection, listener: &Listener) -> Value {
    json!({
        "number": listener.serial,
        "hybridConnection": connection.path,
        "id": listener.id,
        "remote": listener.remote.to_string(),
        "since": millis(listener.since),
        "announced": listener.announced.load(std::sync::atomic::Ordering::Relaxed),
    })
}

fn show_span(span: &Span) -> Value {
    json!({
        "number": span.serial,
        "hybridConnection": span.connection.path,
        "trackingId": span.id,
        "sender": span.sender.to_string(),
        "listener": span.listener.to_string(),
        "since": millis(span.opened),
        "toListener": span.to_listener.traffic(),
        "toSender": span.to_sender.traffic(),
    })
}
