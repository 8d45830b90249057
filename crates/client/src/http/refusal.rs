//! Answers that the listener gives by itself, where no server does.

use hyco_protocol::{
    Headers,
    http::{ResponseHead, has_no_body},
    status::standard_phrase,
};

/// An answer of the listener's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: &'static str,
}

impl Refusal {
    /// Head and body for a request of that id and method; the reason phrase has the id (C50).
    pub(crate) fn answer(self, id: &str, method: &str) -> (ResponseHead, &'static str) {
        let content_type = (
            "content-type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        );
        let head = ResponseHead {
            status: self.status,
            reason: format!("{}. TrackingId:{id}", standard_phrase(self.status)),
            headers: Headers(vec![content_type]),
        };
        let body = if has_no_body(method, self.status) {
            ""
        } else {
            self.text
        };
        (head, body)
    }
}

/// Nobody serves requests here.
pub(crate) const NOT_SERVED: Refusal = Refusal {
    status: 501,
    text: "This listener relays WebSockets and does not serve HTTP requests.\n",
};
/// As many requests as allowed are unanswered.
pub(crate) const BUSY: Refusal = Refusal {
    status: 503,
    text: "The listener has too many requests to answer.\n",
};
/// The handler threw.
pub(crate) const HANDLER_FAILED: Refusal = Refusal {
    status: 500,
    text: "The listener failed to answer.\n",
};
/// The server gave up, or cannot be reached.
pub(crate) const NO_ANSWER: Refusal = Refusal {
    status: 502,
    text: "The listener's server did not answer.\n",
};
/// The server gave up after it had begun its answer, of which nothing has been sent.
pub(crate) const BROKEN_OFF: Refusal = Refusal {
    status: 502,
    text: "The listener's server broke its answer off.\n",
};
/// The listener was closed.
pub(crate) const CLOSED: Refusal = Refusal {
    status: 502,
    text: "The listener was closed before it had answered.\n",
};
/// The server took too long.
pub(crate) const TOO_LATE: Refusal = Refusal {
    status: 504,
    text: "The listener did not answer in time.\n",
};
/// What came is no request that can be served.
pub(crate) fn bad(status: u16) -> Refusal {
    Refusal {
        status,
        text: "The listener cannot serve this request.\n",
    }
}
