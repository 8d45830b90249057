//! Which part of the relay answers a request.
//!
//! | request | answered by |
//! |---|---|
//! | WebSocket below `/$hc`, by its `sb-hc-action` | [`listen`], [`connect`], [`accept`] |
//! | anything else below `/$hc` | 400 |
//! | WebSocket elsewhere | 400 |
//! | HTTP elsewhere | 501 |

use http::Request;
use hyco_protocol::{Action, Target, redact, status::WEB_SOCKET_ONLY, tracking::new_guid};
use tracing::debug;

use crate::{
    accept,
    answer::{Answer, Failure},
    connect,
    handshake::{self, Handshake},
    listen,
    visit::Visit,
};

/// Answers one request.
pub(crate) async fn answer<B>(visit: &Visit, request: Request<B>) -> Answer {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    debug!(remote = %visit.remote, method = %request.method(), target = redact(target), "request");
    let target = Target::parse(target);
    let tracking_id = tracking_id(target.id.as_deref());
    let system_tracker = visit.system_tracker(request.headers(), &target);
    let answered = route(visit, target, tracking_id.clone(), request).await;
    answered.unwrap_or_else(|failure| {
        debug!(remote = %visit.remote, status = failure.status, failure.message, "refused");
        failure.into_answer(&tracking_id, &system_tracker)
    })
}

async fn route<B>(
    visit: &Visit,
    target: Target,
    tracking_id: String,
    request: Request<B>,
) -> Result<Answer, Failure> {
    let upgrade = handshake::is_upgrade(request.headers());
    match (target.hybrid, upgrade) {
        (true, true) => web_socket(visit, target, tracking_id, request).await,
        (true, false) => Err(Failure::new(400, WEB_SOCKET_ONLY)),
        (false, true) => Err(Failure::new(
            400,
            "The path of a web-socket request starts with /$hc.",
        )),
        (false, false) => Err(Failure::new(
            501,
            "The emulator does not relay HTTP requests.",
        )),
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
    let accept_key = handshake::accept_key(&request)?;
    let (parts, _) = request.into_parts();
    let handshake = Handshake {
        target,
        headers: parts.headers,
        accept_key,
        tracking_id,
    };
    match action {
        Action::Listen => listen::listen(visit, handshake),
        Action::Connect => connect::connect(visit, handshake).await,
        Action::Accept | Action::Request => accept::accept(visit, &handshake),
    }
}

/// The client's id, or a new one, with the suffix of this node.
fn tracking_id(id: Option<&str>) -> String {
    let id = id.map_or_else(
        || {
            let mut random = [0; 16];
            // Without random bytes ids repeat, which the check for duplicates finds.
            let _ = getrandom::fill(&mut random);
            new_guid(random)
        },
        str::to_owned,
    );
    format!("{id}_G1")
}
