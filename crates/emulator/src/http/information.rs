//! Runtime information about a hybrid connection (docs/protocol.md, 6.1).

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyco_protocol::{Right, Target, status::ENDPOINT_DOES_NOT_EXIST};

use super::Body;
use crate::{
    answer::{Answer, Failure},
    authorize::permit,
    handshake::text,
    relay::Relay,
    visit::Visit,
};

/// Whether a request is for the relay and not for a listener.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    text(headers, "x-process-at").is_some_and(|value| value.eq_ignore_ascii_case("servicebus"))
}

/// Answers with the description of the hybrid connection; an unknown path gets an empty feed.
pub(super) fn answer(
    visit: &Visit,
    target: &Target,
    headers: &HeaderMap,
) -> Result<Answer, Failure> {
    let token = text(headers, AUTHORIZATION.as_str()).unwrap_or_default();
    match permit(&visit.relay, &target.path, token, Right::Manage) {
        Ok((connection, _)) => {
            let base = base(visit, headers);
            let path = escaped(&connection.path);
            let link = format!("{}/{path}?api-version=2016-07", escaped(&base));
            let entry = format!(
                r#"<entry xmlns="http://www.w3.org/2005/Atom"><id>{link}</id><title type="text">{path}</title><author><name>{}</name></author><link rel="self" href="{link}"/><content type="application/xml"><HybridConnectionDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><RequiresClientAuthorization>{}</RequiresClientAuthorization><ListenerCount>{}</ListenerCount></HybridConnectionDescription></content></entry>"#,
                escaped(host(&visit.relay)),
                connection.requires_client_authorization,
                connection.listeners().len(),
            );
            Ok(xml(
                200,
                "application/atom+xml;type=entry;charset=utf-8",
                entry,
            ))
        }
        Err(failure) if failure.message == ENDPOINT_DOES_NOT_EXIST => {
            let base = escaped(&base(visit, headers));
            let feed = format!(
                r#"<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">Publicly Listed Services</title><id>{base}{}</id></feed>"#,
                escaped(&target.path),
            );
            Ok(xml(
                200,
                "application/atom+xml;type=feed;charset=utf-8",
                feed,
            ))
        }
        Err(failure) => {
            let body = format!(
                "<Error><Code>{}</Code><Detail>{}</Detail></Error>",
                failure.status,
                escaped(&failure.message),
            );
            Ok(xml(failure.status, "application/xml; charset=utf-8", body))
        }
    }
}

fn base(visit: &Visit, headers: &HeaderMap) -> String {
    let base = visit.base(headers);
    match base.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => base,
    }
}

fn host(relay: &Relay) -> &str {
    relay.hosts.first().map_or("localhost", String::as_str)
}

fn xml(status: u16, content_type: &'static str, body: String) -> Answer {
    let mut answer = Answer::new(Body::from(bytes::Bytes::from(body)).boxed());
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
