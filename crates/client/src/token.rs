//! A token as a listener sees it: whether it can be sent, when it ends, when it is due for renewal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyco_protocol::token::expires_at;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// What the application gives when it is asked for a token.
#[derive(Clone, Default)]
pub struct GivenToken {
    /// The token.
    pub text: String,
    /// When it ends, as a time since 1970; without it the token itself is read.
    pub expires_on: Option<Duration>,
    /// From when on its issuer wants it to be renewed, as a time since 1970.
    pub refresh_after: Option<Duration>,
}

impl From<String> for GivenToken {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl std::fmt::Debug for GivenToken {
    /// Leaves out the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenToken")
            .field("expires_on", &self.expires_on)
            .field("refresh_after", &self.refresh_after)
            .finish_non_exhaustive()
    }
}

/// A token that can be sent, and the times that matter for it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Its end as a time since 1970, where it is known.
    expiry: Option<Duration>,
    /// When to have a successor.
    pub(crate) due: Instant,
    /// When it ends; none where that is unknown, or past already by a clock that is ahead.
    pub(crate) ends: Option<Instant>,
}

impl Token {
    /// Looks at what was given; `random` is from 0 to 1 and spreads the renewals of many listeners.
    pub(crate) fn new(given: GivenToken, random: f64) -> Result<Self> {
        let text = sendable(given.text.trim())?.to_owned();
        let expiry = given
            .expires_on
            .or_else(|| expires_at(&text).map(Duration::from_secs));
        let (now, started) = (since_1970(), Instant::now());
        let left = expiry.map(|expiry| expiry.saturating_sub(now).min(LONGEST_LIFE));
        let due = match left {
            Some(left) if !left.is_zero() => {
                let asked_for = given.refresh_after.map(|at| at.saturating_sub(now));
                renewal_after(left, asked_for, random)
            }
            // Our clock is ahead, since the token was made just now: its life is unknown.
            Some(_) => SHORTEST_GUESS,
            None => renewal_after(ASSUMED_LIFE, None, random),
        };
        Ok(Self {
            text,
            expiry,
            due: started + due,
            ends: left
                .filter(|left| !left.is_zero())
                .map(|left| started + left),
        })
    }

    /// Whether it may follow that token on an open channel, where a bad one costs the channel.
    pub(crate) fn check_successor_of(&self, predecessor: &Self) -> Result<()> {
        let refused = |reason: &str| Err(Error::Token(reason.to_owned()));
        match (predecessor.expiry, self.expiry) {
            (Some(_), None) => {
                refused("what was given is neither a SAS token nor a JSON Web Token")
            }
            // One that ends later than its predecessor is good: our clock is ahead.
            (Some(before), Some(expiry)) if self.ends.is_none() && expiry <= before => {
                refused("the token that was given has ended already")
            }
            _ => Ok(()),
        }
    }

    /// How much of its life is left, where that is known.
    pub(crate) fn left(&self) -> Option<Duration> {
        let now = Instant::now();
        Some(self.ends?.saturating_duration_since(now))
    }
}

/// A text that can stand in a header and in a command, or why it cannot.
fn sendable(text: &str) -> Result<&str> {
    let reason = match text {
        "" => "it is empty",
        _ if text.len() > LONGEST => "it is longer than 32 KiB",
        _ if text.starts_with('<') => "it is an HTML or XML document and no token",
        _ if text.chars().any(char::is_control) => "it holds a line break or a control character",
        _ if text.chars().any(|char| u32::from(char) > 0xff) => {
            "it holds a character that no header can hold"
        }
        _ => return Ok(text),
    };
    Err(Error::Token(reason.to_owned()))
}

/// At 80 % of the life or 5 minutes before its end, whichever is later; or when the issuer asks for it,
/// if that is earlier. Up to a twentieth of the life before that, so that many listeners with one token
/// do not renew it at once.
fn renewal_after(life: Duration, asked_for: Option<Duration>, random: f64) -> Duration {
    let usual = life.saturating_sub(LEAD).max(life.mul_f64(0.8));
    let spread = life.mul_f64(SPREAD * random.clamp(0.0, 1.0));
    let due = asked_for.map_or(usual, |asked_for| usual.min(asked_for));
    due.saturating_sub(spread)
        .max(life.mul_f64(SPREAD))
        .max(SOONEST)
}

pub(crate) fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

