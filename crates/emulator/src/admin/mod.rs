//! Looking into a running relay, and changing it: one set of operations for HTTP and for programs.
//!
//! | method and path | does |
//! |---|---|
//! | GET `health`, `version` | says that it runs, and what |
//! | GET `hybridConnections` | lists them, with listeners, senders that wait, and connections |
//! | POST `hybridConnections` | creates one |
//! | GET, DELETE `hybridConnections/{path}` | shows one, deletes one |
//! | GET, POST `rules`; DELETE `rules/{name}` | of the namespace, or with `?hybridConnection=` of one |
//! | GET `listeners`; DELETE `listeners/{number}` | lists them; closes one (`?code=&reason=`) or drops it (`?drop`) |
//! | GET `connectionStrings`, POST `tokens` | what clients need to connect |
//! | GET `pending` | lists the senders that wait for a listener |
//! | GET `connections`; DELETE `connections/{number}` | as with listeners |
//! | GET `requests`; DELETE `requests/{number}` | lists the HTTP requests that have not ended; ends one |
//! | GET, POST, DELETE `faults`; DELETE `faults/{number}` | lists, sets, removes all, removes one |
//! | GET, DELETE `journal` | what has happened (`?since={serial}`); empties it |
//! | GET, POST, DELETE `recordings` | whose frames go into the journal |
//! | POST `reset` | removes faults and recordings, ends what is connected or waits, empties the journal |
//! | GET `metrics` | numbers for Prometheus |

mod connections;
mod credentials;
pub(crate) mod http;
pub(crate) mod namespace;

use std::sync::Arc;

use ::http::Method;
use hyco_protocol::query;
use serde_json::{Value, json};

use crate::{faults::Fault, json, metrics, relay::Relay};

/// The answer to an operation.
#[derive(Clone, Debug)]
pub struct AdminAnswer {
    /// A status, as of HTTP.
    pub status: u16,
    /// JSON, or for `metrics` text.
    pub body: String,
    /// The type of the body.
    pub content_type: &'static str,
}

/// An operation that is to be done.
pub(crate) struct Operation<'a> {
    pub(crate) relay: &'a Arc<Relay>,
    pub(crate) method: &'a Method,
    /// The path behind the first segment.
    pub(crate) rest: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// What an operation gives, or its status and why it failed.
pub(crate) type Outcome = Result<Value, (u16, String)>;

impl AdminAnswer {
    fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            body: value.to_string(),
            content_type: "application/json",
        }
    }
}

/// Does what is asked for by a path below the reserved one, without a slash in front.
pub(crate) fn answer(
    relay: &Arc<Relay>,
    method: &Method,
    target: &str,
    body: &[u8],
) -> AdminAnswer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if first == "metrics" && method == Method::GET {
        return AdminAnswer {
            status: 200,
            body: metrics::prometheus(relay),
            content_type: "text/plain; version=0.0.4; charset=utf-8",
        };
    }
    let operation = Operation {
        relay,
        method,
        rest,
        query,
        body,
    };
    match operation.run(first) {
        Ok(value) => AdminAnswer::json(200, &value),
        Err((status, message)) => AdminAnswer::json(status, &json!({ "error": message })),
    }
}

