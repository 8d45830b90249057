//! Hiding secrets in texts that are shown or logged.

use crate::{
    encoding::{decode, encode},
    names, query,
};

/// Replaces every secret in a text by `***`: the values of `sb-hc-token` and `sb-hc-sas-key`, signatures
/// of SAS tokens (encoded or not), `SharedAccessKey` of connection strings, passwords in addresses, and
/// JSON Web Tokens.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut shown, mut at) = (0, 0);
    while at < text.len() {
        let Some(secret) = secret_at(text, at) else {
            at += 1;
            continue;
        };
        if !secret.is_empty() {
            out.push_str(&text[shown..secret.start]);
            out.push_str(HIDDEN);
            shown = secret.end;
        }
        at = secret.end;
    }
    out.push_str(&text[shown..]);
    out
}

/// Secrets that are known, to be hidden in texts that come from outside: a peer may echo what it was sent,
/// without a label by which [`redact`] would find it.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// What an address and the headers of a request hold.
    pub fn sent(address: &str, headers: &[(String, String)]) -> Self {
        let mut secrets = Self::default();
        let query = address.split_once('?').map_or("", |(_, query)| query);
        for name in [names::TOKEN, names::SAS_KEY] {
            if let Some(value) = query::parameter(query, name) {
                secrets.add(&value);
            }
        }
        for (name, value) in headers {
            if CREDENTIALS
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
            {
                secrets.add(value);
            }
        }
        secrets
    }

    /// One more secret: a token, or what stands in a header behind a word such as `Bearer`.
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        let last = secret.split_whitespace().next_back().unwrap_or_default();
        let signature = last.split('&').find_map(|field| field.strip_prefix("sig="));
        let parts = [Some(secret), Some(last), signature];
        for part in parts.into_iter().flatten() {
            let spelled = [
                part.to_owned(),
                decode(part),
                encode(part),
                encode(part).replace("%20", "+"),
            ];
            for form in spelled {
                if form.len() >= SHORTEST_SECRET && !self.0.contains(&form) {
                    self.0.push(form);
                }
            }
        }
        // What holds another one is looked for before it.
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// The text without these secrets, and without those that [`redact`] finds.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = replace_ignoring_case(&text, secret);
        }
        redact(&text)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Escapes may be written in either case.
fn replace_ignoring_case(text: &str, secret: &str) -> String {
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for (at, _) in lower.match_indices(&secret) {
        out.push_str(&text[shown..at]);
        out.push_str(HIDDEN);
        shown = at + secret.len();
    }
    out.push_str(&text[shown..]);
    out
}

/// The secret whose label, or which itself, starts at that byte.
fn secret_at(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let bytes = &text.as_bytes()[at..];
    let labelled = LABELS.iter().find(|(label, _)| {
        bytes
            .get(..label.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(label.as_bytes()))
    });
    if let Some((label, ends)) = labelled {
        let start = at + label.len();
        let length = text[start..].find(*ends).unwrap_or(text.len() - start);
        return Some(start..start + length);
    }
    if bytes.starts_with(AUTHORITY_START) {
        return password_at(text, at + AUTHORITY_START.len());
    }
    if !bytes.starts_with(WEB_TOKEN_START) {
        return None;
    }
    // Three parts, the first of which is an encoded JSON object.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = bytes
        .iter()
        .position(|&byte| !is_token(byte))
        .unwrap_or(bytes.len());
    let dots = bytes[..length].iter().filter(|&&byte| byte == b'.').count();
    Some(if dots >= 2 {
        at..at + length
    } else {
        at + length..at + length
    })
}

/// The password in an authority (`user:password@host`) that starts at that byte.
fn password_at(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let end = text[at..]
        .find(AUTHORITY_END)
        .map_or(text.len(), |length| at + length);
    let (user_info, _) = text[at..end].rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    let start = at + user.len() + 1;
    Some(start..start + password.len())
}

/// What stands before a secret, and what ends it.
const LABELS: &[(&str, &[char])] = &[
    ("sb-hc-token=", QUERY_END),
    ("sb-hc-token%3D", QUERY_END),
    ("sb-hc-sas-key=", QUERY_END),
    ("sb-hc-sas-key%3D", QUERY_END),
    ("SharedAccessKey=", &[';', '"', '\'', ' ', '\n', '\r']),
    ("&sig=", QUERY_END),
    (" sig=", QUERY_END),
    ("+sig=", QUERY_END),
    ("%26sig%3D", QUERY_END),
    ("%20sig%3D", QUERY_END),
    ("+sig%3D", QUERY_END),
    ("%2526sig%253D", QUERY_END),
    ("%2520sig%253D", QUERY_END),
    ("%2Bsig%253D", QUERY_END),
];

