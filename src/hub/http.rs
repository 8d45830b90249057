//! Relayed HTTP requests: served by JavaScript's server, or by one elsewhere.

use std::{sync::Arc, time::Duration};

use hyco_client::{
    AcceptRequest, Error,
    http::{Cookies, Forward, HttpOptions},
};
use hyco_hub::{Gateway, Handle};
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use serde_json::json;

use super::{Hub, handle::JsHandle, listen::about};
use crate::error::{IntoJs, Result};

/// How requests are served.
#[napi(object, object_to_js = false)]
pub struct ServeSpec {
    /// Milliseconds for the head of an answer; 0 means no limit.
    pub response_timeout: f64,
    /// Milliseconds that a begun answer may wait to be whole and small.
    pub response_flush_delay: f64,
    /// How many requests may be unanswered.
    pub max_requests: u32,
    /// How several cookies are sent.
    #[napi(ts_type = "'variants' | 'array' | 'first'")]
    pub set_cookie: String,
    /// A path that is cut off each target; empty cuts nothing.
    pub strip_path: String,
}

/// Where requests are passed on to.
#[napi(object, object_to_js = false)]
pub struct ForwardSpec {
    /// `http://host:port` or `https://host:port`.
    pub target: String,
    /// A `Host` in place of the sender's.
    pub host: Option<String>,
    /// The number that `trust` gave.
    pub trust: u32,
    /// Milliseconds for each connection.
    pub connect_timeout: f64,
}

/// A sender of a WebSocket that a server upgrades.
#[napi(object, object_to_js = false)]
pub struct UpgradeSpec {
    /// The service's id of the connection.
    pub id: String,
    /// The headers of its handshake, names and values in turns.
    pub headers: Vec<String>,
    /// Its IP address.
    pub remote_address: String,
    /// Its port.
    pub remote_port: u16,
}

#[napi]
impl Hub {
    /// Takes a number for a listener's exchanges: messages and signals of that number follow. It is
    /// given back by `forget`.
    #[napi(catch_unwind)]
    pub fn reserve(&self) -> Result<f64> {
        let reserved = self.side.links.borrow_mut().reserve();
        let handle = reserved
            .map_err(|full| napi::Error::new(Error::Closed.code().into(), full.to_string()))?;
        Ok(handle.to_bits() as f64)
    }

    /// Serves the requests of a listener by the exchanges of that link.
    #[napi(catch_unwind)]
    pub fn serve(
        &self,
        listener: u32,
        #[napi(ts_arg_type = "number")] link: JsHandle,
        spec: ServeSpec,
    ) {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return;
        };
        let (exchanges, inbox) = (Arc::clone(&running.exchanges), Arc::clone(&running.inbox));
        let gateway = Gateway::new(exchanges, inbox, Handle::from(link).number);
        self.with_listener(listener, |listener| {
            listener.serve(Some((Arc::new(gateway), spec.into())));
        });
    }

    /// Passes the requests of a listener on to a server elsewhere.
    #[napi(catch_unwind)]
    pub fn forward(&self, listener: u32, spec: ForwardSpec, serve: ServeSpec) -> Result<()> {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::Closed).into_js();
        };
        let dialer = running.control.dialer(spec.trust, None).into_js()?;
        let timeout = Duration::from_millis(spec.connect_timeout as u64);
        let forward = Forward::new(dialer, &spec.target, timeout).into_js()?;
        let options = HttpOptions {
            connection: "keep-alive",
            host: spec.host,
            forwarded: true,
            ..serve.into()
        };
        self.with_listener(listener, |listener| {
            listener.serve(Some((Arc::new(forward), options)));
        });
        Ok(())
    }

    /// How many requests and upgrades of a listener are open.
    #[napi(catch_unwind)]
    pub fn open_requests(&self, listener: u32) -> u32 {
        let mut open = 0;
        self.with_listener(listener, |listener| open = listener.open_requests() as u32);
        open
    }

    /// How many requests and upgrades of a listener there were.
    #[napi(catch_unwind)]
    pub fn total_requests(&self, listener: u32) -> f64 {
        let mut total = 0;
        self.with_listener(listener, |listener| total = listener.total_requests());
        total as f64
    }

    /// Whether a `served` event follows for each answer.
    #[napi(catch_unwind)]
    pub fn report_served(&self, listener: u32, reports: bool) {
        self.with_listener(listener, |listener| listener.report_served(reports));
    }

    /// Lets an `idle` event of a listener follow when none of its requests and upgrades is open.
    #[napi(catch_unwind)]
    pub fn watch_requests(&self, listener: u32) {
        self.with_listener(listener, |handle| {
            let idle = handle.idle();
            if let Some(running) = self.running.borrow().as_ref() {
                let inbox = Arc::clone(&running.inbox);
                running.run(async move {
                    idle.await;
                    inbox.event(0, about(listener, json!({ "type": "idle" })).to_string());
                });
            }
        });
    }

    /// Lets a listener's server upgrade a sender.
    #[napi(catch_unwind)]
    pub fn upgrade(&self, listener: u32, accept: u32, spec: UpgradeSpec) {
        self.with_listener(listener, |listener| {
            if let Some(running) = self.running.borrow().as_ref() {
                let upgrading = listener.upgrade(AcceptRequest {
                    accept,
                    id: spec.id,
                    address: String::new(),
                    headers: pairs(spec.headers),
                    remote_address: spec.remote_address,
                    remote_port: spec.remote_port,
                });
                running.run(upgrading);
            }
        });
    }

    /// Gives up the requests that are open.
    #[napi(catch_unwind)]
    pub fn end_requests(&self, listener: u32) {
        self.with_listener(listener, hyco_client::Listener::end_requests);
    }

    /// Takes the commands in the first bytes of a ring.
    #[napi(catch_unwind)]
    pub fn exchange_flush(&self, ring: BufferSlice<'_>, bytes: u32) {
        if let Some(running) = self.running.borrow().as_ref() {
            let commands = ring.get(..bytes as usize).unwrap_or_default();
            running.exchanges.say(commands, &running.inbox);
        }
    }

    /// Takes a large write of an exchange.
    #[napi(catch_unwind)]
    pub fn exchange_write(&self, exchange: u32, bytes: BufferSlice<'_>) {
        if let Some(running) = self.running.borrow().as_ref() {
            running.exchanges.write(exchange, &bytes, &running.inbox);
        }
    }
}

impl From<ServeSpec> for HttpOptions {
    fn from(spec: ServeSpec) -> Self {
        let response = Duration::from_millis(spec.response_timeout as u64);
        Self {
            response_timeout: (!response.is_zero()).then_some(response),
            flush_delay: Duration::from_millis(spec.response_flush_delay as u64),
            max_requests: spec.max_requests as usize,
            cookies: match spec.set_cookie.as_str() {
                "array" => Cookies::Array,
                "first" => Cookies::First,
                _ => Cookies::Variants,
            },
            strip: spec.strip_path,
            ..Self::default()
        }
    }
}

fn pairs(headers: Vec<String>) -> Vec<(String, String)> {
    let mut texts = headers.into_iter();
    std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect()
}
