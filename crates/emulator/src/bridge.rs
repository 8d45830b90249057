//! The pump that joins a sender and a listener after their rendezvous.
//!
//! | event | what the other side sees | then |
//! |---|---|---|
//! | one side sends Close | the same Close | the other direction flows on, for 60 s at most |
//! | both sides have sent Close | | both connections end |
//! | a connection ends without Close | its connection ends without Close | |
//! | a side breaks the protocol | its connection ends without Close | the culprit is told why |
//! | a side takes nothing for 60 s | its connection ends without Close | |
//! | the relay ends | Close 1001 | |

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyco_websocket::RewriterConfig;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    direction::{Direction, Side, Verdict},
    linger::linger,
    options::Timing,
    stream::Stream,
};

/// A client whose handshake is done, and what it has sent behind it.
pub(crate) struct Joined {
    pub(crate) stream: Stream,
    pub(crate) rest: Bytes,
    /// Its share of the connections that may be open.
    pub(crate) place: OwnedSemaphorePermit,
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
    /// The relay ended it.
    Ended,
}

/// Relays between the two until either ends; `ending` resolves when the relay wants to end.
///
/// `config` says how frames are passed on.
pub(crate) async fn bridge(
    sender: Joined,
    listener: Joined,
    config: RewriterConfig,
    timing: &Timing,
    ending: oneshot::Receiver<()>,
) -> Outcome {
    let _places = (sender.place, listener.place);
    let mut bridge = Bridge {
        forth: Way::new(config, &sender.rest),
        back: Way::new(config, &listener.rest),
        sender: Side::new(sender.stream),
        listener: Side::new(listener.stream),
        half_closed_at: None,
        timer: None,
        ending,
        close_timeout: timing.close,
        send_timeout: timing.send,
    };
    // Even empty they keep the buffers of the handshakes.
    drop((sender.rest, listener.rest));
    let outcome = poll_fn(|cx| bridge.poll(cx)).await;
    if matches!(outcome, Outcome::Closed | Outcome::Ended) {
        tokio::join!(linger(bridge.sender.stream), linger(bridge.listener.stream));
    }
    outcome
}

struct Bridge {
    sender: Side,
    listener: Side,
    /// From the sender to the listener.
    forth: Way,
    /// From the listener to the sender.
    back: Way,
    half_closed_at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    ending: oneshot::Receiver<()>,
    close_timeout: Duration,
    send_timeout: Duration,
}

/// A direction and how it ended.
struct Way {
    direction: Direction,
    verdict: Option<Verdict>,
}

impl Way {
    fn new(config: RewriterConfig, rest: &[u8]) -> Self {
        Self {
            direction: Direction::new(config, rest),
            verdict: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, source: &mut Side, sink: &mut Side) {
        if self.verdict.is_none()
            && let Poll::Ready(verdict) = self.direction.poll(cx, source, sink)
        {
            self.verdict = Some(verdict);
            sink.close();
        }
    }
}

impl Bridge {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            self.forth.poll(cx, &mut self.sender, &mut self.listener);
            self.back.poll(cx, &mut self.listener, &mut self.sender);
            // A ping that was read on one way is answered on the other.
            if !self.sender.has_new_replies() && !self.listener.has_new_replies() {
                break;
            }
        }
        if let Some(outcome) = self.outcome(cx) {
            return Poll::Ready(outcome);
        }
        if Pin::new(&mut self.ending).poll(cx).is_ready() {
            self.back
                .direction
                .try_close(cx, &mut self.sender, GOING_AWAY, SHUT_DOWN);
            self.forth
                .direction
                .try_close(cx, &mut self.listener, GOING_AWAY, SHUT_DOWN);
            return Poll::Ready(Outcome::Ended);
        }
        self.poll_deadlines(cx)
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
                        .filter(|_| way.verdict.is_none())
                })
                .min()
                .map(|since| since + self.send_timeout);
            let half_closed = self.half_closed_at.map(|since| since + self.close_timeout);
            let Some(deadline) = stalled.into_iter().chain(half_closed).min() else {
                return Poll::Pending;
            };
            if deadline <= Instant::now() {
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

const GOING_AWAY: u16 = 1001;
const SHUT_DOWN: &str = "the relay is shutting down";