const QUERY_END: &[char] = &['&', '#', '"', ' ', '\n', '\r', ';', ','];
const AUTHORITY_END: &[char] = &['/', '?', '#', '"', ' ', '\n', '\r', '<', '>'];
const HIDDEN: &str = "***";
const WEB_TOKEN_START: &[u8] = b"eyJ";
const AUTHORITY_START: &[u8] = b"://";
/// Headers whose values are secret.
const CREDENTIALS: [&str; 3] = [
    names::AUTHORIZATION_HEADER,
    "Authorization",
    "Proxy-Authorization",
];
/// Hiding a shorter text would spoil words that have nothing to do with it.
const SHORTEST_SECRET: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_c9() {
        let cases = [
            (
                "wss://ns/$hc/h?sb-hc-token=abc%26&x=1",
                "wss://ns/$hc/h?sb-hc-token=***&x=1",
            ),
            ("?SB-HC-TOKEN=abc#f", "?SB-HC-TOKEN=***#f"),
            (
                "?sb-hc-sas-key-name=n&sb-hc-sas-key=k",
                "?sb-hc-sas-key-name=n&sb-hc-sas-key=***",
            ),
            (
                "SharedAccessSignature sr=a&sig=b%3D&se=1&skn=r",
                "SharedAccessSignature sr=a&sig=***&se=1&skn=r",
            ),
            (
                "SharedAccessSignature sig=b&sr=a",
                "SharedAccessSignature sig=***&sr=a",
            ),
            (
                "Endpoint=sb://ns/;SharedAccessKey=k=;EntityPath=h",
                "Endpoint=sb://ns/;SharedAccessKey=***;EntityPath=h",
            ),
            (
                "t=SharedAccessSignature%20sr%3Da%26sig%3Db",
                "t=SharedAccessSignature%20sr%3Da%26sig%3D***",
            ),
            (
                "t=SharedAccessSignature+sig%3Db%26sr%3Da&x",
                "t=SharedAccessSignature+sig%3D***&x",
            ),
            (
                "SharedAccessSignature+sig=b&sr=a",
                "SharedAccessSignature+sig=***&sr=a",
            ),
            (
                "u=wss%3A%2F%2Fns%2Fh%3Fsb-hc-token%3Dabc&x",
                "u=wss%3A%2F%2Fns%2Fh%3Fsb-hc-token%3D***&x",
            ),
            (
                "t=SharedAccessSignature%2520sig%253Db&x",
                "t=SharedAccessSignature%2520sig%253D***&x",
            ),
            (
                "http://me:pass@word@proxy:8080/x:y@z",
                "http://me:***@proxy:8080/x:y@z",
            ),
            (
                "http://me@host/ and http://host:80/a@b",
                "http://me@host/ and http://host:80/a@b",
            ),
            ("Bearer eyJhbGciOi.eyJleHAi.c2ln, x", "Bearer ***, x"),
            (
                "eyJustAWord and sb-hc-token=",
                "eyJustAWord and sb-hc-token=",
            ),
            ("nothing é to hide", "nothing é to hide"),
        ];
        for (text, shown) in cases {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn what_a_peer_echoes_of_a_token_is_hidden_c9() {
        let token = "SharedAccessSignature sr=http%3a%2f%2fns&sig=aB%2bc%3d&se=1&skn=r";
        let headers = [("servicebusauthorization".to_owned(), token.to_owned())];
        let secrets = Secrets::sent("wss://ns/$hc/h?sb-hc-token=other%20token", &headers);
        for echoed in [
            token.to_owned(),
            encode(token),
            encode(token).to_ascii_lowercase(),
            encode(token).replace("%20", "+"),
            "aB%2Bc%3D".to_owned(),
            "aB+c=".to_owned(),
            "other token".to_owned(),
            "other%20token".to_owned(),
            "other+token".to_owned(),
        ] {
            assert_eq!(
                secrets.hide(&format!("bad <{echoed}>!")),
                "bad <***>!",
                "{echoed}"
            );
        }
        assert_eq!(secrets.hide("sig=x&sig=unknown"), "sig=x&sig=***");
        let mut secrets = Secrets::default();
        secrets.add("Basic dXNlcjpwYXNz");
        secrets.add("Bearer ab");
        assert_eq!(secrets.hide("got dXNlcjpwYXNz, ab"), "got ***, ab");
        assert_eq!(format!("{secrets:?}"), "Secrets(7)");
    }
}
