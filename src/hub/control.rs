//! What opening needs: TLS options, and the tasks of connections from their dial to their end.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{AbortHandle, abortable},
};
use hyco_client::{
    Answer, Dialer, Dialers, Error, Listener, Proxy, RefusedBy, TlsOptions, Upgraded,
    connection::{Connection, ConnectionOptions, Driver},
};
use hyco_hub::{Handle, HubInbox, KeepAlive, live};
use napi_derive::napi;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{Instrument, Level, Span};

use super::{Hub, Running, handle::JsHandle};
use crate::{
    error::{IntoJs, Result},
    number::Whole,
};

/// What is being opened, and with what.
#[derive(Default)]
pub(crate) struct Control {
    dialers: Dialers,
    /// Dialers by the numbers that JavaScript knows them by.
    trusted: RefCell<Vec<Option<Dialer>>>,
    /// Listeners by number, until JavaScript has seen them closed.
    pub(super) listeners: RefCell<HashMap<u32, Listener>>,
}

/// How a connection reads.
#[napi(object, object_to_js = false)]
pub struct ReadSpec {
    /// The largest message in bytes; 0 means no limit.
    #[napi(ts_type = "number")]
    pub max_payload: Whole<u64>,
    /// The most fragments of one message; 0 means no limit.
    #[napi(ts_type = "number")]
    pub max_fragments: Whole<u64>,
    /// Text is taken as it comes.
    pub skip_utf8_validation: bool,
    /// Milliseconds of silence after which the other end is pinged; twice as many end the connection.
    /// 0 means never.
    pub keep_alive_interval: f64,
}

/// Whom to trust over TLS.
#[napi(object, object_to_js = false)]
pub struct TlsSpec {
    /// PEM texts of the trusted certificates.
    pub ca: Vec<String>,
    /// PEM text of the own certificate chain.
    pub cert: Option<String>,
    /// PEM text of the own key, not encrypted.
    pub key: Option<String>,
    /// The name to ask for and to verify instead of the host.
    pub servername: Option<String>,
    /// The peer's certificate must be valid.
    pub reject_unauthorized: bool,
}

/// A proxy on the way to the relay.
#[napi(object, object_to_js = false)]
pub struct ProxySpec {
    /// Its URL, with user and password if it wants them.
    pub url: String,
    /// The hosts that are dialled directly, divided by commas.
    pub no_proxy: String,
}

impl From<ReadSpec> for ConnectionOptions {
    fn from(spec: ReadSpec) -> Self {
        Self {
            max_payload: spec.max_payload.0,
            // No message has more.
            max_fragments: u32::try_from(spec.max_fragments.0).unwrap_or(u32::MAX),
            validate_utf8: !spec.skip_utf8_validation,
        }
    }
}

#[napi]
impl Hub {
    /// Prepares TLS options; the number stands for them in other calls.
    #[napi(catch_unwind)]
    pub fn trust(&self, spec: TlsSpec) -> Result<u32> {
        let options = TlsOptions {
            ca: spec.ca,
            cert: spec.cert,
            key: spec.key,
            servername: spec.servername,
            reject_unauthorized: spec.reject_unauthorized,
        };
        let running = self.running.borrow();
        let Some(running) = running.as_ref() else {
            return Err(Error::Closed).into_js();
        };
        let dialer = running.control.dialers.make(&options).into_js()?;
        let mut trusted = running.control.trusted.borrow_mut();
        let number = trusted.iter().position(Option::is_none);
        let number = number.unwrap_or(trusted.len());
        if number == trusted.len() {
            trusted.push(None);
        }
        trusted[number] = Some(dialer);
        Ok(number as u32)
    }

    /// Forgets prepared TLS options. What was opened with them stays.
    #[napi(catch_unwind)]
    pub fn distrust(&self, #[napi(ts_arg_type = "number")] trust: Whole<u32>) {
        if let Some(running) = self.running.borrow().as_ref()
            && let Some(dialer) = running
                .control
                .trusted
                .borrow_mut()
                .get_mut(trust.0 as usize)
        {
            *dialer = None;
        }
    }

    /// Gives up a connection that is being opened; an `open` or `failed` event follows all the
    /// same.
    #[napi(catch_unwind)]
    pub fn abort(&self, #[napi(ts_arg_type = "number")] handle: JsHandle) {
        self.side.links.borrow().abort(handle.into());
    }
}