impl Operation<'_> {
    fn run(&self, first: &str) -> Outcome {
        match (first, self.method.as_str()) {
            ("health", "GET") => Ok(json!({ "status": "ok" })),
            ("version", "GET") => Ok(json!({ "name": "hyco-relay", "version": VERSION })),
            ("hybridConnections", _) => self.hybrid_connections(),
            ("rules", _) => self.rules(),
            ("listeners", _) => self.listeners(),
            ("connectionStrings", "GET") => Ok(self.connection_strings()),
            ("tokens", "POST") => self.token(),
            ("pending", "GET") => Ok(self.pending()),
            ("connections", _) => self.connections(),
            ("requests", _) => self.requests(),
            ("faults", _) => self.faults(),
            ("journal", _) => self.journal(),
            ("recordings", _) => self.recordings(),
            ("reset", "POST") => {
                self.reset();
                Ok(json!({}))
            }
            (
                "pending" | "connectionStrings" | "tokens" | "reset" | "health" | "version"
                | "metrics",
                method,
            ) => Err((405, format!("{first} has no {method}"))),
            _ => Err((404, format!("there is nothing named '{first}' here"))),
        }
    }

    fn faults(&self) -> Outcome {
        match (self.method.as_str(), self.rest) {
            ("GET", "") => {
                let active = self.relay.faults.active();
                let shown: Vec<_> = active
                    .iter()
                    .map(|active| {
                        let mut value = json!(active.fault);
                        value["id"] = json!(active.id);
                        value["struck"] = json!(active.struck());
                        value
                    })
                    .collect();
                Ok(json!(shown))
            }
            ("POST", "") => {
                let fault = Fault::parse(self.object()?);
                let id = fault
                    .and_then(|fault| self.relay.set_fault(fault))
                    .map_err(|message| (400, message))?;
                Ok(json!({ "id": id }))
            }
            ("DELETE", "") => {
                self.relay.clear_faults();
                Ok(json!({}))
            }
            ("DELETE", _) => match self.relay.remove_fault(self.number()?) {
                true => Ok(json!({})),
                false => Err(self.missing("fault")),
            },
            _ => Err(self.no_method()),
        }
    }

    fn journal(&self) -> Outcome {
        match self.method.as_str() {
            "GET" => {
                let since = query::parameter(self.query, "since");
                let since = match since {
                    None => 0,
                    Some(text) => text
                        .parse()
                        .map_err(|_| (400, "since must be a number".to_owned()))?,
                };
                Ok(json!(self.relay.events.since(since)))
            }
            "DELETE" => {
                self.relay.events.clear();
                Ok(json!({}))
            }
            _ => Err(self.no_method()),
        }
    }

    fn recordings(&self) -> Outcome {
        match self.method.as_str() {
            "GET" => Ok(json!(self.relay.recordings())),
            "POST" => {
                let value = self.object()?;
                let path = value.get("hybridConnection").and_then(Value::as_str);
                let connection = path.and_then(|path| self.relay.named(path));
                let Some(connection) = connection else {
                    let message = "hybridConnection must be the path of one that exists";
                    return Err((400, message.to_owned()));
                };
                self.relay.record(&connection, true);
                Ok(json!({}))
            }
            "DELETE" => {
                for connection in self.relay.hybrid_connections() {
                    self.relay.record(&connection, false);
                }
                Ok(json!({}))
            }
            _ => Err(self.no_method()),
        }
    }

    /// As after the start, except that it keeps what was created.
    fn reset(&self) {
        self.relay.clear_faults();
        for connection in self.relay.hybrid_connections() {
            self.relay.record(&connection, false);
            connection.dismiss();
            for listener in connection.listeners() {
                listener.end(None);
            }
        }
        for span in self.relay.bridges.list() {
            span.order(crate::bridges::Order::Drop);
        }
        for request in self.relay.requests.list() {
            request.end();
        }
        self.relay.events.clear();
    }

    /// The body as a JSON object.
    fn object(&self) -> Outcome {
        match serde_json::from_slice(self.body) {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err((400, "the body must be a JSON object".to_owned())),
            Err(error) => Err((400, format!("the body is not JSON: {error}"))),
        }
    }

    /// The number in the path.
    fn number(&self) -> Result<u64, (u16, String)> {
        self.rest
            .parse()
            .map_err(|_| (400, format!("'{}' is not a number", self.rest)))
    }

    fn missing(&self, what: &str) -> (u16, String) {
        (404, format!("there is no {what} '{}'", self.rest))
    }

    fn no_method(&self) -> (u16, String) {
        (405, format!("{} is not possible here", self.method))
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, (u16, String)> {
    json::from_value(value).map_err(|message| (400, message))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
