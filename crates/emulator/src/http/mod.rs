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
mod rendezvous;
mod request;
mod response;
mod socket;

pub(crate) use body::Body;
pub(crate) use exchanges::{Answered, Exchanges, Kept};
pub(crate) use rendezvous::{Rendezvous, dial};

use http::{Method, Request, request::Parts};
use http_body_util::BodyExt;
use hyco_protocol::{
    Command, Request as Relayed, Right, Target,
    command::{MAX_COMMAND, MAX_CONTROL_BODY},
    names::AUTHORIZATION_HEADER,
    tracking::new_guid,
};
use hyper::body::{Bytes, Incoming};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use self::exchanges::Upload;
use crate::{
    answer::{Answer, Failure},
    authorize::permit,
    connect::{candidates, tell},
    handshake,
    hybrid_connection::HybridConnection,
    visit::Visit,
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
    if request::head_length(&parts) > MOST_HEADERS {
        return Err(Failure::new(
            431,
            "The header section is longer than 32 KiB.",
        ));
    }
    let carrier = Carrier::of(target, &parts);
    let (connection, verified) = permit(&visit.relay, &target.path, carrier.token, Right::Send)?;
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

/// Gives the request to a listener and waits for the answer.
async fn exchange(
    visit: &Visit,
    target: &Target,
    parts: &Parts,
    body: Given,
    connection: &std::sync::Arc<HybridConnection>,
    id: &str,
    uses_authorization: bool,
) -> Result<Answer, Failure> {
    let has_body = !matches!(body, Given::None);
    let describe = |base: &str| {
        request::describe(visit, target, parts, id, base, has_body, uses_authorization)
    };
    let deadline = Instant::now() + visit.relay.timing().response;
    let (place, answered) = visit.relay.exchanges.enter(id, connection);
    if let Some(kept) = visit.take_kept() {
        let upload = Upload {
            json: Command::Request(Relayed::Full(describe(""))).to_json(),
            body,
        };
        kept.send(upload)
            .await
            .map_err(|_| Failure::new(502, "The listener closed the rendezvous."))?;
    } else {
        let candidates = candidates(connection, &parts.headers)?;
        let sending = async {
            match body {
                Given::Streamed(body) => {
                    let mut upload = Some(body);
                    tell(candidates, |listener| {
                        let full = describe(&listener.base);
                        let address = full.address.clone();
                        let json = Command::Request(Relayed::Full(full)).to_json();
                        if let Some(body) = upload.take() {
                            let body = Given::Streamed(body);
                            place.put(Upload { json, body });
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
                    tell(candidates, |listener| {
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
        timeout_at(deadline, sending).await.map_err(|_| late())??;
    }
    let answered = timeout_at(deadline, answered).await.map_err(|_| late())?;
    let answered = answered
        .map_err(|_| Failure::new(502, "The listener closed the rendezvous without an answer."))?;
    debug!(id, status = answered.response.status_code, "answered");
    visit.keep(answered.kept.clone());
    response::answer(visit, &parts.method, &parts.headers, answered)
}

/// A token, and whether it came in `Authorization`.
struct Carrier<'a> {
    token: &'a str,
    is_authorization: bool,
}

impl<'a> Carrier<'a> {
    /// The query comes before the relay's header, and that before `Authorization` (docs/protocol.md, 2.5).
    fn of(target: &'a Target, parts: &'a Parts) -> Self {
        let own = target
            .token
            .as_deref()
            .or_else(|| handshake::text(&parts.headers, AUTHORIZATION_HEADER));
        Self {
            token: own
                .or_else(|| handshake::text(&parts.headers, "authorization"))
                .unwrap_or_default(),
            is_authorization: own.is_none(),
        }
    }
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
    match timeout(visit.relay.timing().response, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Failure::new(400, "The body of the request broke off.")),
        Err(_) => Err(Failure::new(408, "The body of the request did not come.")),
    }
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

/// The limit of the service.
const MOST_HEADERS: usize = 32 * 1024;
