//! The log: a line for what happens.

use std::time::{SystemTime, UNIX_EPOCH};

use hyco_log::Line;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{args::LogFormat, eprint};
use crate::events::{Event, EventKind, Traffic};

/// Writes what happens until the relay ends.
pub(crate) async fn write(mut events: Receiver<Event>, format: LogFormat) {
    loop {
        let line = match events.recv().await {
            Ok(event) => match format {
                LogFormat::Json => serde_json::to_string(&event).unwrap_or_default(),
                LogFormat::Pretty => format!("{} {}", clock(event.time), pretty(&event.kind)),
            },
            Err(RecvError::Lagged(count)) => {
                own("warn", &format!("{count} events were not written"), format)
            }
            Err(RecvError::Closed) => return,
        };
        eprint(&line);
    }
}

/// The line for what the relay does inside.
pub(crate) fn inner(line: &Line, format: LogFormat) -> String {
    let time = now();
    match format {
        LogFormat::Json => serde_json::to_string(&Inner {
            time,
            r#type: "log",
            line,
        })
        .unwrap_or_default(),
        LogFormat::Pretty => format!("{} {line}", clock(time)),
    }
}

/// A line of the program itself.
pub(crate) fn own(level: &'static str, message: &str, format: LogFormat) -> String {
    match format {
        LogFormat::Json => {
            let time = now();
            json!({ "time": time, "type": "log", "level": level, "message": message }).to_string()
        }
        LogFormat::Pretty if level == "warn" => format!("warning: {message}"),
        LogFormat::Pretty => message.to_owned(),
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_millis() as u64)
}

#[derive(Serialize)]
struct Inner<'a> {
    time: u64,
    r#type: &'static str,
    #[serde(flatten)]
    line: &'a Line,
}

/// The time of day in UTC.
fn clock(time: u64) -> String {
    let (seconds, millis) = (time / 1000 % 86_400, time % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

fn pretty(kind: &EventKind) -> String {
    match kind {
        EventKind::Handshake {
            action,
            path,
            remote,
            tracking_id,
            duration,
        } => format!("101 {action} {path} from {remote} in {duration} ms [{tracking_id}]"),
        EventKind::Refused {
            action,
            path,
            remote,
            tracking_id,
            status,
            reason,
            hint,
            duration,
        } => {
            let hint = hint
                .as_ref()
                .map_or_else(String::new, |hint| format!("\n             => {hint}"));
            format!(
                "{status} {action} {path} from {remote} in {duration} ms: {reason} [{tracking_id}]{hint}"
            )
        }
        EventKind::Suppressed { refusals, warnings } => {
            format!(
                "not written: {} and {}",
                counted(*refusals, "more refusal"),
                counted(*warnings, "more warning")
            )
        }
        EventKind::Answered {
            method,
            path,
            remote,
            tracking_id,
            status,
            whole,
            duration,
            to_listener,
            to_sender,
            ..
        } => {
            let broken = if *whole { "" } else { ", broken off" };
            format!(
                "{status} {method} {path} from {remote} in {duration} ms: {} to the listener, \
                 {} to the sender{broken} [{tracking_id}]",
                counted(*to_listener, "byte"),
                counted(*to_sender, "byte")
            )
        }
        EventKind::Paired {
            connection,
            hybrid_connection,
            tracking_id,
            sender,
            listener,
        } => format!(
            "#{connection} {hybrid_connection}: {sender} and {listener} have met [{tracking_id}]"
        ),
        EventKind::Closed {
            what,
            connection,
            hybrid_connection,
            tracking_id,
            reason,
            duration,
            to_listener,
            to_sender,
        } => {
            let number = connection.map_or_else(String::new, |number| format!("#{number} "));
            let traffic = match (to_listener, to_sender) {
                (Some(to_listener), Some(to_sender)) => format!(
                    ", {} to the listener, {} to the sender",
                    amount(to_listener),
                    amount(to_sender)
                ),
                _ => String::new(),
            };
            format!(
                "{number}{hybrid_connection}: the {what} has ended after {duration} ms: \
                 {reason}{traffic} [{tracking_id}]"
            )
        }
        EventKind::Fault {
            fault,
            kind,
            target,
        } => format!("fault {fault} ({kind}) strikes {target}"),
        EventKind::Changed { what } => what.clone(),
        EventKind::Warning {
            message,
            tracking_id,
        } => match tracking_id {
            Some(id) => format!("warning: {message} [{id}]"),
            None => format!("warning: {message}"),
        },
        EventKind::Frame {
            connection,
            to,
            kind,
            fin,
            length,
            ..
        } => {
            let more = if *fin { "" } else { ", and more to come" };
            let length = counted(*length, "byte");
            format!("#{connection} {kind} of {length} to the {to}{more}")
        }
    }
}

fn amount(traffic: &Traffic) -> String {
    let Traffic { messages, bytes } = traffic;
    let (messages, bytes) = (counted(*messages, "message"), counted(*bytes, "byte"));
    format!("{messages} with {bytes}")
}

/// A number of things, one of them without the s.
fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_line_with_its_fix_below() {
        let line = pretty(&EventKind::Refused {
            action: "listen",
            path: "/hyc".to_owned(),
            remote: "127.0.0.1:5".to_owned(),
            tracking_id: "id_G1".to_owned(),
            status: 404,
            reason: "Endpoint does not exist.".to_owned(),
            hint: Some("the hybrid connections here are: hyco".to_owned()),
            duration: 2,
        });
        assert_eq!(
            line,
            "404 listen /hyc from 127.0.0.1:5 in 2 ms: Endpoint does not exist. [id_G1]\n             \
             => the hybrid connections here are: hyco"
        );
        assert_eq!(clock(86_400_000 + 3_723_004), "01:02:03.004");
    }

    #[test]
    fn one_of_a_thing_is_told_as_one() {
        let traffic = |messages, bytes| Some(Traffic { messages, bytes });
        let line = pretty(&EventKind::Closed {
            what: "connection",
            connection: Some(1),
            hybrid_connection: "hyco".to_owned(),
            tracking_id: "id_G1".to_owned(),
            reason: "closed by both sides".to_owned(),
            duration: 67,
            to_listener: traffic(1, 5),
            to_sender: traffic(2, 1),
        });
        assert_eq!(
            line,
            "#1 hyco: the connection has ended after 67 ms: closed by both sides, \
             1 message with 5 bytes to the listener, 2 messages with 1 byte to the sender [id_G1]"
        );
        let suppressed = EventKind::Suppressed {
            refusals: 1,
            warnings: 0,
        };
        assert_eq!(
            pretty(&suppressed),
            "not written: 1 more refusal and 0 more warnings"
        );
    }
}
