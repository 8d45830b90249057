//! Listeners, and the senders that they meet or turn away.
#![expect(
    clippy::too_many_arguments,
    reason = "JavaScript gives `accept` numbers, since an object costs more"
)]

use std::{sync::Arc, time::Duration};

use hyco_client::{
    AcceptRequest, Error, GivenToken, ListenOptions, Listener, ListenerEvent, Policy, Reconnect,
    Schedule, TokenSource,
};
use hyco_protocol::uri::application_url;
use napi_derive::napi;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{
    Hub,
    connect::pair,
    control::{ProxySpec, ReadSpec, describe},
};
use crate::{
    error::{IntoJs, Result},
    number::{Milliseconds, Whole},
};

/// What a listener listens on, and how.
#[napi(object, object_to_js = false)]
pub struct ListenSpec {
    /// The listen address.
    pub address: String,
    /// The tracking id.
    pub id: Option<String>,
    /// A token that never changes; without it and without a key `token` events ask.
    pub token: Option<String>,
    /// The rule whose key signs tokens for the address.
    pub key_name: Option<String>,
    /// That key.
    pub key: Option<String>,
    /// The header `User-Agent` of the control channel.
    pub user_agent: Option<String>,
    /// Milliseconds between pings on the control channel; 0 means none.
    #[napi(ts_type = "number")]
    pub keep_alive_interval: Milliseconds,
    /// Milliseconds for the control channel's handshake.
    #[napi(ts_type = "number")]
    pub open_timeout: Milliseconds,
    /// Milliseconds for each rendezvous' handshake.
    #[napi(ts_type = "number")]
    pub accept_timeout: Milliseconds,
    /// The most senders that may wait for a decision.
    #[napi(ts_type = "number")]
    pub max_pending_accepts: Whole<u64>,
    /// The most rendezvous that may be opening.
    #[napi(ts_type = "number")]
    pub max_concurrent_dials: Whole<u64>,
    /// When to come back after a loss.
    pub reconnect: ReconnectSpec,
    /// The proxy on the way.
    pub proxy: Option<ProxySpec>,
    /// The number that `trust` gave.
    #[napi(ts_type = "number")]
    pub trust: Whole<u32>,
}

/// When a listener comes back after a loss.
#[napi(object, object_to_js = false)]
pub struct ReconnectSpec {
    /// Milliseconds before each attempt; the last stays.
    #[napi(ts_type = "number[]")]
    pub delays: Vec<Milliseconds>,
    /// The share by which delays vary, from the second on.
    pub jitter: f64,
    /// Who decides.
    #[napi(ts_type = "'schedule' | 'ask' | 'never'")]
    pub policy: String,
}

