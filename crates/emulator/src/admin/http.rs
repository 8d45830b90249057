//! The administration over HTTP, below `/$admin`, and the page at `/`.
//!
//! Only this machine may use it, unless the options say otherwise. A page of another site that runs in a
//! browser here is kept out, too: the `Host` must be a name of the relay, an `Origin` the same, and what
//! the browser calls a request of another site can only lead to the page.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use super::AdminAnswer;
use crate::{answer::Answer, events::Event, handshake, page, visit::Visit};

/// Whether a path is the administration's or the page's.
pub(crate) fn is_admin(uri: &Uri) -> bool {
    let path = uri.path();
    path == "/" || path == "/favicon.ico" || below(path).is_some()
}

/// What follows the reserved segment.
fn below(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(RESERVED)?;
    rest.strip_prefix('/')
        .or_else(|| rest.is_empty().then_some(""))
}

/// Answers a request to it.
pub(crate) async fn answer<B>(visit: &Visit, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(message) = may_use(visit, request.method(), request.headers()) {
        return refuse(403, message);
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    // A HEAD is answered as a GET; hyper leaves the body out.
    let method = match parts.method {
        Method::HEAD => Method::GET,
        method => method,
    };
    let Some(rest) = below(path) else {
        return match (visit.relay.page, method) {
            (true, Method::GET) => file(page::file("")),
            (true, _) => refuse(405, "the page can only be read"),
            (false, _) => refuse(404, "there is no page here"),
        };
    };
    if visit.relay.page
        && method == Method::GET
        && let Some(found) = page::file(rest)
    {
        return file(Some(found));
    }
    if rest == "events" && method == Method::GET {
        return events(visit.relay.events.subscribe());
    }
    let body = match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return refuse(413, "the body is too long, or was cut off"),
    };
    let target = match parts.uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let AdminAnswer {
        status,
        body,
        content_type,
    } = super::answer(&visit.relay, &method, &target, &body);
    with_headers(status, content_type, body.into())
}

/// Says why the client may not use the administration, if it may not.
fn may_use(visit: &Visit, method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
    let relay = &visit.relay;
    let host = handshake::text(headers, HOST.as_str()).unwrap_or_default();
    // A host has no user before it (RFC 9110, 7.2), which could pass for another host.
    if host.contains('@') || headers.get_all(HOST).iter().count() > 1 {
        return Err("the Host of the request is none of the relay's names");
    }
    if !relay.remote_admin {
        if !visit.remote.ip().to_canonical().is_loopback() {
            return Err(
                "the administration answers this machine only; --remote-admin changes that",
            );
        }
        let authority: Option<http::uri::Authority> = host.parse().ok();
        let known = authority.is_some_and(|authority| {
            relay
                .hosts
                .iter()
                .any(|name| name.eq_ignore_ascii_case(authority.host()))
        });
        if !known {
            return Err("the Host of the request is none of the relay's names");
        }
    }
    match headers.get(ORIGIN) {
        None if is_foreign(method, headers) => Err(FOREIGN),
        None => Ok(()),
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default();
            let same = origin
                .split_once("://")
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
            same.then_some(()).ok_or(FOREIGN)
        }
    }
}

/// Whether a browser says that a page of another site asks, and not by a link to what can be looked at.
fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, values: &[&str]| {
        handshake::text(headers, name).is_some_and(|text| values.contains(&text))
    };
    let follows_link =
        matches!(*method, Method::GET | Method::HEAD) && is("sec-fetch-mode", &["navigate"]);
    is("sec-fetch-site", &["cross-site", "same-site"]) && !follows_link
}

fn refuse(status: u16, message: &str) -> Answer {
    let body = json!({ "error": message }).to_string();
    with_headers(status, "application/json", body.into())
}

fn file(found: Option<(&'static str, &'static str)>) -> Answer {
    match found {
        Some((content_type, text)) => {
            with_headers(200, content_type, Bytes::from_static(text.as_bytes()))
        }
        None => refuse(404, "there is no such file"),
    }
}

fn with_headers(status: u16, content_type: &'static str, body: Bytes) -> Answer {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}

/// What happens from now on, as server-sent events.
fn events(receiver: Receiver<Event>) -> Answer {
    let frames = stream::unfold(receiver, |mut receiver| async move {
        let text = match timeout(ALIVE, receiver.recv()).await {
            // A comment, so that nothing in between thinks the connection dead.
            Err(_) => ":\n\n".to_owned(),
            Ok(Ok(event)) => {
                let data = serde_json::to_string(&event).unwrap_or_default();
                format!("id: {}\ndata: {data}\n\n", event.serial)
            }
            Ok(Err(RecvError::Lagged(count))) => {
                let data = json!({ "type": "missed", "count": count });
                format!("data: {data}\n\n")
            }
            Ok(Err(RecvError::Closed)) => return None,
        };
        let frame: Result<_, std::io::Error> = Ok(Frame::data(Bytes::from(text)));
        Some((frame, receiver))
    });
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

const FOREIGN: &str = "the request comes from a page of another site";
/// The path that no hybrid connection can have.
const RESERVED: &str = "/$admin";
const MOST_BODY: usize = 1024 * 1024;
/// Ways that say nothing for half a minute are ended by many a proxy.
const ALIVE: Duration = Duration::from_secs(15);
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use tokio::{sync::broadcast, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_follows_events_hears_something_every_fifteen_seconds() {
        let (sender, receiver) = broadcast::channel(1);
        let mut body = events(receiver).into_body();
        for _ in 0..3 {
            let started = Instant::now();
            let frame = body.frame().await.expect("a frame").expect("no error");
            assert_eq!(frame.into_data().ok().as_deref(), Some(&b":\n\n"[..]));
            assert_eq!(started.elapsed().as_secs(), 15);
        }
        drop(sender);
        assert!(body.frame().await.is_none());
    }
}
