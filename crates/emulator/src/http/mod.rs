//! Relaying HTTP requests to a listener (docs/protocol.md, 5).
//!
//! 1. the sender's token is checked, its hybrid connection found and a listener chosen;
//! 2. a request without a body, or with one of at most 64 KiB whose length is known, goes by the control
//!    channel; of any other the listener gets an address, at which it fetches request and body;
//! 3. the answer comes by a control channel, or by a rendezvous at the request's address.
//!
//! Back-pressure goes through: a body is read from its sender as its listener takes it, and an answer
//! from its listener as its sender takes it.

mod body;
mod exchanges;
mod information;
mod ongoing;
mod rendezvous;
mod request;
mod response;
mod socket;

pub(crate) use body::Body;
pub(crate) use exchanges::{Answered, Exchanges, Kept};
pub(crate) use ongoing::Requests;
pub(crate) use rendezvous::{Rendezvous, dial};

use std::{borrow::Cow, sync::Arc};

use http::{Method, Request, Version, header::HOST, request::Parts};
use http_body_util::BodyExt;
use hyco_protocol::{
    Command, Request as Relayed, Right, Target,
    command::{MAX_COMMAND, MAX_CONTROL_BODY},
    names::AUTHORIZATION_HEADER,
    token::sign_canonical,
    tracking::new_guid,
};
use hyper::body::{Bytes, Incoming};
use tracing::debug;

use self::{
    exchanges::Upload,
    ongoing::{Ongoing, Record},
};
use crate::{
    answer::{Answer, Failure},
    authorize::permit,
    connect::{candidates, expect_dial, tell},
    events::shown,
    handshake,
    hybrid_connection::HybridConnection,
    relay::Relay,
    visit::Visit,
    waiting::Waiting,
};

/// Relays a request, or tells about its hybrid connection.
pub(crate) async fn relay(
    visit: &Visit,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Failure> {
    let (parts, body) = request.into_parts();
    if information::is_asked(&parts.headers) {
        return information::answer(visit, target, &parts.headers);
    }
    if parts.method == Method::CONNECT {
        return Err(Failure::new(501, "CONNECT is not relayed."));
    }
    check_host(&parts)?;
    if request::head_length(&parts) > MOST_HEADERS {
        return Err(Failure::new(
            431,
            "The header section is longer than 32 KiB.",
        ));
    }
    let carrier = Carrier::of(&visit.relay, target, &parts)?;
    let (connection, verified) = permit(&visit.relay, &target.path, &carrier.token, Right::Send)?;
    let uses_authorization = carrier.is_authorization && verified.is_some();
    let body = match body_of(&parts) {
        Size::None => Given::None,
        Size::Known(length) if length <= MAX_CONTROL_BODY as u64 => {
            Given::Whole(whole(visit, body).await?)
        }
        Size::Known(_) | Size::Unknown => Given::Streamed(body),
    };
    let id = request_id();
    exchange(
        visit,
        target,
        &parts,
        body,
        &connection,
        &id,
        uses_authorization,
    )
    .await
}

/// A request of HTTP/1.1 has one host (RFC 9112, 3.2).
fn check_host(parts: &Parts) -> Result<(), Failure> {
    let count = parts.headers.get_all(HOST).iter().count();
    match count {
        0 if parts.version == Version::HTTP_11 => {
            Err(Failure::new(400, "The request has no Host."))
        }
        0 | 1 => Ok(()),
        _ => Err(Failure::new(400, "The request has more than one Host.")),
    }
}

/// Gives the request to a listener and waits for the answer, unless the relay is told to end it.
async fn exchange(
    visit: &Visit,
    target: &Target,
    parts: &Parts,
    body: Given,
    connection: &Arc<HybridConnection>,
    id: &str,
    uses_authorization: bool,
) -> Result<Answer, Failure> {
    let head = ongoing::Head {
        id,
        method: parts.method.as_str(),
        path: shown(&target.path),
        remote: visit.remote,
    };
    let mut ongoing = Ongoing::new(&visit.relay, connection, head);
    let record = Arc::clone(ongoing.record());
    let waiting = Waiting::new(&visit.relay, visit.remote, &target.path, id);
    let answered = tokio::select! {
        answered = answered(visit, target, parts, body, id, uses_authorization, &record) => answered,
        () = ongoing.ended() => Err(Failure::new(502, "The request was ended at the relay.")),
    };
    waiting.answered();
    let answered = answered?;
    debug!(id, status = answered.response.status_code, "answered");
    visit.keep(answered.kept.clone());
    response::answer(visit, &parts.method, &parts.headers, answered, ongoing)
}

/// The listener's answer.
async fn answered(
    visit: &Visit,
    target: &Target,
    parts: &Parts,
    body: Given,
    id: &str,
    uses_authorization: bool,
    record: &Arc<Record>,
) -> Result<Answered, Failure> {
    let connection = &record.connection;
    let has_body = !matches!(body, Given::None);
    let describe = |base: &str| {
        request::describe(visit, target, parts, id, base, has_body, uses_authorization)
    };
    let (place, answered) = visit.relay.exchanges.enter(id, connection);
    let answered = async {
        let _expected;
        if let Some(kept) = visit.take_kept() {
            let upload = Upload {
                id: id.to_owned(),
                json: Command::Request(Relayed::Full(describe(""))).to_json(),
                body,
                record: Arc::clone(record),
            };
            kept.send(upload).await.map_err(|_| unanswered())?;
        } else {
            let candidates = candidates(connection, &parts.headers)?;
            // The listener may have to dial: to fetch the request, or to answer it.
            _expected = Some(expect_dial(&visit.relay)?);
            let sending = async {
                match body {
                    Given::Streamed(body) => {
                        let mut upload = Some(body);
                        tell(candidates, |listener| {
                            place.given_to(listener.serial);
                            let full = describe(&listener.base);
                            let address = full.address.clone();
                            let json = Command::Request(Relayed::Full(full)).to_json();
                            if let Some(body) = upload.take() {
                                place.put(Upload {
                                    id: id.to_owned(),
                                    json,
                                    body: Given::Streamed(body),
                                    record: Arc::clone(record),
                                });
                            }
                            let pointer = Command::Request(Relayed::Pointer { address });
                            Ok((pointer.to_json(), None))
                        })
                        .await
                    }
                    whole => {
                        let bytes = match whole {
                            Given::Whole(bytes) => Some(bytes),
                            _ => None,
                        };
                        record.sent(bytes.as_ref().map_or(0, Bytes::len));
                        tell(candidates, |listener| {
                            place.given_to(listener.serial);
                            let json =
                                Command::Request(Relayed::Full(describe(&listener.base))).to_json();
                            match json.len() {
                                ..=MAX_COMMAND => Ok((json, bytes.clone())),
                                _ => Err(Failure::new(
                                    431,
                                    "The headers are too long for a listener.",
                                )),
                            }
                        })
                        .await
                    }
                }
            };
            sending.await?;
        }
        answered.await.map_err(|_| unanswered())?
    };
    let in_time = visit.relay.within(|times| times.response, answered);
    in_time.await.unwrap_or_else(|| Err(late()))
}

/// A token, and whether it came in `Authorization`.
struct Carrier<'a> {
    token: Cow<'a, str>,
    is_authorization: bool,
}

