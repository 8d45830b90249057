//! Which headers cross the relay, and what may stand in one.

use crate::command::Headers;

/// The headers without those that belong to one connection: `Connection` and what it names,
/// `Content-Length`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`
/// and `Close` (docs/protocol.md, 5.3).
pub fn without_hop_by_hop(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    let named: Vec<&str> = headers
        .0
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .filter(|word| {
            !END_TO_END
                .iter()
                .any(|name| name.eq_ignore_ascii_case(word))
        })
        .collect();
    headers
        .0
        .iter()
        .filter(move |(name, _)| {
            !contains(&HOP_BY_HOP, name)
                && !named.iter().any(|word| word.eq_ignore_ascii_case(name))
        })
        .map(|(name, value)| (name.as_str(), value.as_str()))
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

/// Appends the value of a header as the bytes of a message: Latin-1 where it can be, as Node and .NET
/// read them, else UTF-8. False if it holds what would end or garble its line.
pub(super) fn append_value(out: &mut Vec<u8>, value: &str) -> bool {
    let value = value.trim_matches([' ', '\t']);
    let breaks = |c: char| c.is_ascii_control() && c != '\t';
    if value.chars().any(breaks) {
        return false;
    }
    if value.is_ascii() || value.chars().any(|c| c > '\u{ff}') {
        out.extend_from_slice(value.as_bytes());
    } else {
        out.extend(value.chars().map(|c| c as u8));
    }
    true
}

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
