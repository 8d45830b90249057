//! One request from its arrival to its answer.
//!
//! | the request | its answer |
//! |---|---|
//! | came by the control channel | goes there, or by the rendezvous of its address (docs/protocol.md, 5.5) |
//! | lies at an address | goes where it was fetched; then the next one is served there, or it is closed |

use std::{future::poll_fn, mem, time::Duration};

use hyco_protocol::{
    Command, FullRequest, Headers, RemoteEndpoint, Request,
    http::{Cookies, Framing, RequestHead},
    tracking::bare_id,
};
use hyco_websocket::Part;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Bytes;

use super::{
    answer::response_json,
    channel::Channel,
    pump::{Answered, Ended, Failure, Pump},
    refusal::{HANDLER_FAILED, NO_ANSWER, NOT_SERVED, Refusal, TOO_LATE, bad},
    requests::{Answer, Requests, Served, refuse},
    service::{Outcome, RequestInfo, Transport},
};
use crate::{
    error::{Error, Result},
    event::ListenerEvent,
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
        let next = match timeout(patience, next_request(&mut channel)).await {
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

/// Closes a rendezvous with 1000 and waits for the relay's close.
async fn close(mut channel: Channel) {
    channel.queue_close();
    let closing = async {
        while poll_fn(|cx| channel.poll_send(cx)).await.is_ok() && channel.unsent() > 0 {}
        loop {
            match channel.next() {
                Err(_) | Ok(Some(Part::Close(_))) => return,
                Ok(Some(_)) => {}
                Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                    Ok(count) if count > 0 => {}
                    _ => return,
                },
            }
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

/// Takes the rest of a body that nobody reads; false when the relay has gone.
async fn drain(channel: &mut Channel) -> bool {
    let draining = async {
        loop {
            if channel.unsent() > 0 && poll_fn(|cx| channel.poll_send(cx)).await.is_err() {
                return false;
            }
            match channel.next() {
                Ok(Some(Part::Binary { last: true, .. })) => return true,
                Ok(Some(Part::Close(_))) | Err(_) => return false,
                Ok(Some(_)) => {}
                Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                    Ok(count) if count > 0 => {}
                    _ => return false,
                },
            }
        }
    };
    timeout(DRAIN_TIMEOUT, draining).await.unwrap_or(false)
}

/// The next request on a rendezvous; none when the relay has closed it.
async fn next_request(channel: &mut Channel) -> Result<Option<FullRequest>> {
    let mut text = Vec::new();
    loop {
        let pong = match channel.next() {
            Err(broken) => return Err(Error::Protocol(broken.to_string())),
            Ok(Some(Part::Close(_))) => return Ok(None),
            Ok(Some(Part::Text { bytes, last })) => {
                text.extend_from_slice(bytes);
                if text.len() > LONGEST_COMMAND {
                    return Err(Error::BadRequest("its message is longer than 1 MiB"));
                }
                if last {
                    return read_request(&mem::take(&mut text)).map(Some);
                }
                None
            }
            Ok(Some(Part::Ping(payload))) => Some(payload.to_vec()),
            Ok(Some(Part::Binary { .. } | Part::Pong)) => None,
            Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                Ok(count) if count > 0 => None,
                _ => return Ok(None),
            },
        };
        if let Some(payload) = pong {
            channel.queue_pong(&payload);
            if poll_fn(|cx| channel.poll_send(cx)).await.is_err() {
                return Ok(None);
            }
        }
    }
}

fn read_request(text: &[u8]) -> Result<FullRequest> {
    const MALFORMED: Error = Error::BadRequest("its message is not as it should be");
    let text = std::str::from_utf8(text).map_err(|_| MALFORMED)?;
    match Command::parse(text) {
        Ok(Command::Request(Request::Full(request))) => Ok(request),
        _ => Err(MALFORMED),
    }
}

/// Where the body of a request is.
enum Body {
    /// Here, if there is one.
    Whole(Option<Bytes>),
    /// It follows on the rendezvous.
    Follows,
}

/// A request and who serves it.
struct Exchange<'a> {
    requests: &'a Requests,
    served: &'a Served,
    request: FullRequest,
}

impl Exchange<'_> {
    /// Serves the request and gives back its rendezvous, if there is one on which all went well.
    async fn serve(mut self, body: Body, channel: Option<Channel>) -> Option<Channel> {
        let begun = Instant::now();
        let info = self
            .requests
            .info(&self.request.id, self.request.remote_endpoint.as_ref());
        if bare_id(&self.request.id).is_empty() {
            self.requests
                .failed(info, Error::BadRequest("it has no id"));
            return None;
        }
        let head = match self.head(&body) {
            Ok(head) => head,
            Err(refused) => {
                self.requests
                    .failed(info, Error::BadRequest(refused.reason));
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
        let channel = self.pump(info, to_server, channel, follows).await;
        if self.served.options.report {
            self.requests.report(ListenerEvent::Served {
                method: self.request.method,
                target: self.request.request_target,
                status: channel.1,
                duration: begun.elapsed(),
            });
        }
        channel.0
    }

    fn head(&self, body: &Body) -> std::result::Result<Vec<u8>, hyco_protocol::http::BadRequest> {
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
        info: RequestInfo,
        mut to_server: Vec<u8>,
        channel: Option<Channel>,
        follows: bool,
    ) -> (Option<Channel>, u16) {
        let mut channel = channel;
        let mut is_first = true;
        loop {
            let mut transport = match self.served.service.open(info.clone()).await {
                Ok(transport) => transport,
                Err(source) => {
                    self.requests.failed(info, Error::Upstream(source));
                    let channel = self.refuse(channel, NO_ANSWER, follows).await;
                    return (channel, NO_ANSWER.status);
                }
            };
            // A server may close a kept connection at the moment in which it is used again.
            let again = (is_first && !follows && transport.is_reused()).then(|| to_server.clone());
            is_first = false;
            let (options, id) = (&self.served.options, self.request.id.as_str());
            let method = &self.request.method;
            let mut pump = Pump::new(options, id, method, transport.as_mut(), to_server);
            match channel {
                Some(channel) => pump.at(channel, follows),
                None => pump.dial_with(|| {
                    let dialer = self.requests.dialer.clone();
                    let address = self.request.address.clone();
                    Box::pin(Channel::dial(dialer, address, self.requests.accept_timeout))
                }),
            }
            let outcome = poll_fn(|cx| pump.poll(cx)).await;
            let answered = pump.finish();
            if let (Err(Failure::Server(_)), Some(bytes), None) = (&outcome, again, answered.status)
            {
                transport.finish(Outcome::Failed);
                (channel, to_server) = (answered.channel, bytes);
                continue;
            }
            return self.conclude(transport, info, outcome, answered).await;
        }
    }

    /// Ends the stream to the server, and says to the sender what has not been said yet.
    async fn conclude(
        &self,
        transport: Box<dyn Transport>,
        info: RequestInfo,
        outcome: std::result::Result<Ended, Failure>,
        answered: Answered,
    ) -> (Option<Channel>, u16) {
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
                        (drain(&mut channel).await.then_some(channel), status)
                    }
                    channel => (channel, status),
                }
            }
            Err(failure) => {
                let refusal = self.failed(transport, info, failure);
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
    fn failed(
        &self,
        transport: Box<dyn Transport>,
        info: RequestInfo,
        failure: Failure,
    ) -> Option<Refusal> {
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
            Failure::Server(error) => (Outcome::Failed, Some(NO_ANSWER), Some(error)),
            Failure::Rendezvous(error) => (Outcome::SenderGone, Some(NO_ANSWER), Some(error)),
            Failure::NoBody => {
                let error = Error::BadRequest("a text message came in place of its body");
                (Outcome::SenderGone, Some(bad(400)), Some(error))
            }
            Failure::SenderGone | Failure::Stalled => (Outcome::SenderGone, None, None),
        };
        transport.finish(outcome);
        if let Some(error) = error {
            self.requests.failed(info, error);
        }
        refusal
    }

    /// Sends a small answer by the control channel; by the rendezvous if there is none any more.
    async fn answer(
        &self,
        head: hyco_protocol::http::ResponseHead,
        body: Vec<u8>,
    ) -> Option<Channel> {
        let cookies = self.served.options.cookies;
        let json = response_json(&head, &self.request.id, cookies, !body.is_empty());
        self.send(Answer::new(json, body)).await
    }

    async fn send(&self, answer: Answer) -> Option<Channel> {
        let sending = timeout(ANSWER_TIMEOUT, self.requests.answer(answer));
        let Ok(Err(answer)) = sending.await else {
            return None;
        };
        let dialer = self.requests.dialer.clone();
        let dial = Channel::dial(
            dialer,
            self.request.address.clone(),
            self.requests.accept_timeout,
        );
        let mut channel = match dial.await {
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
    }

    /// Answers in the server's place.
    async fn refuse(
        &self,
        channel: Option<Channel>,
        refusal: Refusal,
        body_left: bool,
    ) -> Option<Channel> {
        let Some(mut channel) = channel else {
            return self.send(refuse(&self.request, refusal)).await;
        };
        let answer = refuse(&self.request, refusal);
        channel.queue_text(&answer.json);
        if let Some(body) = &answer.body {
            channel.queue_data(body, true);
        }
        if body_left && !drain(&mut channel).await {
            return None;
        }
        flush(channel).await
    }
}

/// Tells a server behind a proxy who has sent a request, and how.
pub(super) fn append_forwarded(
    headers: &mut Headers,
    secure: bool,
    remote: Option<&RemoteEndpoint>,
) {
    let proto = if secure { "https" } else { "http" };
    headers
        .0
        .push(("X-Forwarded-Proto".to_owned(), proto.to_owned()));
    if let Some(remote) = remote {
        headers
            .0
            .push(("X-Forwarded-For".to_owned(), remote.address.clone()));
    }
}

/// Sends what is queued.
async fn flush(mut channel: Channel) -> Option<Channel> {
    let sending = async {
        while channel.unsent() > 0 {
            poll_fn(|cx| channel.poll_send(cx)).await?;
        }
        std::io::Result::Ok(())
    };
    match timeout(ANSWER_TIMEOUT, sending).await {
        Ok(Ok(())) => Some(channel),
        _ => None,
    }
}

/// How long a rendezvous may leave us waiting for the request that lies there.
const FIRST_REQUEST: Duration = Duration::from_secs(20);
/// How long a rendezvous is kept for the next request: closing at once may cross with one.
const NEXT_REQUEST: Duration = Duration::from_secs(2);
/// A relay waits for an answer no longer than this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A relay answers a close at once; beyond this the connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the rest of a body is taken that nobody reads.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A relay sends 64 KiB at the most.
const LONGEST_COMMAND: usize = 1024 * 1024;
