//! Which part of the relay answers a request.
//!
//! | request | answered by |
//! |---|---|
//! | WebSocket below `/$hc`, by its `sb-hc-action` | [`listen`], [`connect`], [`accept`] |
//! | anything else below `/$hc` | 400 |
//! | WebSocket elsewhere | 400 |
//! | HTTP at `/` and below `/$admin` | [`admin`] |
//! | HTTP elsewhere | [`http`](crate::http) |

use http::{Request, StatusCode, header::VIA};
use hyco_protocol::{Action, Target, redact, status::WEB_SOCKET_ONLY, tracking::new_guid};
use hyper::{body::Incoming, ext::ReasonPhrase};
use tokio::time::Instant;
use tracing::debug;

use crate::{
    accept, admin,
    answer::{Answer, Failure},
    connect,
    events::{EventKind, shown},
    faults::FaultAction,
    handshake::{self, Handshake},
    http as relayed, listen,
    visit::Visit,
};

/// Answers one request.
pub(crate) async fn answer(visit: &Visit, request: Request<Incoming>) -> Answer {
    // A WebSocket is never the administration's.
    if admin::http::is_admin(request.uri()) && !handshake::is_upgrade(request.headers()) {
        return admin::http::answer(visit, request).await;
    }
    let started = Instant::now();
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    debug!(remote = %visit.remote, method = %request.method(), target = redact(target), "request");
    let target = Target::parse(target);
    let tracking_id = tracking_id(target.id.as_deref());
    let system_tracker = visit.system_tracker(request.headers(), &target);
    let (action, path) = (word(&target), shown(&target.path));
    let is_http = !target.hybrid && !handshake::is_upgrade(request.headers());
    let (answer, reason, hint) = match route(visit, target, tracking_id.clone(), request).await {
        Ok(answer) => {
            let reason = reason(&answer);
            (answer, reason, None)
        }
        Err(failure) => {
            let (message, hint) = (failure.message.clone(), failure.hint.clone());
            let answer = match is_http {
                true => failure.into_http_answer(&tracking_id, &system_tracker),
                false => failure.into_answer(&tracking_id, &system_tracker),
            };
            (answer, message, hint)
        }
    };
    let remote = visit.remote.to_string();
    let duration = started.elapsed().as_millis() as u64;
    let metrics = &visit.relay.metrics;
    metrics.answered(action, answer.status().as_u16());
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => visit.relay.events.tell(EventKind::Handshake {
            action,
            path,
            remote,
            tracking_id,
            duration,
        }),
        // What a listener is told whose rejection went to its sender.
        StatusCode::GONE if action == "accept" => {}
        // A listener's answer is no refusal, whatever its status.
        _ if is_http && answer.headers().contains_key(VIA) => {}
        status => visit.relay.events.tell(EventKind::Refused {
            action,
            path,
            remote,
            tracking_id,
            status: status.as_u16(),
            reason: redact(&reason),
            hint,
            duration,
        }),
    }
    answer
}

async fn route(
    visit: &Visit,
    target: Target,
    tracking_id: String,
    request: Request<Incoming>,
) -> Result<Answer, Failure> {
    let upgrade = handshake::is_upgrade(request.headers());
    match (target.hybrid, upgrade) {
        (true, true) => web_socket(visit, target, tracking_id, request).await,
        (true, false) => Err(Failure::new(400, WEB_SOCKET_ONLY)),
        (false, true) => {
            let message = "The path of a web-socket request starts with /$hc.";
            Err(Failure::new(400, message))
        }
        (false, false) => {
            has_place(visit)?;
            refuse_on_purpose(visit, FaultAction::Request, &target.path)?;
            relayed::relay(visit, &target, request).await
        }
    }
}

async fn web_socket<B>(
    visit: &Visit,
    target: Target,
    tracking_id: String,
    request: Request<B>,
) -> Result<Answer, Failure> {
    let action = target
        .action()
        .map_err(|error| Failure::new(400, error.to_string()))?;
    if !matches!(action, Action::Accept | Action::Request) {
        has_place(visit)?;
    }
    let accept_key = handshake::accept_key(&request)?;
    let (parts, _) = request.into_parts();
    let handshake = Handshake {
        target,
        headers: parts.headers,
        accept_key,
        tracking_id,
    };
    let faulty = match action {
        Action::Listen => FaultAction::Listen,
        Action::Connect => FaultAction::Connect,
        Action::Accept | Action::Request => FaultAction::Accept,
    };
    refuse_on_purpose(visit, faulty, &handshake.target.path)?;
    match action {
        Action::Listen => listen::listen(visit, handshake),
        Action::Connect => connect::connect(visit, handshake).await,
        Action::Accept => accept::accept(visit, &handshake),
        Action::Request => relayed::dial(visit, &handshake),
    }
}

/// Fails if the connection has a place that is kept for listeners' dials.
fn has_place(visit: &Visit) -> Result<(), Failure> {
    match visit.for_dial {
        false => Ok(()),
        true => Err(Failure::new(503, connect::SERVER_BUSY)
            .with_hint("as many connections are open as may be: see maxConnections")),
    }
}

/// Fails if a fault wants it so.
pub(crate) fn refuse_on_purpose(
    visit: &Visit,
    action: FaultAction,
    path: &str,
) -> Result<(), Failure> {
    let relay = &visit.relay;
    let connection = relay.find(path);
    let name = connection.as_ref().map_or("", |known| &known.path);
    let Some(active) = relay.faults.refusal(action, name) else {
        return Ok(());
    };
    relay.events.tell(EventKind::Fault {
        fault: active.id,
        kind: active.fault.kind.as_str(),
        target: shown(path),
    });
    let status = active.fault.status.unwrap_or(503);
    let reason = active.fault.reason.as_deref();
    let reason = reason.unwrap_or_else(|| hyco_protocol::status::standard_phrase(status));
    let hint = format!("the fault {} asks for it", active.id);
    Err(Failure::new(status, reason).with_hint(hint))
}

/// What is asked for, as a word for the log.
fn word(target: &Target) -> &'static str {
    if !target.hybrid {
        return "http";
    }
    match target.action() {
        Ok(Action::Listen) => "listen",
        Ok(Action::Accept) => "accept",
        Ok(Action::Request) => "request",
        Ok(Action::Connect) | Err(_) => "connect",
    }
}

fn reason(answer: &Answer) -> String {
    answer.extensions().get::<ReasonPhrase>().map_or_else(
        || hyco_protocol::status::standard_phrase(answer.status().as_u16()).to_owned(),
        |reason| String::from_utf8_lossy(reason.as_bytes()).into_owned(),
    )
}

/// The client's id, or a new one, with the suffix of this node. What dials an address brings the id that it was
/// announced with, which has the suffix already.
fn tracking_id(id: Option<&str>) -> String {
    let id = id.map_or_else(
        || {
            let mut random = [0; 16];
            // Without random bytes ids repeat, which the check for duplicates finds.
            let _ = getrandom::fill(&mut random);
            new_guid(random)
        },
        |id| id.strip_suffix(SUFFIX).unwrap_or(id).to_owned(),
    );
    format!("{id}{SUFFIX}")
}

/// What this node appends to ids, as every node of the service does.
const SUFFIX: &str = "_G1";
