//! One request from its arrival to its answer.
//!
//! | the request | its answer |
//! |---|---|
//! | came by the control channel | goes there, or by the rendezvous of its address (docs/protocol.md, 5.5) |
//! | lies at an address | goes where it was fetched; then the next one is served there, or it is closed |

use std::{future::poll_fn, task::Poll};

use hyco_protocol::{
    FullRequest, Headers,
    http::{Framing, RequestHead},
    tracking::bare_id,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::{
    answer::response_json,
    channel::Channel,
    forwarded::append_forwarded,
    outgoing::Answer,
    pump::{Answered, Ended, Failure, Pump},
    refusal::{BROKEN_OFF, CLOSED, HANDLER_FAILED, NO_ANSWER, NOT_SERVED, Refusal, TOO_LATE, bad},
    rendezvous::{drain, flush},
    requests::{Rarely, Requests, Served, refuse},
    service::{Outcome, RequestInfo, Transport},
};
use crate::{error::Error, event::ListenerEvent};

/// Where the body of a request is.
pub(super) enum Body {
    /// Here, if there is one.
    Whole(Option<Bytes>),
    /// It follows on the rendezvous.
    Follows,
}

/// A request and who serves it.
pub(super) struct Exchange<'a> {
    pub(super) requests: &'a Requests,
    pub(super) served: &'a Served,
    pub(super) request: FullRequest,
}

