//! A listener's answer as the sender gets it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::VIA};
use hyco_protocol::{
    http::{has_no_body, without_hop_by_hop},
    status::{printable_reason, standard_phrase},
};
use hyper::ext::ReasonPhrase;
use tracing::debug;

use super::{Answered, Body, ongoing::Ongoing, request::via};
use crate::{
    answer::{Answer, Failure},
    visit::Visit,
};

/// The answer to a request with that method and those headers.
pub(super) fn answer(
    visit: &Visit,
    method: &Method,
    request: &HeaderMap,
    answered: Answered,
    ongoing: Ongoing,
) -> Result<Answer, Failure> {
    let response = answered.response;
    let status = match StatusCode::from_u16(response.status_code) {
        Ok(status) if status.as_u16() >= 200 => status,
        _ => {
            return Err(Failure::new(
                502,
                "The listener answered with an interim status.",
            ));
        }
    };
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    let reason = match &response.status_description {
        Some(reason) => latin1_or_utf8(&printable_reason(reason)),
        None => standard_phrase(status.as_u16()).into(),
    };
    if let Ok(reason) = ReasonPhrase::try_from(reason) {
        answer.extensions_mut().insert(reason);
    }
    for (name, value) in without_hop_by_hop(&response.response_headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, header_value(value)) {
            (Ok(name), Some(value)) => drop(answer.headers_mut().append(name, value)),
            _ => debug!(
                id = response.request_id,
                "a header of the answer is left out"
            ),
        }
    }
    let via = via(visit, request, answer.headers());
    if let Ok(via) = HeaderValue::from_str(&via) {
        answer.headers_mut().insert(VIA, via);
    }
    let body = match (has_no_body(method.as_str(), status.as_u16()), answered.body) {
        (false, body) => body,
        (true, Body::Streamed(mut pieces)) => {
            // What the listener sends all the same is taken, so that its rendezvous ends as it should.
            tokio::spawn(async move { while pieces.recv().await.is_some() {} });
            Body::Empty
        }
        (true, _) => Body::Empty,
    };
    *answer.body_mut() = ongoing.answered(status.as_u16(), body);
    Ok(answer)
}

fn header_value(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&latin1_or_utf8(value)).ok()
}

/// Latin-1 where it can be, else UTF-8.
fn latin1_or_utf8(text: &str) -> Vec<u8> {
    match text.chars().all(|c| c <= '\u{ff}') {
        true => text.chars().map(|c| c as u8).collect(),
        false => text.as_bytes().to_vec(),
    }
}
