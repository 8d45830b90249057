//! The extensions in a listener's dial: what can be an answer to the sender's offer goes to both.
//!
//! What a listener puts into its dial is taken for the server's answer to the sender (docs/protocol.md,
//! 4.2). Many libraries put their own *offer* there by default, which no sender could understand as an
//! answer. An offer is told from an answer by RFC 7692: an answer names only what was offered, once,
//! and its `client_max_window_bits` has a value.

/// The answer that may go to both sides: the listener's text, if all of it can be an answer.
pub(crate) fn answer<'a>(offered: Option<&str>, dialled: &'a str) -> Option<&'a str> {
    let offers = parse(offered.unwrap_or_default());
    let answers = parse(dialled);
    let mut seen: Vec<&str> = Vec::new();
    for answer in &answers {
        if seen
            .iter()
            .any(|name| name.eq_ignore_ascii_case(answer.name))
        {
            return None;
        }
        seen.push(answer.name);
        if !offers.iter().any(|offer| answer.answers(offer)) {
            return None;
        }
    }
    (!answers.is_empty()).then_some(dialled)
}

struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<&'a str>)>,
}

impl Extension<'_> {
    /// Whether this can be the answer to an offer.
    fn answers(&self, offer: &Self) -> bool {
        if !self.name.eq_ignore_ascii_case(offer.name) {
            return false;
        }
        if !self.name.eq_ignore_ascii_case("permessage-deflate") {
            return true;
        }
        let offered = |name: &str| {
            offer
                .parameters
                .iter()
                .any(|(offered, _)| offered.eq_ignore_ascii_case(name))
        };
        let answerable =
            self.parameters
                .iter()
                .all(|&(name, value)| match name.to_ascii_lowercase().as_str() {
                    "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
                    "server_max_window_bits" => is_window(value),
                    "client_max_window_bits" => is_window(value) && offered(name),
                    _ => false,
                });
        // What the sender asks of its server has to be granted.
        answerable
            && ["server_no_context_takeover", "server_max_window_bits"]
                .iter()
                .all(|name| {
                    !offered(name)
                        || self
                            .parameters
                            .iter()
                            .any(|(given, _)| given.eq_ignore_ascii_case(name))
                })
    }
}

fn is_window(value: Option<&str>) -> bool {
    value.is_some_and(|bits| matches!(bits.parse(), Ok(8..=15)))
}

/// Takes a header's value apart. No extension in use has a quoted comma or semicolon.
fn parse(text: &str) -> Vec<Extension<'_>> {
    text.split(',')
        .map(|extension| {
            let mut parts = extension.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let parameters = parts
                .filter(|part| !part.is_empty())
                .map(|part| match part.split_once('=') {
                    Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                    None => (part, None),
                })
                .collect();
            Extension { name, parameters }
        })
        .filter(|extension| !extension.name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::answer;

    const OFFER: &str = "permessage-deflate; client_max_window_bits";

    #[test]
    fn an_offer_is_no_answer() {
        for dialled in [
            OFFER,
            "permessage-deflate; client_max_window_bits, permessage-deflate",
            "permessage-deflate; server_max_window_bits=99",
            "permessage-deflate; colour=blue",
            "x-webkit-deflate-frame",
            "",
        ] {
            assert_eq!(answer(Some(OFFER), dialled), None, "{dialled}");
        }
    }

    #[test]
    fn an_answer_to_the_offer_passes() {
        for dialled in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits=15",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=\"10\"",
            "Permessage-Deflate; server_max_window_bits=8",
        ] {
            assert_eq!(answer(Some(OFFER), dialled), Some(dialled));
        }
        let answered = "permessage-deflate; server_no_context_takeover";
        assert_eq!(answer(Some(answered), answered), Some(answered));
        assert_eq!(answer(Some("x-own; a=1"), "x-own; b"), Some("x-own; b"));
    }

    #[test]
    fn what_the_sender_did_not_offer_is_no_answer() {
        assert_eq!(answer(None, "permessage-deflate"), None);
        assert_eq!(answer(Some("x-own"), "permessage-deflate"), None);
        let sized = "permessage-deflate; client_max_window_bits=15";
        assert_eq!(answer(Some("permessage-deflate"), sized), None);
        let strict = "permessage-deflate; server_no_context_takeover";
        assert_eq!(answer(Some(strict), "permessage-deflate"), None);
    }
}