#[napi]
impl Hub {
    /// Starts a listener; events about it follow, `closed` last.
    #[napi(catch_unwind)]
    pub fn listen(
        &self,
        #[napi(ts_arg_type = "number")] id: Whole<u32>,
        spec: ListenSpec,
    ) -> Result<()> {
        let id = id.0;
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::Closed).into_js();
        };
        let dialer = running
            .control
            .dialer(spec.trust.0, spec.proxy.as_ref())
            .into_js()?;
        let keep_alive = spec.keep_alive_interval.0;
        let options = ListenOptions {
            token: match (spec.token, spec.key_name, spec.key) {
                (Some(token), ..) => TokenSource::Fixed(token),
                (None, Some(rule), Some(key)) => {
                    let uri = spec.address.clone();
                    TokenSource::Key { uri, rule, key }
                }
                _ => TokenSource::Ask,
            },
            address: spec.address,
            id: spec.id,
            user_agent: spec.user_agent,
            keep_alive: (!keep_alive.is_zero()).then_some(keep_alive),
            open_timeout: spec.open_timeout.0,
            accept_timeout: spec.accept_timeout.0,
            max_pending_accepts: spec.max_pending_accepts.0 as usize,
            max_concurrent_dials: spec.max_concurrent_dials.0 as usize,
            reconnect: Reconnect {
                schedule: Schedule {
                    delays: spec
                        .reconnect
                        .delays
                        .into_iter()
                        .map(|delay| delay.0)
                        .collect(),
                    jitter: spec.reconnect.jitter,
                },
                policy: match spec.reconnect.policy.as_str() {
                    "ask" => Policy::Ask,
                    "never" => Policy::Never,
                    _ => Policy::Schedule,
                },
            },
        };
        let inbox = Arc::clone(&running.inbox);
        let events = Arc::new(move |event| inbox.event(0, to_json(id, event)));
        let listener = running.log.during(|| {
            let span = tracing::info_span!("server", number = id);
            span.in_scope(|| Listener::spawn(running.io.handle(), dialer, options, events))
        });
        running.control.listeners.borrow_mut().insert(id, listener);
        Ok(())
    }

    /// Answers a `token` event with a token and the times that came with it, in milliseconds since
    /// 1970; or with why there is none.
    #[napi(catch_unwind)]
    pub fn provide_token(
        &self,
        #[napi(ts_arg_type = "number")] listener: Whole<u32>,
        #[napi(ts_arg_type = "number")] request: Whole<u32>,
        token: Option<String>,
        error_message: Option<String>,
        expires_on: Option<f64>,
        refresh_after: Option<f64>,
    ) {
        let given = token.map(|text| GivenToken {
            text,
            expires_on: expires_on.map(milliseconds),
            refresh_after: refresh_after.map(milliseconds),
        });
        let given = given.ok_or_else(|| error_message.unwrap_or_default());
        self.with_listener(listener.0, |listener| {
            listener.provide_token(request.0, given)
        });
    }

    /// Answers a `reconnect` event with milliseconds, or -1 to stop.
    #[napi(catch_unwind)]
    pub fn decide_reconnect(
        &self,
        #[napi(ts_arg_type = "number")] listener: Whole<u32>,
        #[napi(ts_arg_type = "number")] request: Whole<u32>,
        delay: f64,
    ) {
        let delay = (delay >= 0.0).then(|| milliseconds(delay));
        self.with_listener(listener.0, |listener| {
            listener.decide_reconnect(request.0, delay)
        });
    }

    /// Meets a sender; an `open` or `failed` event follows. `headers` are further ones of the
    /// handshake, names and values. Returns the connection's handle.
    ///
    /// How the connection reads is told by numbers, as `ReadSpec` describes them: to look at the
    /// members of an object would cost every sender.
    #[napi(catch_unwind)]
    pub fn accept(
        &self,
        #[napi(ts_arg_type = "number")] listener: Whole<u32>,
        #[napi(ts_arg_type = "number")] accept: Whole<u32>,
        protocol: Option<String>,
        headers: Option<Vec<Vec<String>>>,
        #[napi(ts_arg_type = "number")] max_payload: Whole<u64>,
        #[napi(ts_arg_type = "number")] max_fragments: Whole<u64>,
        skip_utf8_validation: bool,
        keep_alive_interval: f64,
    ) -> Result<f64> {
        let read = ReadSpec {
            max_payload,
            max_fragments,
            skip_utf8_validation,
            keep_alive_interval,
        };
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::Closed).into_js();
        };
        let listener = running.control.listeners.borrow().get(&listener.0).cloned();
        let listener = listener.ok_or(Error::Closed).into_js()?;
        let headers = headers.unwrap_or_default();
        let headers = headers.into_iter().filter_map(pair).collect();
        self.open(running, read, || {
            listener.accept(accept.0, protocol, headers)
        })
    }

    /// Refuses a sender with a status and a reason phrase; an `acceptError` event follows if the
    /// relay could not be told.
    #[napi(catch_unwind)]
    pub fn reject(
        &self,
        #[napi(ts_arg_type = "number")] listener: Whole<u32>,
        #[napi(ts_arg_type = "number")] accept: Whole<u32>,
        #[napi(ts_arg_type = "number")] status: Whole<u16>,
        description: String,
    ) {
        self.with_listener(listener.0, |handle| {
            let rejecting = handle.reject(accept.0, status.0, Some(description));
            if let Some(running) = self.running.borrow().as_ref() {
                let inbox = Arc::clone(&running.inbox);
                running.run(async move {
                    if let Err(error) = rejecting.await {
                        let event = accept_error(accept.0, &error);
                        inbox.event(0, about(listener.0, event).to_string());
                    }
                });
            }
        });
    }

    /// Whether the next failure or loss of a listener is the last.
    #[napi(catch_unwind)]
    pub fn stay_down(
        &self,
        #[napi(ts_arg_type = "number")] listener: Whole<u32>,
        stays_down: bool,
    ) {
        self.with_listener(listener.0, |listener| listener.stay_down(stays_down));
    }

    /// Closes a listener; its `closed` event follows. Accepted connections stay.
    #[napi(catch_unwind)]
    pub fn close_listener(&self, #[napi(ts_arg_type = "number")] listener: Whole<u32>) {
        self.with_listener(listener.0, Listener::close);
    }

    /// Forgets a listener that was reported closed.
    #[napi(catch_unwind)]
    pub fn forget_listener(&self, #[napi(ts_arg_type = "number")] listener: Whole<u32>) {
        if let Some(running) = self.running.borrow().as_ref() {
            running.control.listeners.borrow_mut().remove(&listener.0);
        }
    }

    pub(super) fn with_listener(&self, id: u32, act: impl FnOnce(&Listener)) {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return;
        };
        let listener = running.control.listeners.borrow().get(&id).cloned();
        if let Some(listener) = listener {
            act(&listener);
        }
    }
}

