//! Asking the application, which answers from another thread, perhaps late, perhaps never.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// A kind of question of which one at a time is open.
#[derive(Debug)]
pub(crate) struct Question<T> {
    last: AtomicU32,
    open: Mutex<Option<(u32, oneshot::Sender<T>)>>,
}

impl<T> Question<T> {
    pub(crate) fn new() -> Self {
        Self {
            last: AtomicU32::new(0),
            open: Mutex::new(None),
        }
    }

    /// Asks by calling `put` with the number of the question; none if there is no answer in time.
    /// An older question that is still open is given up.
    pub(crate) async fn ask(&self, deadline: Duration, put: impl FnOnce(u32)) -> Option<T> {
        let number = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (sender, receiver) = oneshot::channel();
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, sender));
        put(number);
        timeout(deadline, receiver).await.ok()?.ok()
    }

    /// Answers the question of that number; an answer to any other is ignored.
    pub(crate) fn answer(&self, number: u32, answer: T) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = open.take_if(|(asked, _)| *asked == number) {
            // Whoever asked may have stopped waiting.
            drop(sender.send(answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn an_answer_reaches_its_own_question_only() {
        let question = Question::new();
        let answer = question
            .ask(MINUTE, |number| {
                question.answer(number.wrapping_sub(1), "late");
                question.answer(number, "right");
                question.answer(number, "twice");
            })
            .await;
        assert_eq!(answer, Some("right"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_given_up_at_its_deadline() {
        let question = Question::<()>::new();
        assert_eq!(question.ask(MINUTE, |_| ()).await, None);
    }
}
