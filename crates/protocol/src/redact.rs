//! Hiding secrets in texts that are shown or logged.

/// Replaces every secret in a text by `***`: the values of `sb-hc-token` and `sb-hc-sas-key`, signatures
/// of SAS tokens (encoded or not), `SharedAccessKey` of connection strings, and JSON Web Tokens.
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

/// What stands before a secret, and what ends it.
const LABELS: [(&str, &[char]); 8] = [
    ("sb-hc-token=", QUERY_END),
    ("sb-hc-sas-key=", QUERY_END),
    ("SharedAccessKey=", &[';', '"', '\'', ' ', '\n', '\r']),
    ("&sig=", QUERY_END),
    (" sig=", QUERY_END),
    ("%26sig%3D", QUERY_END),
    ("%20sig%3D", QUERY_END),
    ("+sig%3D", QUERY_END),
];

const QUERY_END: &[char] = &['&', '#', '"', ' ', '\n', '\r', ';', ','];
const HIDDEN: &str = "***";
const WEB_TOKEN_START: &[u8] = b"eyJ";

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
}