/// An event as `lib/server/relayed-server.js` reads it.
fn to_json(listener: u32, event: ListenerEvent) -> String {
    let event = match event {
        ListenerEvent::Accept(accept) => return Accept::to_json(listener, &accept),
        ListenerEvent::Connecting { attempt } => {
            json!({ "type": "connecting", "attempt": attempt })
        }
        ListenerEvent::Online { tracking_id } => {
            json!({ "type": "online", "trackingId": tracking_id })
        }
        ListenerEvent::Offline {
            attempt,
            delay,
            is_final,
            is_fatal,
            error,
        } => json!({
            "type": "offline",
            "attempt": attempt,
            "delay": delay.as_millis() as u64,
            "final": is_final,
            "fatal": is_fatal,
            "error": describe(&error),
        }),
        ListenerEvent::TokenNeeded { request } => json!({ "type": "token", "request": request }),
        ListenerEvent::TokenExpiring { left } => {
            json!({ "type": "tokenExpiring", "left": left.as_millis() as u64 })
        }
        ListenerEvent::Renewed => json!({ "type": "renewed" }),
        ListenerEvent::RenewalFailed { error } => {
            json!({ "type": "renewalFailed", "error": describe(&error) })
        }
        ListenerEvent::ReconnectDecision {
            request,
            attempt,
            delay,
            error,
        } => json!({
            "type": "reconnect",
            "request": request,
            "attempt": attempt,
            "delay": delay.as_millis() as u64,
            "error": describe(&error),
        }),
        ListenerEvent::RequestFailed { info, error } => json!({
            "type": "requestFailed",
            "trackingId": info.tracking_id,
            "remoteAddress": info.remote_address,
            "remotePort": info.remote_port,
            "error": describe(&error),
        }),
        ListenerEvent::Served {
            method,
            target,
            status,
            duration,
        } => json!({
            "type": "served",
            "method": method,
            "url": target,
            "statusCode": status,
            "duration": duration.as_secs_f64() * 1000.0,
        }),
        ListenerEvent::Closed => json!({ "type": "closed" }),
        // The enum may grow; what JavaScript does not know it ignores.
        _ => json!({ "type": "unknown" }),
    };
    about(listener, event).to_string()
}

/// The one event that comes for every sender: written without a tree of values.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accept<'a> {
    listener: u32,
    r#type: &'static str,
    accept: u32,
    id: &'a str,
    address: &'a str,
    url: String,
    #[serde(serialize_with = "in_turns")]
    headers: &'a [(String, String)],
    remote_address: &'a str,
    remote_port: u16,
}

impl Accept<'_> {
    fn to_json(listener: u32, request: &AcceptRequest) -> String {
        let event = Accept {
            listener,
            r#type: "accept",
            accept: request.accept,
            id: &request.id,
            address: &request.address,
            url: application_url(&request.address),
            headers: &request.headers,
            remote_address: &request.remote_address,
            remote_port: request.remote_port,
        };
        serde_json::to_string(&event).unwrap_or_default()
    }
}

/// Names and values in turns, as Node has raw headers.
fn in_turns<S: Serializer>(
    headers: &[(String, String)],
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(headers.iter().flat_map(|(name, value)| [name, value]))
}

fn accept_error(accept: u32, error: &Error) -> Value {
    json!({ "type": "acceptError", "accept": accept, "error": describe(error) })
}

pub(super) fn about(listener: u32, mut event: Value) -> Value {
    event["listener"] = json!(listener);
    event
}

fn milliseconds(value: f64) -> Duration {
    Duration::from_millis(value as u64)
}
