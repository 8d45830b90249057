//! Statuses, and the texts that go with them.

use std::borrow::Cow;

use crate::time::timestamp;

/// 404: no hybrid connection has that path.
pub const ENDPOINT_DOES_NOT_EXIST: &str = "Endpoint does not exist.";
/// 404: the hybrid connection exists, and nobody listens.
pub const NO_LISTENERS: &str = "There are no listeners connected for the endpoint.";
/// 404: the sender's wishes exclude every listener.
pub const NO_LISTENER_MEETS_CRITERIA: &str =
    "None of the connected listeners meet the AllowedListeners/DisallowedListeners criteria";
/// 400: a plain HTTP request came to `/$hc`.
pub const WEB_SOCKET_ONLY: &str = "This endpoint is only for web-socket requests";
/// 410: what the relay answers a listener whose rejection it passed on.
pub const GONE: &str = "Gone";
/// 504: no listener met the sender within the time.
pub const ACCEPT_TIMED_OUT: &str =
    "None of the connected listeners accepted the connection within the allowed timeout";
/// 403: an accept address was used before, or is too old.
pub const UNKNOWN_CONNECTION: &str =
    "Unknown Connection ID. Is the listener accepting the connection too late?";
/// 400: a pending sender has the same id.
pub const DUPLICATE_CONNECTION: &str = "Duplicate connection ID.";
/// 403: as many listeners as are allowed are connected.
pub const TOO_MANY_LISTENERS: &str =
    "QuotaExceeded: The maximum number of listeners for the endpoint is connected.";

/// Close code of a regular end.
pub const CLOSE_NORMAL: u16 = 1000;
/// Close code when the hybrid connection or the relay goes away.
pub const CLOSE_GOING_AWAY: u16 = 1001;
/// Close code when a token has expired or its successor is not valid.
pub const CLOSE_POLICY_VIOLATION: u16 = 1008;

/// The reason phrase that belongs to a status; empty where none is registered.
pub fn standard_phrase(status: u16) -> &'static str {
    PHRASES
        .binary_search_by_key(&status, |&(registered, _)| registered)
        .map_or("", |at| PHRASES[at].1)
}

/// A failure as the relay words it in a reason phrase (docs/protocol.md, 1.6).
pub fn error_text(message: &str, tracking_id: &str, system_tracker: &str, now: u64) -> String {
    let time = timestamp(now);
    let text = format!(
        "{message} TrackingId:{tracking_id}, SystemTracker:{system_tracker}, Timestamp:{time}"
    );
    clean_reason(&text).into_owned()
}

/// A text as it may stand in a status line: printable ASCII and blanks.
///
/// Control characters become blanks, other characters question marks; it is cut at 1024 bytes, which
/// no HTTP parser in use refuses.
pub fn clean_reason(text: &str) -> Cow<'_, str> {
    if is_clean_reason(text) && text.len() <= LONGEST_REASON {
        return text.into();
    }
    let clean = |c: char| match c {
        ' '..='~' => c,
        c if c.is_control() => ' ',
        _ => '?',
    };
    text.chars()
        .map(clean)
        .take(LONGEST_REASON)
        .collect::<String>()
        .into()
}

/// A reason phrase as an HTTP message or a command may carry it: control characters become blanks, and
/// letters of any script stay. It is cut at 1024 characters.
pub fn printable_reason(text: &str) -> Cow<'_, str> {
    if is_clean_reason(text) && text.len() <= LONGEST_REASON {
        return text.into();
    }
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let printable = text.chars().map(printable).take(LONGEST_REASON);
    printable.collect::<String>().into()
}

/// Whether a text may be a reason phrase: printable ASCII, blanks and tabs.
pub fn is_clean_reason(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

const LONGEST_REASON: usize = 1024;

/// The statuses registered with IANA, in order.
const PHRASES: [(u16, &str); 62] = [
    (100, "Continue"),
    (101, "Switching Protocols"),
    (102, "Processing"),
    (103, "Early Hints"),
    (200, "OK"),
    (201, "Created"),
    (202, "Accepted"),
    (203, "Non-Authoritative Information"),
    (204, "No Content"),
    (205, "Reset Content"),
    (206, "Partial Content"),
    (207, "Multi-Status"),
    (208, "Already Reported"),
    (226, "IM Used"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Found"),
    (303, "See Other"),
    (304, "Not Modified"),
    (305, "Use Proxy"),
    (307, "Temporary Redirect"),
    (308, "Permanent Redirect"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (412, "Precondition Failed"),
    (413, "Payload Too Large"),
    (414, "URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Range Not Satisfiable"),
    (417, "Expectation Failed"),
    (418, "I'm a Teapot"),
    (421, "Misdirected Request"),
    (422, "Unprocessable Entity"),
    (423, "Locked"),
    (424, "Failed Dependency"),
    (425, "Too Early"),
    (426, "Upgrade Required"),
    (428, "Precondition Required"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (451, "Unavailable For Legal Reasons"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Gateway Timeout"),
    (505, "HTTP Version Not Supported"),
    (506, "Variant Also Negotiates"),
    (507, "Insufficient Storage"),
    (508, "Loop Detected"),
    (510, "Not Extended"),
    (511, "Network Authentication Required"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::extract_tracking_id;

    #[test]
    fn statuses_have_their_standard_phrases() {
        assert!(PHRASES.is_sorted_by_key(|&(status, _)| status));
        assert_eq!(standard_phrase(404), "Not Found");
        assert_eq!(standard_phrase(511), "Network Authentication Required");
        assert_eq!(standard_phrase(299), "");
        assert_eq!(standard_phrase(999), "");
    }

    #[test]
    fn reason_phrases_are_clean_whatever_the_input_e12() {
        let text = error_text(
            "Grüße\r\nX: 1\0",
            "id_G1",
            "sb://ns/h\u{7f}\u{85}",
            1_700_000_000,
        );
        assert_eq!(
            text,
            "Gr??e  X: 1  TrackingId:id_G1, SystemTracker:sb://ns/h  , Timestamp:2023-11-14T22:13:20",
        );
        assert_eq!(extract_tracking_id(&text), Some("id_G1"));
        assert_eq!(clean_reason("plain\ttext"), "plain\ttext");
        assert_eq!(printable_reason("Grüße\r\nX: 1"), "Grüße  X: 1");
        assert_eq!(printable_reason(&"ü".repeat(5000)).chars().count(), 1024);
        assert_eq!(clean_reason(&"x".repeat(5000)).len(), 1024);
    }

    #[test]
    fn an_error_text_has_the_form_of_the_service() {
        assert_eq!(
            error_text(NO_LISTENERS, "g_G13", "sb://ns/hyco", 1_745_492_895),
            "There are no listeners connected for the endpoint. TrackingId:g_G13, \
             SystemTracker:sb://ns/hyco, Timestamp:2025-04-24T11:08:15",
        );
    }
}
