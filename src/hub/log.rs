//! The log of an environment: what the I/O thread traces, on its way to JavaScript.

use std::sync::Arc;

use hyco_hub::HubInbox;
use hyco_log::{Line, Log};
use napi_derive::napi;
use serde::Serialize;
use tracing::Level;

use super::Hub;

#[napi]
impl Hub {
    /// Whether `log` events are to come; they are lost while JavaScript is far behind.
    #[napi(catch_unwind)]
    pub fn set_logging(&self, on: bool) {
        if let Some(running) = self.running.borrow().as_ref() {
            running.log.level().set(on.then_some(Level::DEBUG));
        }
    }
}

/// A log whose lines are events of that inbox.
pub(super) fn of_hub(inbox: &Arc<HubInbox>) -> Log {
    let inbox = Arc::clone(inbox);
    Log::new(move |line| inbox.log(to_json(&line)))
}

/// A `log` event as `lib/hub/hub.js` reads it.
pub(crate) fn to_json(line: &Line) -> String {
    let event = LogEvent {
        r#type: "log",
        listener: line.number(SERVER),
        socket: line.number(SOCKET),
        line,
    };
    serde_json::to_string(&event).unwrap_or_default()
}

#[derive(Serialize)]
struct LogEvent<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<u32>,
    #[serde(flatten)]
    line: &'a Line,
}

/// The spans that tell whom a line is about.
const SERVER: &str = "server";
const SOCKET: &str = "socket";
