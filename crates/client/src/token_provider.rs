//! Where a listener's tokens come from, and how they are renewed (docs/protocol.md, 3.6).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyco_protocol::token::sign_canonical;
use tokio::time::{Instant, sleep_until};

use crate::{
    error::{Error, Result},
    event::{Events, ListenerEvent},
    options::TokenSource,
    question::Question,
    random::fraction,
    token::{GivenToken, Token, since_1970},
};

/// What the application answers when it is asked for a token.
pub(crate) type TokenQuestion = Question<std::result::Result<GivenToken, String>>;

/// Yields tokens.
pub(crate) struct TokenProvider {
    source: TokenSource,
    question: Arc<TokenQuestion>,
    events: Events,
    /// That a fixed token ends was told.
    end_told: AtomicBool,
}

impl TokenProvider {
    pub(crate) fn new(source: TokenSource, question: Arc<TokenQuestion>, events: Events) -> Self {
        Self {
            source,
            question,
            events,
            end_told: AtomicBool::new(false),
        }
    }

    /// A token, within that time.
    pub(crate) async fn fetch(&self, deadline: Duration) -> Result<Token> {
        let given = match &self.source {
            TokenSource::Fixed(token) => token.clone().into(),
            TokenSource::Key { uri, rule, key } => {
                let end = since_1970().as_secs() + SIGNED_LIFE;
                sign_canonical(uri, rule, key, end)
                    .map_err(|error| Error::Token(error.to_string()))?
                    .into()
            }
            TokenSource::Ask => self.ask(deadline).await?,
        };
        Token::new(given, fraction())
    }

    /// Waits until the token is due, then gets its successor. Failures are reported and tried again; the
    /// error comes when the token has ended without a successor (C19, C20).
    pub(crate) async fn renew(&self, token: &Token) -> Result<Token> {
        sleep_until(token.due).await;
        if let TokenSource::Fixed(_) = self.source {
            if let Some(left) = token.left()
                && !self.end_told.swap(true, Ordering::Relaxed)
            {
                (self.events)(ListenerEvent::TokenExpiring { left });
            }
            return std::future::pending().await;
        }
        loop {
            let failure = match self.fetch(answer_timeout(token.left())).await {
                // Its source keeps it for a while yet, as those of Azure do.
                Ok(same) if same.text == token.text => None,
                Ok(successor) => match successor.check_successor_of(token) {
                    Ok(()) => return Ok(successor),
                    Err(error) => Some(error),
                },
                Err(error) => Some(error),
            };
            let retry = Instant::now() + retry_after(token.left());
            if let Some(end) = token.ends
                && retry >= end
            {
                sleep_until(end).await;
                let unchanged = || Error::Token("the token that was given has ended".to_owned());
                return Err(failure.unwrap_or_else(unchanged));
            }
            if let Some(error) = failure {
                tracing::warn!(%error, "token not renewed");
                let error = Arc::new(error);
                (self.events)(ListenerEvent::RenewalFailed { error });
            }
            sleep_until(retry).await;
        }
    }

    async fn ask(&self, deadline: Duration) -> Result<GivenToken> {
        let put = |request| (self.events)(ListenerEvent::TokenNeeded { request });
        match self.question.ask(deadline, put).await {
            Some(Ok(given)) => Ok(given),
            Some(Err(reason)) => Err(Error::Token(hyco_protocol::redact(&reason))),
            None => Err(Error::Token(format!(
                "the token provider did not answer within {} ms",
                deadline.as_millis()
            ))),
        }
    }
}

/// A tenth of the life that is left, so that there are many tries whether it is long or short.
fn retry_after(left: Option<Duration>) -> Duration {
    left.map_or(LONGEST_RETRY, |left| left / 10)
        .clamp(SHORTEST_RETRY, LONGEST_RETRY)
}

/// Half of the life that is left, so that one try that hangs leaves time for another.
fn answer_timeout(left: Option<Duration>) -> Duration {
    left.map_or(ANSWER_TIMEOUT, |left| left / 2)
        .clamp(SHORTEST_RETRY, ANSWER_TIMEOUT)
}

