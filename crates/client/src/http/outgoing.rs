//! Answers for the control channel, until they are there.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

/// An answer for the control channel: a text message, and the binary one right behind it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) json: String,
    pub(crate) body: Option<Bytes>,
    /// When it was given; the relay waits for it no longer than a minute.
    pub(crate) at: Instant,
}

impl Answer {
    pub(crate) fn new(json: String, body: Vec<u8>) -> Self {
        Self {
            json,
            body: (!body.is_empty()).then(|| body.into()),
            at: Instant::now(),
        }
    }

    /// What keeping it costs in bytes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.body.as_ref().map_or(0, Bytes::len) + size_of::<Self>()
    }
}

/// The answers that were sent last, as many as a connection may hold on its way.
#[derive(Default)]
pub(crate) struct SentAnswers {
    answers: VecDeque<Answer>,
    size: usize,
}

impl SentAnswers {
    pub(crate) fn extend(&mut self, sent: impl Iterator<Item = Answer>) {
        for answer in sent {
            self.size += answer.size();
            self.answers.push_back(answer);
        }
        while self.size > MOST_SENT
            && let Some(oldest) = self.answers.pop_front()
        {
            self.size -= oldest.size();
        }
    }

    /// Puts those that are not too old before what is to be sent.
    pub(crate) fn take_back(&mut self, unsent: &mut VecDeque<Answer>) {
        self.size = 0;
        for answer in self.answers.drain(..).rev() {
            if answer.at.elapsed() < SWALLOWED {
                unsent.push_front(answer);
            }
        }
    }
}

/// How old an answer may be that is said again. A relay that is silent is noticed later, but one that
/// says that it is gone has taken what was sent before that.
const SWALLOWED: Duration = Duration::from_secs(10);
/// What the system may have taken without the relay having read it.
const MOST_SENT: usize = 1024 * 1024;
