//! The pump that joins a sender and a listener after their rendezvous.
//!
//! | event | what the other side sees | then |
//! |---|---|---|
//! | one side sends Close | the same Close | the other direction flows on, for 60 s at most |
//! | both sides have sent Close | | both connections end |
//! | a connection ends without Close | its connection ends without Close | |
//! | a side breaks the protocol | its connection ends without Close | the culprit is told why |
//! | a side takes nothing for 60 s | its connection ends without Close | |
//! | the relay, or who administers it, ends it | Close 1001, or what was asked for | |

use std::{
    fmt,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyco_websocket::RewriterConfig;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    bridges::{Order, Span},
    direction::{Direction, Verdict},
    events::EventKind,
    faults::{Ending, Exposure, FaultDirection, FaultTarget},
    linger::linger,
    options::Timing,
    places::Place,
    relay::Relay,
    side::Side,
    stream::Stream,
};

/// A client whose handshake is done, and what it has sent behind it.
pub(crate) struct Joined {
    pub(crate) stream: Stream,
    pub(crate) rest: Bytes,
    pub(crate) remote: SocketAddr,
    /// Its share of the connections that may be open.
    pub(crate) place: Place,
}

/// How the relaying ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both sides sent their close frames.
    Closed,
    /// A side was lost, or broke the protocol.
    Aborted(&'static str, Verdict),
    /// A side took nothing for too long.
    Stalled,
    /// The second close frame did not come in time.
    CloseTimeout,
    /// The relay closed it.
    Ended(u16),
    /// The relay dropped it, as it was asked to.
    Dropped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by both sides"),
            Self::Aborted(side, Verdict::Violated(violation)) => {
                write!(f, "the {side} broke the protocol: {violation}")
            }
            Self::Aborted(side, _) => write!(f, "the {side} was lost"),
            Self::Stalled => f.write_str("a side took nothing for too long"),
            Self::CloseTimeout => f.write_str("the second close frame did not come in time"),
            Self::Ended(code) => write!(f, "closed by the relay with {code}"),
            Self::Dropped => f.write_str("dropped by the relay, as it was asked to"),
        }
    }
}

/// Relays between the two until either ends, or the relay wants to.
///
/// `allow_rsv` says that the two agreed on an extension, which may use the reserved bits.
pub(crate) async fn bridge(
    relay: &Relay,
    span: &Arc<Span>,
    sender: Joined,
    listener: Joined,
    allow_rsv: bool,
) -> Outcome {
    let _places = (sender.place, listener.place);
    let config = RewriterConfig {
        allow_rsv,
        max_frame: relay.max_frame,
    };
    let mut bridge = Bridge {
        relay,
        span,
        exposure: Exposure::default(),
        forth: Way::new(config, &sender.rest),
        back: Way::new(config, &listener.rest),
        sender: Side::new(sender.stream),
        listener: Side::new(listener.stream),
        recorded: false,
        half_closed_at: None,
        fault_at: None,
        timer: None,
        timing: relay.timing(),
    };
    // Even empty they keep the buffers of the handshakes.
    drop((sender.rest, listener.rest));
    let outcome = poll_fn(|cx| bridge.poll(cx)).await;
    bridge.count();
    if matches!(outcome, Outcome::Closed | Outcome::Ended(_)) {
        tokio::join!(
            linger(bridge.sender.into_stream()),
            linger(bridge.listener.into_stream())
        );
    }
    outcome
}

struct Bridge<'a> {
    relay: &'a Relay,
    span: &'a Arc<Span>,
    exposure: Exposure,
    sender: Side,
    listener: Side,
    /// From the sender to the listener.
    forth: Way,
    /// From the listener to the sender.
    back: Way,
    /// The frames go into the journal.
    recorded: bool,
    half_closed_at: Option<Instant>,
    /// When the faults do something else.
    fault_at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    timing: Timing,
}

/// A direction and how it ended.
struct Way {
    direction: Direction,
    verdict: Option<Verdict>,
    /// A fault lets nothing pass.
    hole: bool,
}

impl Way {
    fn new(config: RewriterConfig, rest: &[u8]) -> Self {
        Self {
            direction: Direction::new(config, rest),
            verdict: None,
            hole: false,
        }
    }

    fn set_hole(&mut self, hole: bool) {
        if self.hole && !hole {
            // What a side took meanwhile, nobody has seen.
            let stalled = &mut self.direction.stalled_since;
            *stalled = stalled.map(|_| Instant::now());
        }
        self.hole = hole;
    }

    fn poll(&mut self, cx: &mut Context<'_>, source: &mut Side, sink: &mut Side) {
        if self.verdict.is_none()
            && !self.hole
            && let Poll::Ready(verdict) = self.direction.poll(cx, source, sink)
        {
            self.verdict = Some(verdict);
            sink.close();
        }
    }
}

