//! Faults on purpose: what can go wrong, and where.
//!
//! A fault is in force from the moment when it is set until it is removed or has struck `count` times.
//! It strikes what matches at that moment, and what comes later.

mod exposure;
mod parse;
mod shaper;
mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use exposure::{Ending, Exposure, State};
pub(crate) use shaper::{Shape, Shaper};
pub(crate) use store::Faults;

/// Something that goes wrong on purpose.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// What goes wrong. It has no default: a fault without a kind must not become some other one.
    pub kind: FaultKind,
    /// What is struck by `drop`, `close` and `blackHole`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<FaultTarget>,
    /// The hybrid connection that is struck; none means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_connection: Option<String>,
    /// The direction that is struck; none means both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<FaultDirection>,
    /// How likely it strikes what matches, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How many times it strikes; none means without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// `drop`, `close`, `blackHole`: milliseconds until it strikes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// `blackHole`: milliseconds until it ends; none means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// `close`: the code of the close frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// `close`, `refuse`: the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `refuse`: the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `refuse`: the handshake that is refused; none means `listen` and `connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<FaultAction>,
    /// `delayAccept`, `latency`: milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<u64>,
    /// `latency`: milliseconds by which the delay varies, up or down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u64>,
    /// `bandwidth`: bytes in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// `slice`: the longest frame; `cutAfter`: what passes before the connection is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// `timers`: by what every time of the relay is multiplied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// `clock`: by how many seconds the clock that tokens are checked with is ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum FaultKind {
    /// The connection is lost, without a close frame.
    #[default]
    Drop,
    /// The connection is closed with a code.
    Close,
    /// Nothing is read and nothing is sent, and the connection stays open.
    BlackHole,
    /// A handshake is refused with a status.
    Refuse,
    /// A listener hears late of a sender.
    DelayAccept,
    /// A listener never hears of a sender.
    SwallowAccept,
    /// Bytes arrive late.
    Latency,
    /// Bytes pass slowly.
    Bandwidth,
    /// Frames are cut into small ones.
    Slice,
    /// A relayed connection is lost after so many bytes.
    CutAfter,
    /// The times of the relay run faster or slower.
    Timers,
    /// The clock that tokens are checked with is wrong.
    Clock,
}

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultTarget {
    /// Control channels of listeners.
    Control,
    /// Relayed connections.
    Connection,
}

/// The way of the bytes that a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultDirection {
    /// From the sender to the listener.
    ToListener,
    /// From the listener to the sender.
    ToSender,
}

/// The handshake that a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultAction {
    /// A listener's control channel.
    Listen,
    /// A sender's.
    Connect,
    /// A listener's dial to meet a sender.
    Accept,
    /// A sender's HTTP request.
    Request,
}

impl FaultKind {
    /// The word for it, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Close => "close",
            Self::BlackHole => "blackHole",
            Self::Refuse => "refuse",
            Self::DelayAccept => "delayAccept",
            Self::SwallowAccept => "swallowAccept",
            Self::Latency => "latency",
            Self::Bandwidth => "bandwidth",
            Self::Slice => "slice",
            Self::CutAfter => "cutAfter",
            Self::Timers => "timers",
            Self::Clock => "clock",
        }
    }
}