impl Control {
    /// The dialer with these TLS options, going through that proxy.
    pub(super) fn dialer(
        &self,
        trust: u32,
        proxy: Option<&ProxySpec>,
    ) -> std::result::Result<Dialer, Error> {
        let trusted = self.trusted.borrow();
        let unknown = || Error::InvalidTls("never prepared".to_owned());
        let dialer = trusted.get(trust as usize).cloned().flatten();
        let proxy = proxy.map(|proxy| Proxy::new(&proxy.url, &proxy.no_proxy));
        Ok(dialer.ok_or_else(unknown)?.through(proxy.transpose()?))
    }
}

impl Running {
    /// Spawns the task of a connection: opens it, reports how that went, and serves it. What
    /// it returns aborts the opening.
    pub(super) fn open(
        &self,
        handle: Handle,
        read: ReadSpec,
        opening: impl Future<Output = std::result::Result<Upgraded, Error>> + Send + 'static,
    ) -> AbortHandle {
        let (inbox, keep_alive) = (Arc::clone(&self.inbox), Arc::clone(&self.keep_alive));
        // Made before the task runs, which may be aborted before it ever does.
        let mut failed = Failed {
            number: handle.number,
            inbox: Some(Arc::clone(&inbox)),
        };
        let opening = async move {
            match opening.await {
                Ok(upgraded) => {
                    let driver = serve(handle, upgraded, read, &keep_alive, &inbox);
                    failed.disarm();
                    // A task of its own: this one's memory, which is a lot, is freed.
                    tokio::spawn(live(driver, Arc::clone(&inbox)));
                }
                Err(error) => failed.report(&error),
            }
        };
        let span = match self.log.level().takes(Level::DEBUG) {
            true => self
                .log
                .during(|| tracing::debug_span!("socket", number = handle.number)),
            false => Span::none(),
        };
        let (opening, abort) = abortable(opening.instrument(span));
        self.run(opening.map(drop));
        abort
    }

    /// Has the I/O thread run a task.
    pub(super) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.errands.run(Box::pin(task));
        self.inbox.turns.give_errand();
    }
}

/// Reports a failure also where the task is aborted or panics.
struct Failed {
    number: u32,
    inbox: Option<Arc<HubInbox>>,
}

impl Failed {
    fn disarm(&mut self) {
        self.inbox = None;
    }

    fn report(&mut self, error: &Error) {
        if let Some(inbox) = self.inbox.take() {
            let event = json!({ "type": "failed", "error": describe(error) });
            inbox.event(self.number, event.to_string());
        }
    }
}

impl Drop for Failed {
    fn drop(&mut self) {
        self.report(&Error::Closed);
    }
}

/// Announces an open connection; returns what drives it.
fn serve(
    handle: Handle,
    upgraded: Upgraded,
    read: ReadSpec,
    keep_alive: &KeepAlive,
    inbox: &Arc<HubInbox>,
) -> Driver<HubInbox> {
    let response = upgraded.answer.as_ref().map(response);
    let event = Open {
        r#type: "open",
        protocol: upgraded.protocol.as_deref(),
        response,
    };
    let event = serde_json::to_string(&event).unwrap_or_default();
    let pool = Arc::clone(&inbox.buffers);
    let interval = Duration::from_millis(read.keep_alive_interval as u64);
    let (connection, driver) = Connection::new(
        handle.number,
        upgraded,
        read.into(),
        Arc::clone(inbox),
        pool,
    );
    keep_alive.watch(handle.number, &connection, interval);
    inbox.opened(handle, connection, event);
    driver
}

/// The one event that comes for every connection: written without a tree of values.
#[derive(Serialize)]
struct Open<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
}

/// An answer as `lib/socket/handshake-response.js` reads it: bytes of the body are characters.
fn response(answer: &Answer) -> Value {
    let body: String = answer.body.iter().map(|&byte| char::from(byte)).collect();
    json!({
        "status": answer.status,
        "reason": answer.reason,
        "headers": answer.headers,
        "body": body,
        "complete": answer.complete,
    })
}

/// An error as `lib/errors.js` reads it.
pub(super) fn describe(error: &Error) -> Value {
    json!({
        "code": error.code(),
        "message": error.to_string(),
        "statusCode": error.status(),
        "reason": error.reason(),
        "trackingId": error.tracking_id(),
        "refusedBy": error.refused_by().map(RefusedBy::as_str),
        "response": error.refusal().and_then(|refusal| refusal.answer.as_deref()).map(response),
        "closeCode": error.close_code(),
        "cause": error.cause().map(|message| json!({ "message": message, "code": error.cause_code() })),
    })
}
