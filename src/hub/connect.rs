//! Senders' connections.

use hyco_client::{ConnectOptions, Error, sender};
use napi_derive::napi;

use super::{
    Hub,
    control::{ProxySpec, ReadSpec},
};
use crate::{
    error::{IntoJs, Result},
    number::{Milliseconds, Whole},
};

/// What a sender connects to.
#[napi(object, object_to_js = false)]
pub struct ConnectSpec {
    /// The address, used as it stands.
    pub address: String,
    /// Goes into the header `ServiceBusAuthorization`.
    pub token: Option<String>,
    /// The tracking id.
    pub id: Option<String>,
    /// Further request headers, names and values.
    pub headers: Vec<Vec<String>>,
    /// The subprotocols to offer.
    pub protocols: Vec<String>,
    /// Milliseconds for the whole handshake.
    #[napi(ts_type = "number")]
    pub timeout: Milliseconds,
    /// The proxy on the way.
    pub proxy: Option<ProxySpec>,
    /// The number that `trust` gave.
    #[napi(ts_type = "number")]
    pub trust: Whole<u32>,
}

#[napi]
impl Hub {
    /// Connects a sender; an `open` or `failed` event follows. Returns the connection's handle.
    #[napi(catch_unwind)]
    pub fn connect(&self, spec: ConnectSpec, read: ReadSpec) -> Result<f64> {
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::Closed).into_js();
        };
        let dialer = running
            .control
            .dialer(spec.trust.0, spec.proxy.as_ref())
            .into_js()?;
        let options = ConnectOptions {
            address: spec.address,
            token: spec.token,
            id: spec.id,
            headers: spec.headers.into_iter().filter_map(pair).collect(),
            protocols: spec.protocols,
            timeout: spec.timeout.0,
        };
        self.open(running, read, || async move {
            sender::connect(&dialer, options).await
        })
    }
}

pub(super) fn pair(header: Vec<String>) -> Option<(String, String)> {
    let [name, value] = <[String; 2]>::try_from(header).ok()?;
    Some((name, value))
}