impl<'a> Carrier<'a> {
    /// The query comes before the relay's header, that before a rule and its key, of which the token is
    /// made here, and that before `Authorization` (docs/protocol.md, 2.5).
    fn of(relay: &Relay, target: &'a Target, parts: &'a Parts) -> Result<Self, Failure> {
        let own = target
            .token
            .as_deref()
            .or_else(|| handshake::text(&parts.headers, AUTHORIZATION_HEADER));
        if let Some(token) = own {
            return Ok(Self {
                token: token.into(),
                is_authorization: false,
            });
        }
        match (&target.sas_key_name, &target.sas_key) {
            (None, None) => Ok(Self {
                token: handshake::text(&parts.headers, "authorization")
                    .unwrap_or_default()
                    .into(),
                is_authorization: true,
            }),
            (Some(name), Some(key)) => Ok(Self {
                token: made_token(relay, &target.path, name, key)?.into(),
                is_authorization: false,
            }),
            _ => {
                let message = "sb-hc-sas-key-name and sb-hc-sas-key need each other.";
                Err(Failure::new(401, message))
            }
        }
    }
}

/// A token for a moment, by a rule and its key.
fn made_token(relay: &Relay, path: &str, name: &str, key: &str) -> Result<String, Failure> {
    let host = relay.hosts.first().map_or("localhost", String::as_str);
    let uri = format!("http://{host}{path}");
    sign_canonical(&uri, name, key, relay.now() + TOKEN_LIFE)
        .map_err(|error| Failure::new(401, error.to_string()))
}

/// The body of a request.
pub(crate) enum Given {
    None,
    Whole(Bytes),
    Streamed(Incoming),
}

/// What a head says about its body.
enum Size {
    None,
    Known(u64),
    Unknown,
}

fn body_of(parts: &Parts) -> Size {
    if parts.headers.contains_key("transfer-encoding") {
        return Size::Unknown;
    }
    let length = handshake::text(&parts.headers, "content-length");
    match length.and_then(|length| length.parse().ok()) {
        None | Some(0) => Size::None,
        Some(length) => Size::Known(length),
    }
}

/// Reads a body that its sender promised to be small.
async fn whole(visit: &Visit, body: Incoming) -> Result<Bytes, Failure> {
    let relay = &visit.relay;
    match relay.within(|times| times.response, body.collect()).await {
        Some(Ok(body)) => Ok(body.to_bytes()),
        Some(Err(_)) => Err(broken_off()),
        None => Err(not_come()),
    }
}

/// The sender did not send the body that it announced.
fn broken_off() -> Failure {
    Failure::new(400, "The body of the request broke off, or is malformed.")
}

/// The sender has announced a body that does not come, or does not go on.
fn not_come() -> Failure {
    Failure::new(408, "The body of the request did not come.")
}

/// Only there could the listener answer.
fn unanswered() -> Failure {
    Failure::new(502, "The listener closed the rendezvous without an answer.")
}

fn request_id() -> String {
    let mut random = [0; 16];
    // Without random bytes ids repeat, and a request that does is not answered.
    let _ = getrandom::fill(&mut random);
    format!("{}_G1", new_guid(random))
}

fn late() -> Failure {
    Failure::new(
        504,
        "The request was routed to the listener but the listener did not respond in the required time.",
    )
}

/// Seconds of a token that is used at once.
const TOKEN_LIFE: u64 = 60;
/// The limit of the service.
const MOST_HEADERS: usize = 32 * 1024;
