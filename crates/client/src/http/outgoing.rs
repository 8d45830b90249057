//! Answers for the control channel, until they are there.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use crate::{control_channel::ControlChannel, error::Result};

/// An answer for the control channel: a text message, and the binary one right behind it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) json: Utf8Bytes,
    pub(crate) body: Option<Bytes>,
    /// When it was given; the relay waits for it no longer than a minute.
    pub(crate) at: Instant,
}

impl Answer {
    pub(crate) fn new(json: String, body: Vec<u8>) -> Self {
        Self {
            json: json.into(),
            body: (!body.is_empty()).then(|| body.into()),
            at: Instant::now(),
        }
    }

    /// What keeping it costs in bytes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.body.as_ref().map_or(0, Bytes::len) + size_of::<Self>()
    }
}

/// The answers of one listener.
pub(crate) struct Outgoing {
    queue: mpsc::Receiver<Answer>,
    /// Those that could not be sent yet.
    unsent: VecDeque<Answer>,
    /// Those that were sent last. A lost channel may have swallowed them, so they are said again on the
    /// next one.
    sent: SentAnswers,
}

impl Outgoing {
    pub(crate) fn new(queue: mpsc::Receiver<Answer>) -> Self {
        Self {
            queue,
            unsent: VecDeque::new(),
            sent: SentAnswers::default(),
        }
    }

    /// There is a new channel: what the last one may have swallowed is to be said again, and what is too
    /// old is not.
    pub(crate) fn begin_anew(&mut self) {
        self.unsent
            .retain(|answer| answer.at.elapsed() < LATE_ANSWER);
        self.sent.take_back(&mut self.unsent);
    }

    /// An answer that requests have given.
    pub(crate) async fn recv(&mut self) -> Option<Answer> {
        self.queue.recv().await
    }

    /// Puts an answer behind those that are to be sent.
    pub(crate) fn push(&mut self, answer: Answer) {
        self.unsent.push_back(answer);
    }

    /// Sends the answers that are there in one go. They stay until they are sent, so that those of a
    /// channel that is lost leave by the next one; the relay ignores one that it has already.
    pub(crate) async fn send(&mut self, channel: &mut ControlChannel) -> Result<()> {
        while self.unsent.len() < ANSWERS_AT_ONCE
            && let Ok(answer) = self.queue.try_recv()
        {
            self.unsent.push_back(answer);
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        channel.answer(&self.unsent).await?;
        self.sent.extend(self.unsent.drain(..));
        Ok(())
    }

    /// Takes no answers any more.
    pub(crate) fn close(&mut self) {
        self.queue.close();
    }
}

/// The answers that were sent last, as many as a connection may hold on its way.
#[derive(Default)]
struct SentAnswers {
    answers: VecDeque<Answer>,
    size: usize,
}

impl SentAnswers {
    fn extend(&mut self, sent: impl Iterator<Item = Answer>) {
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
    fn take_back(&mut self, unsent: &mut VecDeque<Answer>) {
        self.size = 0;
        for answer in self.answers.drain(..).rev() {
            if answer.at.elapsed() < SWALLOWED {
                unsent.push_front(answer);
            }
        }
    }
}

/// After so long the relay has answered in the listener's place.
const LATE_ANSWER: Duration = Duration::from_secs(60);
/// Answers of 128 KiB at the most, written together.
const ANSWERS_AT_ONCE: usize = 64;
/// How old an answer may be that is said again. A relay that is silent is noticed later, but one that
/// says that it is gone has taken what was sent before that.
const SWALLOWED: Duration = Duration::from_secs(10);
/// What the system may have taken without the relay having read it.
const MOST_SENT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn outgoing() -> Outgoing {
        Outgoing::new(mpsc::channel(1).1)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_could_not_be_sent_is_kept_for_a_minute() {
        let mut outgoing = outgoing();
        outgoing.push(Answer::new(String::new(), Vec::new()));
        advance(Duration::from_secs(59)).await;
        outgoing.begin_anew();
        assert_eq!(outgoing.unsent.len(), 1);
        advance(Duration::from_secs(2)).await;
        outgoing.begin_anew();
        assert_eq!(outgoing.unsent.len(), 0);
    }

    #[tokio::test]
    async fn what_was_sent_last_is_remembered_up_to_a_mebibyte() {
        let mut outgoing = outgoing();
        let answers = (0..20).map(|id| Answer::new(id.to_string(), vec![0; 128 * 1024]));
        outgoing.sent.extend(answers);
        outgoing.begin_anew();
        let kept: Vec<_> = outgoing.unsent.iter().map(|it| it.json.as_str()).collect();
        assert_eq!(kept, ["13", "14", "15", "16", "17", "18", "19"]);
    }
}