/// Seconds that a token lives which is signed here; it is renewed well before its end.
const SIGNED_LIFE: u64 = 60 * 60;
/// The application may have to ask an identity service.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const SHORTEST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn token(life: u64) -> String {
        let end = since_1970().as_secs() + life;
        format!("SharedAccessSignature sr=x&sig=x&se={end}&skn=x")
    }

    /// A provider whose questions get these answers in turn, and how many renewals it reported failed.
    fn provider(
        answers: impl IntoIterator<Item = std::result::Result<String, String>>,
    ) -> (TokenProvider, Arc<Mutex<u32>>) {
        let question = Arc::new(TokenQuestion::new());
        let failures = Arc::new(Mutex::new(0));
        let answers = Mutex::new(answers.into_iter().collect::<Vec<_>>().into_iter());
        let (asked, counted) = (Arc::clone(&question), Arc::clone(&failures));
        let events: Events = Arc::new(move |event| match event {
            ListenerEvent::TokenNeeded { request } => {
                // Without an answer left the source hangs.
                if let Some(answer) = answers.lock().unwrap().next() {
                    asked.answer(request, answer.map(GivenToken::from));
                }
            }
            ListenerEvent::RenewalFailed { .. } => *counted.lock().unwrap() += 1,
            other => panic!("{other:?}"),
        });
        let provider = TokenProvider::new(TokenSource::Ask, question, events);
        (provider, failures)
    }

    async fn fetch(provider: &TokenProvider) -> Result<Token> {
        provider.fetch(ANSWER_TIMEOUT).await
    }

    fn failed() -> std::result::Result<String, String> {
        Err("no network".to_owned())
    }

    // The clock of the machine runs on in paused time, and a token's end is a whole second of it: what is
    // asserted about its life leaves room for a test that waits for its turn.

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_when_due_c19() {
        let (provider, _) = provider([Ok(token(3600)), Ok(token(7200))]);
        let first = fetch(&provider).await.unwrap();
        let started = Instant::now();
        let second = provider.renew(&first).await.unwrap();
        let waited = started.elapsed().as_secs();
        assert!((3060..=3300).contains(&waited), "{waited}");
        assert_ne!(first.text, second.text);
    }

    #[tokio::test(start_paused = true)]
    async fn renewals_of_many_listeners_with_one_token_are_spread() {
        let text = token(3600);
        let mut dues = Vec::new();
        for _ in 0..12 {
            let (provider, _) = provider([Ok(text.clone())]);
            dues.push(fetch(&provider).await.unwrap().due);
        }
        let (first, last) = (dues.iter().min().unwrap(), dues.iter().max().unwrap());
        let spread = last.duration_since(*first);
        assert!(spread > Duration::from_secs(10), "{spread:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_reported_and_tried_again_c20() {
        let answers = [Ok(token(3600)), failed(), failed(), Ok(token(7200))];
        let (provider, failures) = provider(answers);
        let first = fetch(&provider).await.unwrap();
        provider.renew(&first).await.unwrap();
        assert_eq!(*failures.lock().unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_good_token_is_reported_and_asked_for_again_c20() {
        let ended = token(0);
        let answers = [
            Ok(token(3600)),
            Ok("<html>Sign in</html>".to_owned()),
            Ok("unreadable".to_owned()),
            Ok(ended),
            Ok("a\nb".to_owned()),
            Ok(token(7200)),
        ];
        let good = answers[5].clone().unwrap();
        let (provider, failures) = provider(answers);
        let first = fetch(&provider).await.unwrap();
        assert_eq!(provider.renew(&first).await.unwrap().text, good);
        assert_eq!(*failures.lock().unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_token_is_no_renewal_and_no_failure() {
        let same = token(3600);
        let answers = [
            Ok(same.clone()),
            Ok(same.clone()),
            Ok(same),
            Ok(token(7200)),
        ];
        let (provider, failures) = provider(answers);
        let first = fetch(&provider).await.unwrap();
        let second = provider.renew(&first).await.unwrap();
        assert_ne!(first.text, second.text);
        assert_eq!(*failures.lock().unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_hangs_is_asked_again_before_the_token_ends() {
        let (provider, failures) = provider([Ok(token(600))]);
        let first = fetch(&provider).await.unwrap();
        let started = Instant::now();
        let error = provider.renew(&first).await.err().unwrap();
        assert!(error.to_string().contains("did not answer"), "{error}");
        let waited = started.elapsed().as_secs();
        assert!((540..=601).contains(&waited), "{waited}");
        let failures = *failures.lock().unwrap();
        assert!((2..=10).contains(&failures), "{failures}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_successor_the_error_comes_when_the_token_ends_c20() {
        let (provider, failures) = provider(
            [Ok(token(100))]
                .into_iter()
                .chain((0..99).map(|_| failed())),
        );
        let first = fetch(&provider).await.unwrap();
        let started = Instant::now();
        let error = provider.renew(&first).await.err().unwrap();
        assert_eq!(error.code(), "HYCO_ERR_TOKEN");
        let waited = started.elapsed().as_secs();
        assert!((70..=100).contains(&waited), "{waited}");
        // Pauses shrink with the life that is left, down to a second.
        let failures = *failures.lock().unwrap();
        assert!((8..=25).contains(&failures), "{failures}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_token_is_never_renewed_and_its_end_is_told_once_c19() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let events: Events = Arc::new(move |event| match event {
            ListenerEvent::TokenExpiring { left } => tells.lock().unwrap().push(left.as_secs()),
            other => panic!("{other:?}"),
        });
        let question = Arc::new(TokenQuestion::new());
        let provider = TokenProvider::new(TokenSource::Fixed(token(3600)), question, events);
        let first = fetch(&provider).await.unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        let renewed = tokio::time::timeout(day, provider.renew(&first)).await;
        assert!(renewed.is_err());
        let told = told.lock().unwrap();
        assert!(
            told.len() == 1 && (298..=480).contains(&told[0]),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn a_key_signs_without_the_application() {
        let events: Events = Arc::new(|event| panic!("{event:?}"));
        let source = TokenSource::Key {
            uri: "ws://localhost:9400/$hc/hyco?sb-hc-action=listen".to_owned(),
            rule: "rule".to_owned(),
            key: "key".to_owned(),
        };
        assert!(!format!("{source:?}").contains("key\""));
        let provider = TokenProvider::new(source, Arc::new(TokenQuestion::new()), events);
        let token = fetch(&provider).await.unwrap();
        let sas = hyco_protocol::token::SasToken::parse(&token.text).unwrap();
        assert!(sas.is_signed_with("key"));
        assert_eq!(sas.audience(), "http://localhost/hyco/");
        let left = token.left().unwrap().as_secs();
        assert!((3540..=3600).contains(&left), "{left}");
    }
}
