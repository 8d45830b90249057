//! From a request that comes to the exchange that serves it, and on to the next one.

use std::time::Duration;

use hyco_protocol::{FullRequest, http::Cookies};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Bytes;

use super::{
    answer::response_json,
    channel::Channel,
    exchange::{Body, Exchange},
    refusal::Refusal,
    rendezvous::{close, drain, next_request},
    requests::{Requests, Served, refuse},
    service::RequestInfo,
};

/// How a request came.
pub(super) enum Origin {
    /// By the control channel, with its body.
    Control(FullRequest, Option<Bytes>),
    /// It lies at this address.
    Rendezvous(String),
}

/// Serves a request; without `served` it is refused.
pub(super) async fn run(
    requests: &Requests,
    served: Option<&Served>,
    refusal: Refusal,
    origin: Origin,
) {
    match (origin, served) {
        (Origin::Control(request, body), Some(served)) => {
            let exchange = Exchange {
                requests,
                served,
                request,
            };
            if let Some(channel) = exchange.serve(Body::Whole(body), None).await {
                serve_at(requests, Some(served), refusal, channel, NEXT_REQUEST).await;
            }
        }
        (Origin::Control(request, _), None) => {
            let _ = requests.answer(refuse(&request, refusal)).await;
        }
        (Origin::Rendezvous(address), served) => {
            let id = hyco_protocol::Address::parse(&address)
                .ok()
                .and_then(|address| address.id());
            let dial = Channel::dial(requests.dialer.clone(), address, requests.accept_timeout);
            match dial.await {
                Ok(channel) => serve_at(requests, served, refusal, channel, FIRST_REQUEST).await,
                Err(error) => {
                    let info = requests.info(&id.unwrap_or_default(), None);
                    requests.failed(info, error);
                }
            }
        }
    }
}

/// Serves the requests that come by a rendezvous, one after the other (C46, C47).
async fn serve_at(
    requests: &Requests,
    served: Option<&Served>,
    refusal: Refusal,
    mut channel: Channel,
    mut patience: Duration,
) {
    loop {
        let next = tokio::select! {
            biased;
            next = timeout(patience, next_request(&mut channel)) => next,
            () = requests.given_up() => break,
        };
        let next = match next {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => {
                requests.failed(RequestInfo::default(), error);
                return;
            }
            Err(_) => break,
        };
        let Some(served) = served else {
            let (head, body) = refusal.answer(&next.id, &next.method);
            channel.queue_text(&response_json(
                &head,
                &next.id,
                Cookies::First,
                !body.is_empty(),
            ));
            if !body.is_empty() {
                channel.queue_data(body.as_bytes(), true);
            }
            if next.body && !drain(&mut channel).await {
                return;
            }
            break;
        };
        let body = if next.body {
            Body::Follows
        } else {
            Body::Whole(None)
        };
        let exchange = Exchange {
            requests,
            served,
            request: next,
        };
        match exchange.serve(body, Some(channel)).await {
            Some(rest) => channel = rest,
            None => return,
        }
        patience = NEXT_REQUEST;
    }
    close(channel).await;
}

/// How long a rendezvous may leave us waiting for the request that lies there.
const FIRST_REQUEST: Duration = Duration::from_secs(20);
/// How long a rendezvous is kept for the next request: closing at once may cross with one.
const NEXT_REQUEST: Duration = Duration::from_secs(2);