impl Bridge<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        if self.span.take_changed(cx.waker())
            && let Some(outcome) = self.look_around(cx)
        {
            return Poll::Ready(outcome);
        }
        loop {
            self.forth.poll(cx, &mut self.sender, &mut self.listener);
            self.back.poll(cx, &mut self.listener, &mut self.sender);
            // A ping that was read on one way is answered on the other.
            if !self.sender.has_new_replies() && !self.listener.has_new_replies() {
                break;
            }
        }
        self.count();
        if self.recorded {
            self.record();
        }
        if let Some(outcome) = self.outcome(cx) {
            return Poll::Ready(outcome);
        }
        if self.sender.is_cut() || self.listener.is_cut() {
            return Poll::Ready(Outcome::Dropped);
        }
        self.poll_deadlines(cx)
    }

    fn count(&self) {
        let (forth, back) = (&self.forth.direction, &self.back.direction);
        self.span.to_listener.set(forth.messages(), forth.payload());
        self.span.to_sender.set(back.messages(), back.payload());
    }

    fn record(&mut self) {
        for (way, to) in [(&mut self.forth, "listener"), (&mut self.back, "sender")] {
            for frame in way.direction.take_recorded() {
                self.relay.events.tell(EventKind::Frame {
                    connection: self.span.serial,
                    to,
                    kind: match frame.first & 0x0f {
                        0 => "continuation",
                        1 => "text",
                        2 => "binary",
                        8 => "close",
                        9 => "ping",
                        _ => "pong",
                    },
                    fin: frame.first & 0x80 != 0,
                    length: frame.length,
                    start: BASE64_STANDARD.encode(&frame.start),
                });
            }
        }
    }

    /// Obeys the relay, and sees what the faults are now.
    fn look_around(&mut self, cx: &mut Context<'_>) -> Option<Outcome> {
        match self.span.take_order() {
            Some(Order::Close(code, reason)) => return Some(self.end(cx, code, &reason)),
            Some(Order::Drop) => return Some(Outcome::Dropped),
            None => {}
        }
        let path = &self.span.connection.path;
        let new = self
            .exposure
            .refresh(&self.relay.faults, FaultTarget::Connection, path);
        for active in new {
            self.relay.events.tell(EventKind::Fault {
                fault: active.id,
                kind: active.fault.kind.as_str(),
                target: self.span.id.clone(),
            });
        }
        let (to_listener, to_sender) = (
            self.exposure.shape(FaultDirection::ToListener),
            self.exposure.shape(FaultDirection::ToSender),
        );
        self.timing = self.relay.timing();
        let max_frame = self.relay.max_frame;
        self.forth.direction.set_slice(to_listener.slice, max_frame);
        self.back.direction.set_slice(to_sender.slice, max_frame);
        self.recorded = self.span.connection.is_recorded();
        self.forth.direction.set_recorded(self.recorded);
        self.back.direction.set_recorded(self.recorded);
        self.listener.shape(to_listener);
        self.sender.shape(to_sender);
        self.obey_faults(cx)
    }

    fn obey_faults(&mut self, cx: &mut Context<'_>) -> Option<Outcome> {
        let state = self.exposure.state(Instant::now());
        self.fault_at = state.next;
        self.forth.set_hole(state.hole_to_listener);
        self.back.set_hole(state.hole_to_sender);
        match state.ending? {
            Ending::Drop => Some(Outcome::Dropped),
            Ending::Close(code, reason) => Some(self.end(cx, code, &reason)),
        }
    }

    /// Tells both sides the end.
    fn end(&mut self, cx: &mut Context<'_>, code: u16, reason: &str) -> Outcome {
        self.back
            .direction
            .try_close(cx, &mut self.sender, code, reason);
        self.forth
            .direction
            .try_close(cx, &mut self.listener, code, reason);
        Outcome::Ended(code)
    }

    fn outcome(&mut self, cx: &mut Context<'_>) -> Option<Outcome> {
        use Verdict::{Closed, SinkLost, SourceLost, Violated};
        match (self.forth.verdict, self.back.verdict) {
            (None, None) => None,
            (Some(Closed), Some(Closed)) => Some(Outcome::Closed),
            (Some(verdict @ Violated(violation)), _) => {
                let (code, reason) = (violation.close_code(), violation.to_string());
                self.back
                    .direction
                    .try_close(cx, &mut self.sender, code, &reason);
                Some(Outcome::Aborted("sender", verdict))
            }
            (_, Some(verdict @ Violated(violation))) => {
                let (code, reason) = (violation.close_code(), violation.to_string());
                self.forth
                    .direction
                    .try_close(cx, &mut self.listener, code, &reason);
                Some(Outcome::Aborted("listener", verdict))
            }
            (Some(SourceLost), _) => Some(Outcome::Aborted("sender", SourceLost)),
            (_, Some(SourceLost)) => Some(Outcome::Aborted("listener", SourceLost)),
            (Some(SinkLost), Some(_)) => Some(Outcome::Aborted("listener", SinkLost)),
            (Some(_), Some(SinkLost)) => Some(Outcome::Aborted("sender", SinkLost)),
            // One direction is closed, or cannot be written any more; what the other side still
            // sends, or has sent before it was lost, flows on.
            (Some(_), None) | (None, Some(_)) => {
                self.half_closed_at.get_or_insert_with(Instant::now);
                None
            }
        }
    }

    /// One timer serves all deadlines. It is set only when one exists, and looked at only when it fires.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            let stalled = [&self.forth, &self.back]
                .into_iter()
                .filter_map(|way| {
                    way.direction
                        .stalled_since
                        .filter(|_| way.verdict.is_none() && !way.hole)
                })
                .min()
                .map(|since| since + self.timing.send);
            let half_closed = self.half_closed_at.map(|since| since + self.timing.close);
            let deadlines = [stalled, half_closed, self.fault_at];
            let Some(deadline) = deadlines.into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if deadline <= Instant::now() {
                if self.fault_at == Some(deadline) {
                    if let Some(outcome) = self.obey_faults(cx) {
                        return Poll::Ready(outcome);
                    }
                    // A way that was closed may be open again.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(match stalled {
                    Some(at) if at == deadline => Outcome::Stalled,
                    _ => Outcome::CloseTimeout,
                });
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.is_elapsed() || timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