impl Exchange<'_> {
    /// Serves the request and gives back its rendezvous, if there is one on which all went well.
    pub(super) async fn serve(
        mut self,
        body: Body,
        channel: Option<Box<Channel>>,
    ) -> Option<Box<Channel>> {
        let begun = self.requests.reports_served().then(Instant::now);
        if bare_id(&self.request.id).is_empty() {
            self.requests
                .failed(self.info(), Error::BadRequest("it has no id"));
            return None;
        }
        let head = match self.head(&body) {
            Ok(head) => head,
            Err(refused) => {
                self.requests
                    .failed(self.info(), Error::BadRequest(refused.reason));
                return self
                    .refuse(channel, bad(refused.status), matches!(body, Body::Follows))
                    .await;
            }
        };
        self.request.request_headers = Headers::default();
        let mut to_server = head;
        if let Body::Whole(Some(bytes)) = &body {
            to_server.extend_from_slice(bytes);
        }
        let follows = matches!(body, Body::Follows);
        let channel = self.pump(to_server, channel, follows).await;
        if let Some(begun) = begun {
            self.requests.report(ListenerEvent::Served {
                method: self.request.method,
                target: self.request.request_target,
                status: channel.1,
                duration: begun.elapsed(),
            });
        }
        channel.0
    }

    fn info(&self) -> RequestInfo {
        let remote = self.request.remote_endpoint.as_ref();
        self.requests.info(&self.request.id, remote)
    }

    fn head(&self, body: &Body) -> Result<Vec<u8>, hyco_protocol::http::BadRequest> {
        let options = &self.served.options;
        let framing = match body {
            Body::Whole(None) => Framing::Empty,
            Body::Whole(Some(bytes)) => Framing::Length(bytes.len()),
            Body::Follows => Framing::Chunked,
        };
        let shown = RequestHead {
            framing,
            host: options.host.as_deref().unwrap_or(&self.requests.host),
            replace_host: options.host.is_some(),
            connection: options.connection,
            strip: &options.strip,
        };
        if !options.forwarded {
            return shown.write(&self.request);
        }
        let mut request = self.request.clone();
        append_forwarded(
            &mut request.request_headers,
            self.requests.secure,
            self.request.remote_endpoint.as_ref(),
        );
        shown.write(&request)
    }

    /// Moves the bytes. Gives the rendezvous, and the status that was answered.
    async fn pump(
        &self,
        mut to_server: Vec<u8>,
        channel: Option<Box<Channel>>,
        follows: bool,
    ) -> (Option<Box<Channel>>, u16) {
        let mut channel = channel;
        let mut is_first = true;
        loop {
            let mut transport = match self.served.service.open(self.info()).await {
                Ok(transport) => transport,
                Err(source) => {
                    self.requests.failed(self.info(), Error::Upstream(source));
                    let channel = self.refuse(channel, NO_ANSWER, follows).await;
                    return (channel, NO_ANSWER.status);
                }
            };
            // A server may close a kept connection at the moment in which it is used again. Whether it
            // has seen the request is not known, so only what may be done twice is sent again.
            let may_repeat = is_first && !follows && is_idempotent(&self.request.method);
            let again = (may_repeat && transport.is_reused()).then(|| to_server.clone());
            is_first = false;
            let (options, id) = (&self.served.options, self.request.id.as_str());
            let method = &self.request.method;
            let mut pump = Pump::new(options, id, method, transport.as_mut(), to_server);
            match channel {
                Some(channel) => pump.at(channel, follows),
                None => pump.dial_with(|| self.requests.dial(self.request.address.clone())),
            }
            let outcome = poll_fn(|cx| match pump.poll(cx) {
                // Its task is woken for that.
                Poll::Pending if self.requests.are_given_up() => Poll::Ready(Err(Failure::Closed)),
                polled => polled,
            });
            let outcome = outcome.await;
            let answered = pump.finish();
            if let (Err(Failure::Server(_)), Some(bytes)) = (&outcome, again)
                && answered.is_unanswered
            {
                transport.finish(Outcome::Failed);
                (channel, to_server) = (answered.channel, bytes);
                continue;
            }
            return self.conclude(transport, outcome, answered).await;
        }
    }

    /// Ends the stream to the server, and says to the sender what has not been said yet.
    async fn conclude(
        &self,
        transport: Box<dyn Transport>,
        outcome: Result<Ended, Failure>,
        answered: Answered,
    ) -> (Option<Box<Channel>>, u16) {
        let Answered {
            channel, body_left, ..
        } = answered;
        match outcome {
            Ok(ended) => {
                transport.finish(Outcome::Answered {
                    reusable: answered.reusable,
                });
                let (channel, status) = match ended {
                    Ended::Whole(head, body) => {
                        let status = head.status;
                        (self.answer(head, body).await, status)
                    }
                    Ended::Sent => (channel, answered.status.unwrap_or_default()),
                };
                match channel {
                    Some(mut channel) if body_left => {
                        let rest_came = drain(&mut channel).await;
                        (rest_came.then_some(channel), status)
                    }
                    channel => (channel, status),
                }
            }
            Err(failure) => {
                let refusal = self.failed(transport, failure);
                match (refusal, answered.status) {
                    // A broken-off answer must look it: no last frame, no close.
                    (_, Some(status)) => (None, status),
                    (Some(refusal), None) => (
                        self.refuse(channel, refusal, body_left).await,
                        refusal.status,
                    ),
                    (None, None) => (None, 0),
                }
            }
        }
    }

    /// Ends the stream to the server after a failure, and says what the sender is to be told.
    fn failed(&self, transport: Box<dyn Transport>, failure: Failure) -> Option<Refusal> {
        let timed_out = |step| Error::Timeout {
            step,
            after: self.served.options.response_timeout.unwrap_or_default(),
        };
        let (outcome, refusal, error) = match failure {
            Failure::TimedOut => (
                Outcome::TimedOut,
                Some(TOO_LATE),
                Some(timed_out("answering")),
            ),
            Failure::HandlerFailed => (Outcome::Failed, Some(HANDLER_FAILED), None),
            Failure::NotServed => (Outcome::Failed, Some(NOT_SERVED), None),
            _ if self.requests.are_given_up() => (Outcome::SenderGone, Some(CLOSED), None),
            Failure::Server(error) => (Outcome::Failed, Some(NO_ANSWER), Some(error)),
            Failure::BrokenOff(error) => (Outcome::Failed, Some(BROKEN_OFF), Some(error)),
            Failure::GivenUp => (Outcome::Failed, Some(BROKEN_OFF), None),
            Failure::Closed => (Outcome::SenderGone, Some(CLOSED), None),
            // The sender has most likely left, which is no failure; a relay ignores this answer then.
            Failure::Rendezvous(Error::SenderGone(_)) => {
                (Outcome::SenderGone, Some(NO_ANSWER), None)
            }
            Failure::Rendezvous(error) => (Outcome::SenderGone, Some(NO_ANSWER), Some(error)),
            Failure::NoBody => {
                let error = Error::BadRequest("a text message came in place of its body");
                (Outcome::SenderGone, Some(bad(400)), Some(error))
            }
            Failure::SenderGone | Failure::Stalled => (Outcome::SenderGone, None, None),
        };
        transport.finish(outcome);
        if let Some(error) = error {
            self.requests.failed(self.info(), error);
        }
        refusal
    }

    /// Sends a small answer by the control channel; by the rendezvous if there is none any more.
    async fn answer(
        &self,
        head: hyco_protocol::http::ResponseHead,
        body: Vec<u8>,
    ) -> Option<Box<Channel>> {
        let cookies = self.served.options.cookies;
        let json = response_json(head, &self.request.id, cookies, !body.is_empty());
        self.send(Answer::new(json, body)).await
    }

    async fn send(&self, answer: Answer) -> Option<Box<Channel>> {
        let answer = self.requests.answer(answer).await.err()?;
        self.send_late(answer).await
    }

    /// Sends an answer by the rendezvous, since there is no control channel.
    fn send_late(&self, answer: Answer) -> Rarely<'_, Option<Box<Channel>>> {
        Box::pin(async move {
            let mut channel = match self.requests.dial(self.request.address.clone()).await {
                Ok(channel) => channel,
                Err(error) => {
                    tracing::debug!(%error, "an answer came too late");
                    return None;
                }
            };
            channel.queue_text(&answer.json);
            if let Some(body) = &answer.body {
                channel.queue_data(body, true);
            }
            flush(channel).await
        })
    }

    /// Answers in the server's place.
    fn refuse(
        &self,
        channel: Option<Box<Channel>>,
        refusal: Refusal,
        body_left: bool,
    ) -> Rarely<'_, Option<Box<Channel>>> {
        Box::pin(async move {
            let answer = refuse(&self.request, refusal);
            let Some(mut channel) = channel else {
                return self.send(answer).await;
            };
            channel.queue_text(&answer.json);
            if let Some(body) = &answer.body {
                channel.queue_data(body, true);
            }
            if body_left && !drain(&mut channel).await {
                return None;
            }
            flush(channel).await
        })
    }
}

/// Whether a request may be sent twice (RFC 9110, 9.2.2).
fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE"
    )
}
