//! What a failure means for a listener: whether to come back, and when.

use std::time::Duration;

use crate::error::Error;

/// What a listener does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It comes back by the schedule.
    Retry,
    /// It comes back now and then: somebody has to do something first.
    RetrySlowly,
    /// No later attempt can succeed (C13).
    Final,
}

/// Judges a failure. After having been online nothing is final: what was right once may become right
/// again, when an entity that a redeployment deleted is there again.
pub(crate) fn judge(error: &Error, was_online: bool, has_source: bool) -> Verdict {
    let is_final = match error {
        Error::EndpointNotFound(_) if was_online => return Verdict::RetrySlowly,
        Error::EndpointNotFound(_) => true,
        Error::InvalidAddress(_) | Error::InvalidHeader(_) | Error::InvalidTls(_) => true,
        // Only a source of the application can give another one.
        Error::Token(_) => !has_source,
        // A bare answer may be that of something on the way, in passing.
        Error::Rejected(refusal) => match refusal.status {
            400 => refusal.is_from_service(),
            status => status == 404,
        },
        _ => false,
    };
    match is_final && !was_online {
        true => Verdict::Final,
        false => Verdict::Retry,
    }
}

/// Whether somebody has to be told at once, since trying again cannot be expected to help.
pub(crate) fn is_fatal(error: &Error, was_online: bool, has_source: bool) -> bool {
    let refused = match error {
        Error::Unauthorized(_) => true,
        Error::Rejected(refusal) => matches!(refusal.status, 400 | 404),
        _ => false,
    };
    !was_online && (refused || judge(error, was_online, has_source) == Verdict::Final)
}

/// Between two attempts at an entity that is not there.
pub(crate) const SLOWLY: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    /// What is known of a refusal with that status and reason, before and after having been online.
    fn judged(status: u16, reason: &str) -> [Verdict; 2] {
        [false, true].map(|was_online| {
            let error = Error::refused(Refusal::new(status, reason.to_owned(), None));
            judge(&error, was_online, true)
        })
    }

    #[test]
    fn an_unknown_entity_is_final_at_first_and_tried_slowly_later_c13() {
        let text = "Endpoint does not exist. TrackingId:a_G1, x";
        assert_eq!(judged(404, text), [Verdict::Final, Verdict::RetrySlowly]);
    }

    #[test]
    fn a_bare_answer_may_pass() {
        assert_eq!(judged(400, "Bad Request"), [Verdict::Retry; 2]);
        assert_eq!(
            judged(400, "Bad action. TrackingId:a_G1, x"),
            [Verdict::Final, Verdict::Retry]
        );
        assert_eq!(judged(404, "Not Found"), [Verdict::Final, Verdict::Retry]);
    }

    #[test]
    fn every_other_status_is_tried_again() {
        for status in (300..600).filter(|status| !matches!(status, 400 | 404)) {
            assert_eq!(judged(status, "x TrackingId:a_G1, x"), [Verdict::Retry; 2]);
        }
    }

    #[test]
    fn a_token_that_no_source_gave_cannot_become_better() {
        let error = || Error::Token("it is empty".to_owned());
        assert_eq!(judge(&error(), false, false), Verdict::Final);
        assert_eq!(judge(&error(), false, true), Verdict::Retry);
        assert!(is_fatal(&error(), false, false) && !is_fatal(&error(), false, true));
    }
}
