//! Where a listener's tokens come from, and when they are due for renewal (docs/protocol.md, 3.6).

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyco_protocol::token::expires_at;
use tokio::time::{Instant, sleep_until};

use crate::{
    backoff::{Backoff, Schedule},
    error::{Error, Result},
    event::{Events, ListenerEvent},
    options::TokenSource,
    question::Question,
};

/// What the application answers when it is asked for a token.
pub(crate) type TokenQuestion = Question<std::result::Result<String, String>>;

/// Yields tokens.
pub(crate) struct TokenProvider {
    source: TokenSource,
    question: Arc<TokenQuestion>,
    events: Events,
}

/// A token and the times that matter for it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// When to have a successor; none for a fixed token.
    due: Option<Instant>,
    ends: Instant,
}

impl TokenProvider {
    pub(crate) fn new(source: TokenSource, question: Arc<TokenQuestion>, events: Events) -> Self {
        Self {
            source,
            question,
            events,
        }
    }

    /// A token for a handshake.
    pub(crate) async fn fetch(&self) -> Result<Token> {
        let text = match &self.source {
            TokenSource::Fixed(token) => return Ok(Token::new(token.clone(), false)),
            TokenSource::Ask => self.ask().await?,
        };
        Ok(Token::new(text, true))
    }

    /// Waits until the token is due, then gets its successor. Failures are reported and tried again; the
    /// error comes when the token has ended without a successor (C19, C20).
    pub(crate) async fn renew(&self, token: &Token) -> Result<Token> {
        let Some(due) = token.due else {
            return std::future::pending().await;
        };
        sleep_until(due).await;
        let mut backoff = Backoff::new(retries());
        loop {
            let error = match self.fetch().await {
                Ok(successor) => return Ok(successor),
                Err(error) => error,
            };
            let retry = Instant::now() + backoff.next(0.0);
            if retry >= token.ends {
                sleep_until(token.ends).await;
                return Err(error);
            }
            tracing::warn!(%error, "token not renewed");
            (self.events)(ListenerEvent::RenewalFailed {
                error: Arc::new(error),
            });
            sleep_until(retry).await;
        }
    }

    async fn ask(&self) -> Result<String> {
        let put = |request| (self.events)(ListenerEvent::TokenNeeded { request });
        match self.question.ask(ANSWER_TIMEOUT, put).await {
            Some(Ok(token)) if token.is_empty() => Err(Error::Token("it is empty".to_owned())),
            Some(Ok(token)) => Ok(token),
            Some(Err(reason)) => Err(Error::Token(reason)),
            None => Err(Error::Token("the token provider did not answer".to_owned())),
        }
    }
}

impl Token {
    fn new(text: String, renewable: bool) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let life = match expires_at(&text) {
            Some(end) => Duration::from_secs(end)
                .saturating_sub(now)
                .min(LONGEST_LIFE),
            None => ASSUMED_LIFE,
        };
        let started = Instant::now();
        let due = renewable.then(|| started + renewal_after(life));
        Self {
            text,
            due,
            ends: started + life,
        }
    }
}

/// At 80 % of the life or 5 minutes before its end, whichever is later.
fn renewal_after(life: Duration) -> Duration {
    let late = life.saturating_sub(LEAD);
    late.max(life.mul_f64(0.8)).max(SHORTEST_LIFE)
}

fn retries() -> Schedule {
    Schedule {
        delays: [1, 2, 5, 10, 30].map(Duration::from_secs).to_vec(),
        jitter: 0.0,
    }
}

/// The application may have to ask an identity service.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const LEAD: Duration = Duration::from_secs(5 * 60);
/// A token that has ended by our clock may be valid by the relay's; it is not renewed in a hot loop.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// Of a token that cannot be read.
const ASSUMED_LIFE: Duration = Duration::from_secs(60 * 60);
/// Keeps the time of renewal representable.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn token(life: u64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        format!("SharedAccessSignature sr=x&sig=x&se={}&skn=x", now + life)
    }

    /// A provider whose questions get these answers in turn, and how many renewals it reported failed.
    fn provider(
        answers: Vec<std::result::Result<String, String>>,
    ) -> (TokenProvider, Arc<Mutex<u32>>) {
        let question = Arc::new(TokenQuestion::new());
        let failures = Arc::new(Mutex::new(0));
        let answers = Mutex::new(answers.into_iter());
        let (asked, counted) = (Arc::clone(&question), Arc::clone(&failures));
        let events: Events = Arc::new(move |event| match event {
            ListenerEvent::TokenNeeded { request } => {
                asked.answer(request, answers.lock().unwrap().next().unwrap());
            }
            ListenerEvent::RenewalFailed { .. } => *counted.lock().unwrap() += 1,
            other => panic!("{other:?}"),
        });
        (
            TokenProvider::new(TokenSource::Ask, question, events),
            failures,
        )
    }

    #[test]
    fn renewal_is_due_at_80_percent_or_5_minutes_before_the_end_c19() {
        let minutes = |life: u64| renewal_after(Duration::from_secs(60 * life)).as_secs();
        assert_eq!(minutes(60), 55 * 60);
        assert_eq!(minutes(20), 16 * 60);
        assert_eq!(minutes(48 * 60), 48 * 60 * 60 - 300);
        assert_eq!(renewal_after(Duration::ZERO), SHORTEST_LIFE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_when_due_c19() {
        let (provider, _) = provider(vec![Ok(token(3600)), Ok(token(7200))]);
        let first = provider.fetch().await.unwrap();
        let started = Instant::now();
        let second = provider.renew(&first).await.unwrap();
        let waited = started.elapsed().as_secs();
        assert!((3298..=3300).contains(&waited), "{waited}");
        assert_ne!(first.text, second.text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_reported_and_tried_again_c20() {
        let failed = || Err("no network".to_owned());
        let (provider, failures) =
            provider(vec![Ok(token(3600)), failed(), failed(), Ok(token(3600))]);
        let first = provider.fetch().await.unwrap();
        provider.renew(&first).await.unwrap();
        assert_eq!(*failures.lock().unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_successor_the_error_comes_when_the_token_ends_c20() {
        let failed = || Err("no network".to_owned());
        let answers = [Ok(token(100))]
            .into_iter()
            .chain((0..10).map(|_| failed()));
        let (provider, failures) = provider(answers.collect());
        let first = provider.fetch().await.unwrap();
        let started = Instant::now();
        let error = provider.renew(&first).await.err().unwrap();
        assert_eq!(error.code(), "HYCO_ERR_TOKEN");
        let waited = started.elapsed().as_secs();
        assert!((98..=100).contains(&waited), "{waited}");
        assert_eq!(*failures.lock().unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_token_is_never_renewed_c19() {
        let events: Events = Arc::new(|event| panic!("{event:?}"));
        let question = Arc::new(TokenQuestion::new());
        let provider = TokenProvider::new(TokenSource::Fixed(token(1)), question, events);
        let first = provider.fetch().await.unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(
            tokio::time::timeout(day, provider.renew(&first))
                .await
                .is_err()
        );
    }
}
