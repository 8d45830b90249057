//! What a server has answered so far, and which way it has to go.

use std::time::Duration;

use hyco_protocol::{
    Reply,
    command::{MAX_COMMAND, MAX_CONTROL_BODY},
    http::{AnswerSink, Cookies, ResponseHead},
};
use tokio::time::Instant;

/// An answer that is being gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) head: Option<ResponseHead>,
    pub(crate) body: Vec<u8>,
    /// When the head was whole.
    begun: Option<Instant>,
}

/// Which way an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is not known yet.
    Undecided,
    /// Whole, by the control channel.
    Control,
    /// As it comes, by a rendezvous.
    Rendezvous,
}

impl Gathered {
    /// Which way the answer to a request goes that came by the control channel.
    pub(crate) fn way(&self, is_whole: bool, flush_delay: Duration) -> Way {
        let Some(head) = &self.head else {
            return Way::Undecided;
        };
        let is_late = || {
            self.flush_at(flush_delay)
                .is_some_and(|at| at <= Instant::now())
        };
        if self.body.len() > MAX_CONTROL_BODY || json_is_long(head) {
            Way::Rendezvous
        } else if is_whole {
            Way::Control
        } else if is_event_stream(head) || is_late() {
            Way::Rendezvous
        } else {
            Way::Undecided
        }
    }

    /// When an answer that has begun should no longer wait for the rest.
    pub(crate) fn flush_at(&self, flush_delay: Duration) -> Option<Instant> {
        self.begun.map(|begun| begun + flush_delay)
    }
}

impl AnswerSink for Gathered {
    fn head(&mut self, head: ResponseHead) {
        self.head = Some(head);
        self.begun = Some(Instant::now());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }
}

/// The text message that begins an answer.
pub(crate) fn response_json(head: ResponseHead, id: &str, cookies: Cookies, body: bool) -> String {
    Reply::Response(head.into_command(id, cookies, body)).to_json()
}

/// Whether the command may be longer than a control channel takes. A header costs its name, its value
/// and six more characters; escapes can double them.
fn json_is_long(head: &ResponseHead) -> bool {
    let headers = &head.headers.0;
    let length: usize = headers
        .iter()
        .map(|(name, value)| 2 * (name.len() + value.len()) + 6)
        .sum();
    length > MAX_COMMAND - OTHER_MEMBERS
}

fn is_event_stream(head: &ResponseHead) -> bool {
    head.headers.get("content-type").is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// The id, the reason phrase and the names of the members.
const OTHER_MEMBERS: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use hyco_protocol::Headers;

    use super::*;

    fn gathered(length: usize, headers: &[(&str, &str)]) -> Gathered {
        let mut gathered = Gathered::default();
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        gathered.head(ResponseHead {
            status: 200,
            reason: String::new(),
            headers: Headers(headers.iter().map(owned).collect()),
        });
        gathered.data(&vec![0; length]);
        gathered
    }

    const DELAY: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn whole_answers_up_to_64_kib_go_by_the_control_channel_c43() {
        assert_eq!(Gathered::default().way(true, DELAY), Way::Undecided);
        assert_eq!(gathered(0, &[]).way(true, DELAY), Way::Control);
        assert_eq!(gathered(65_536, &[]).way(true, DELAY), Way::Control);
    }

    #[tokio::test(start_paused = true)]
    async fn larger_and_slower_ones_go_by_a_rendezvous_c44() {
        assert_eq!(gathered(65_537, &[]).way(true, DELAY), Way::Rendezvous);
        let slow = gathered(1, &[]);
        assert_eq!(slow.way(false, DELAY), Way::Undecided);
        tokio::time::advance(DELAY).await;
        assert_eq!(slow.way(false, DELAY), Way::Rendezvous);
        assert_eq!(slow.way(true, DELAY), Way::Control);
        let long = "x".repeat(40_000);
        assert_eq!(
            gathered(0, &[("X", &long)]).way(true, DELAY),
            Way::Rendezvous
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_stream_does_not_wait_at_all() {
        let events = gathered(0, &[("Content-Type", "Text/Event-Stream; charset=utf-8")]);
        assert_eq!(events.way(false, DELAY), Way::Rendezvous);
        assert_eq!(events.way(true, DELAY), Way::Control);
    }
}
