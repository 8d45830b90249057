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
    requests::{Rarely, Requests, Served, refuse},
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
            match requests.dial(address).await {
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
fn serve_at<'a>(
    requests: &'a Requests,
    served: Option<&'a Served>,
    refusal: Refusal,
    mut channel: Box<Channel>,
    mut patience: Duration,
) -> Rarely<'a, ()> {
    Box::pin(async move {
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
                    head,
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
    })
}

/// How long a rendezvous may leave us waiting for the request that lies there.
const FIRST_REQUEST: Duration = Duration::from_secs(20);
/// How long a rendezvous is kept for the next request: closing at once may cross with one.
const NEXT_REQUEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::refusal::NOT_SERVED, *};
    use crate::{Dialer, TlsOptions, event::Events};

    #[tokio::test]
    async fn a_request_takes_no_room_for_a_rendezvous_that_it_does_not_need() {
        let dialer = Dialer::new(&TlsOptions::default()).expect("a dialer");
        let events: Events = Arc::new(|_| {});
        let address = "ws://localhost/$hc/hyco";
        let requests = Requests::new(dialer, Duration::from_secs(1), address, &events);
        let origin = Origin::Rendezvous(String::new());
        let task = run(&requests, None, NOT_SERVED, origin);
        // It was 146 KiB with the dial in it, for each request.
        let size = size_of_val(&task);
        assert!(size < 8 * 1024, "{size} bytes");
    }
}