impl Fault {
    /// Says what is wrong with it, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        use FaultKind::{
            Bandwidth, BlackHole, Clock, Close, CutAfter, DelayAccept, Drop, Latency, Refuse,
            Slice, SwallowAccept, Timers,
        };
        let ends = matches!(self.kind, Drop | Close | BlackHole);
        let shapes = matches!(self.kind, Latency | Bandwidth | Slice | CutAfter);
        let kind = self.kind.as_str();
        // Which members a kind understands, so that a mistyped fault does not silently do nothing.
        let members = [
            ("on", self.on.is_some(), ends),
            (
                "direction",
                self.direction.is_some(),
                shapes || self.kind == BlackHole,
            ),
            ("after", self.after.is_some(), ends),
            ("duration", self.duration.is_some(), self.kind == BlackHole),
            ("code", self.code.is_some(), self.kind == Close),
            (
                "reason",
                self.reason.is_some(),
                matches!(self.kind, Close | Refuse),
            ),
            ("status", self.status.is_some(), self.kind == Refuse),
            ("action", self.action.is_some(), self.kind == Refuse),
            (
                "delay",
                self.delay.is_some(),
                matches!(self.kind, Latency | DelayAccept),
            ),
            ("jitter", self.jitter.is_some(), self.kind == Latency),
            (
                "bytesPerSecond",
                self.bytes_per_second.is_some(),
                self.kind == Bandwidth,
            ),
            (
                "bytes",
                self.bytes.is_some(),
                matches!(self.kind, Slice | CutAfter),
            ),
            ("factor", self.factor.is_some(), self.kind == Timers),
            ("seconds", self.seconds.is_some(), self.kind == Clock),
            (
                "hybridConnection",
                self.hybrid_connection.is_some(),
                !matches!(self.kind, Timers | Clock),
            ),
            (
                "probability",
                self.probability.is_some(),
                !matches!(self.kind, Timers | Clock),
            ),
            (
                "count",
                self.count.is_some(),
                !matches!(self.kind, Timers | Clock),
            ),
        ];
        if let Some((name, ..)) = members.iter().find(|(_, given, known)| *given && !known) {
            return Err(format!("a fault of kind {kind} has no {name}"));
        }
        let needed = match self.kind {
            Drop | Close | BlackHole => ("on", self.on.is_some()),
            Refuse => ("status", self.status.is_some()),
            DelayAccept | Latency => ("delay", self.delay.is_some()),
            Bandwidth => ("bytesPerSecond", self.bytes_per_second.is_some()),
            Slice | CutAfter => ("bytes", self.bytes.is_some()),
            Timers => ("factor", self.factor.is_some()),
            Clock => ("seconds", self.seconds.is_some()),
            SwallowAccept => return self.check_values(),
        };
        match needed {
            (_, true) => self.check_values(),
            (name, false) => Err(format!("a fault of kind {kind} needs {name}")),
        }
    }

    fn check_values(&self) -> Result<(), String> {
        let within = |name: &str, good: bool, range: &str| match good {
            true => Ok(()),
            false => Err(format!("{name} must be {range}")),
        };
        let probability = self.probability.unwrap_or(1.0);
        within(
            "probability",
            (0.0..=1.0).contains(&probability),
            "from 0 to 1",
        )?;
        within("count", self.count != Some(0), "at least 1")?;
        let status = self.status.unwrap_or(503);
        within("status", (200..=599).contains(&status), "from 200 to 599")?;
        let code = self.code.unwrap_or(1000);
        let sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        within(
            "code",
            sendable,
            "a code that a close frame can have, as 1011 or 4000",
        )?;
        let rate = self.bytes_per_second;
        within("bytesPerSecond", rate != Some(0), "at least 1")?;
        let path = self.hybrid_connection.as_deref();
        within("hybridConnection", path != Some(""), "a path")?;
        let slices = self.kind == FaultKind::Slice;
        within("bytes", !(slices && self.bytes == Some(0)), "at least 1")?;
        let factor = self.factor.unwrap_or(1.0);
        within(
            "factor",
            (1e-6..=1e6).contains(&factor),
            "from 0.000001 to 1000000",
        )?;
        let reason = self.reason.as_deref().unwrap_or_default();
        within("reason", reason.len() <= 123, "at most 123 bytes long")?;
        for (name, time) in [
            ("after", self.after),
            ("duration", self.duration),
            ("delay", self.delay),
            ("jitter", self.jitter),
        ] {
            let good = time.is_none_or(|time| time <= LONGEST);
            within(name, good, "at most a year, in milliseconds")?;
        }
        let seconds = self.seconds.unwrap_or(0).unsigned_abs();
        within("seconds", seconds <= LONGEST, "at most 1000 years")
    }
}

/// Milliseconds as a duration.
fn milliseconds(count: Option<u64>) -> Duration {
    Duration::from_millis(count.unwrap_or(0))
}

/// A year in milliseconds.
const LONGEST: u64 = 365 * 24 * 60 * 60 * 1000;
