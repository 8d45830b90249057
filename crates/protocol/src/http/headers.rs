//! Which headers cross the relay, and what may stand in one.

use super::BadRequest;
use crate::command::Headers;

/// The headers without those that belong to one connection: `Connection` and what it names,
/// `Content-Length`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`
/// and `Close` (docs/protocol.md, 5.3).
pub fn without_hop_by_hop(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    let hop_by_hop = HopByHop::of(headers);
    headers
        .0
        .iter()
        .filter(move |(name, _)| !hop_by_hop.has(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The headers of one message that belong to its connection.
pub(super) struct HopByHop {
    /// What `Connection` names beside those that always do, so most often nothing.
    named: Vec<String>,
}

impl HopByHop {
    pub(super) fn of(headers: &Headers) -> Self {
        let values = headers
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim);
        let named =
            values.filter(|word| !contains(&HOP_BY_HOP, word) && !contains(&END_TO_END, word));
        Self {
            named: named.map(ToOwned::to_owned).collect(),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        contains(&HOP_BY_HOP, name)
            || self
                .named
                .iter()
                .any(|word| word.eq_ignore_ascii_case(name))
    }
}

/// Whether the text is a token, which a method and the name of a header must be (RFC 9110, 5.6.2).
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

pub(super) fn contains(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Says what is wrong with the headers that a relay tells of a sender, if anything is: a program takes
/// them for what came over HTTP.
pub fn check_headers(headers: &Headers) -> Result<(), BadRequest> {
    for (name, value) in &headers.0 {
        if !is_token(name) {
            return Err(BAD_NAME);
        }
        if value.chars().any(breaks_line) {
            return Err(BAD_VALUE);
        }
    }
    Ok(())
}

/// What would end or garble the line of a header.
fn breaks_line(c: char) -> bool {
    c.is_ascii_control() && c != '\t'
}

/// Appends the value of a header as the bytes of a message: Latin-1 where it can be, as Node and .NET
/// read them, else UTF-8. False if it holds what would end or garble its line.
pub(super) fn append_value(out: &mut Vec<u8>, value: &str) -> bool {
    let value = value.trim_matches([' ', '\t']);
    if value.chars().any(breaks_line) {
        return false;
    }
    if value.is_ascii() || value.chars().any(|c| c > '\u{ff}') {
        out.extend_from_slice(value.as_bytes());
    } else {
        out.extend(value.chars().map(|c| c as u8));
    }
    true
}

pub(super) const BAD_NAME: BadRequest = BadRequest {
    status: 400,
    reason: "the name of a header is not a token",
};
pub(super) const BAD_VALUE: BadRequest = BadRequest {
    status: 400,
    reason: "the value of a header holds a control character",
};

const HOP_BY_HOP: [&str; 9] = [
    "close",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What `Connection` cannot take away: without these the request would be another one.
const END_TO_END: [&str; 4] = ["authorization", "cookie", "host", "set-cookie"];