/// A command is 64 KiB at most, and JSON may double a text.
const LONGEST: usize = 32 * 1024;
const LEAD: Duration = Duration::from_secs(5 * 60);
const SPREAD: f64 = 0.05;
/// No renewal comes sooner: a source that gives tokens of no life is not asked in a hot loop.
const SOONEST: Duration = Duration::from_secs(1);
/// Of a token that cannot be read.
const ASSUMED_LIFE: Duration = Duration::from_secs(60 * 60);
/// Microsoft's clients renew no sooner either (docs/protocol.md, 3.6).
const SHORTEST_GUESS: Duration = Duration::from_secs(4 * 60);
/// Keeps the time of renewal representable.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn sas(ends_in: i64) -> String {
        let end = since_1970().as_secs().saturating_add_signed(ends_in);
        format!("SharedAccessSignature sr=x&sig=x&se={end}&skn=x")
    }

    fn token(text: impl Into<String>) -> Result<Token> {
        Token::new(GivenToken::from(text.into()), 0.0)
    }

    #[test]
    fn renewal_is_due_at_80_percent_or_5_minutes_before_the_end_c19() {
        let due = |life: u64| renewal_after(Duration::from_secs(life), None, 0.0).as_secs();
        assert_eq!(due(60 * 60), 55 * 60);
        assert_eq!(due(20 * 60), 16 * 60);
        assert_eq!(due(48 * 60 * 60), 48 * 60 * 60 - 300);
        assert_eq!(due(0), 1);
    }

    #[test]
    fn renewals_are_spread_over_a_twentieth_of_the_life() {
        let hour = Duration::from_secs(3600);
        assert_eq!(renewal_after(hour, None, 1.0).as_secs(), 3300 - 180);
        assert_eq!(renewal_after(hour, None, 0.5).as_secs(), 3300 - 90);
    }

    #[test]
    fn the_issuer_may_ask_for_an_earlier_renewal_and_not_for_a_later_one() {
        let hour = Duration::from_secs(3600);
        let after = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(renewal_after(hour, after(1800), 0.0).as_secs(), 1800);
        assert_eq!(renewal_after(hour, after(3599), 0.0).as_secs(), 3300);
        assert_eq!(renewal_after(hour, after(0), 0.0).as_secs(), 180);
    }

    #[test]
    fn what_cannot_be_sent_is_an_error_of_the_token_and_white_space_is_cut_off() {
        let cases = [
            "",
            " \r\n",
            "a\r\nb",
            "a\0b",
            "a\u{7f}b",
            "日本",
            "<!DOCTYPE html>",
        ];
        for text in cases {
            let error = token(text).err().unwrap();
            assert_eq!(error.code(), "HYCO_ERR_TOKEN", "{text:?}");
        }
        assert!(token("x".repeat(LONGEST + 1)).is_err());
        assert_eq!(token("\n t\u{e9} \r\n").unwrap().text, "t\u{e9}");
    }

    #[test]
    fn the_times_that_come_with_a_token_count_more_than_what_it_says() {
        let given = GivenToken {
            text: sas(60),
            expires_on: Some(since_1970() + Duration::from_secs(3600)),
            refresh_after: Some(since_1970() + Duration::from_secs(1800)),
        };
        let token = Token::new(given, 0.0).unwrap();
        let left = token.left().unwrap().as_secs();
        assert!((3540..=3600).contains(&left), "{left}");
        let due = (token.due - Instant::now()).as_secs();
        assert!((1740..=1800).contains(&due), "{due}");
    }

    #[test]
    fn a_successor_must_be_readable_and_not_have_ended() {
        let first = token(sas(60)).unwrap();
        assert!(token(sas(3600)).unwrap().check_successor_of(&first).is_ok());
        for bad in [sas(-5), "sorry".to_owned()] {
            let error = token(bad).unwrap().check_successor_of(&first).unwrap_err();
            assert_eq!(error.code(), "HYCO_ERR_TOKEN");
        }
        let opaque = token("opaque").unwrap();
        assert!(token("other").unwrap().check_successor_of(&opaque).is_ok());
    }

    #[test]
    fn with_a_clock_that_is_ahead_tokens_are_renewed_every_4_minutes() {
        let first = token(sas(-7200)).unwrap();
        assert!(first.ends.is_none());
        let due = first.due - Instant::now();
        assert!(due > SHORTEST_GUESS - Duration::from_secs(60), "{due:?}");
        let second = token(sas(-3600)).unwrap();
        assert!(second.check_successor_of(&first).is_ok());
    }
}
