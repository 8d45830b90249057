//! The answer of an HTTP server, as the relay takes it.

use super::headers::HopByHop;
use crate::{
    command::{Headers, Response},
    status::printable_reason,
};

/// The head of a server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status.
    pub status: u16,
    /// The reason phrase; empty means the standard one.
    pub reason: String,
    /// All headers, in order.
    pub headers: Headers,
}

/// How several cookies travel in an object, which cannot repeat a name (docs/protocol.md, 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cookies {
    /// Each under the same name in other letters: `Set-Cookie`, `set-cookie`, `sEt-cookie` …
    #[default]
    Variants,
    /// As an array of strings, which only a relay that knows it reads.
    Array,
    /// Only the first, as `hyco-https` does.
    First,
}

impl ResponseHead {
    /// The command that answers the request of that id.
    pub fn into_command(self, request_id: &str, cookies: Cookies, body: bool) -> Response {
        let hop_by_hop = HopByHop::of(&self.headers);
        let mut headers = self.headers;
        let mut count = 0;
        headers.0.retain_mut(|(name, _)| {
            if hop_by_hop.has(name) {
                return false;
            }
            if !name.eq_ignore_ascii_case(SET_COOKIE) {
                return true;
            }
            *name = match cookies {
                Cookies::First if count > 0 => return false,
                Cookies::Variants if count >= SPELLINGS => return false,
                Cookies::Variants => spelling(count),
                Cookies::Array | Cookies::First => SET_COOKIE.to_owned(),
            };
            count += 1;
            true
        });
        let reason = printable_reason(self.reason.trim());
        Response {
            request_id: request_id.to_owned(),
            status_code: self.status,
            status_description: (!reason.is_empty()).then(|| reason.into_owned()),
            response_headers: headers,
            body,
        }
    }
}

/// Whether an answer with that status to that method has no body, whatever its headers say.
pub fn has_no_body(method: &str, status: u16) -> bool {
    method.eq_ignore_ascii_case("HEAD") || matches!(status, 100..=199 | 204 | 304)
}

/// The name in its usual capitals, then in small letters, then with the bits of the number as capitals.
fn spelling(number: usize) -> String {
    let capitals = match number {
        0 => FIRST_SPELLING,
        // The bits of the first spelling are skipped, so that none comes twice.
        number => number - usize::from(number <= FIRST_SPELLING),
    };
    let mut bit = 0;
    let letter = |c: char| {
        if !c.is_ascii_alphabetic() {
            return c;
        }
        bit += 1;
        match capitals >> (bit - 1) & 1 {
            1 => c.to_ascii_uppercase(),
            _ => c.to_ascii_lowercase(),
        }
    };
    SET_COOKIE.chars().map(letter).collect()
}

pub(crate) const SET_COOKIE: &str = "Set-Cookie";
/// `S` is the first letter, `C` the fourth.
const FIRST_SPELLING: usize = 0b1001;
/// Nine letters, each in two forms.
const SPELLINGS: usize = 512;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cookie_has_a_spelling_of_its_own_c49() {
        let all: HashSet<String> = (0..SPELLINGS).map(spelling).collect();
        assert_eq!(all.len(), SPELLINGS);
        assert_eq!(spelling(0), "Set-Cookie");
        assert_eq!(spelling(1), "set-cookie");
        assert!(all.iter().all(|name| name.eq_ignore_ascii_case(SET_COOKIE)));
    }
}
