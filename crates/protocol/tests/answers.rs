//! What HTTP servers write, as it comes: docs/protocol.md, 5.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hyco_protocol::http::{AnswerParser, AnswerSink, Malformed, ResponseHead};
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    head: Option<ResponseHead>,
    body: Vec<u8>,
}

impl AnswerSink for Seen {
    fn head(&mut self, head: ResponseHead) {
        assert!(self.head.is_none(), "two heads");
        self.head = Some(head);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }
}

/// Reads an answer in pieces of that size; gives what was seen, and what lay behind.
fn read(
    method: &str,
    bytes: &[u8],
    piece: usize,
) -> Result<(Seen, Vec<u8>, AnswerParser), Malformed> {
    let (mut parser, mut seen) = (AnswerParser::new(method), Seen::default());
    let mut behind = Vec::new();
    for part in bytes.chunks(piece) {
        behind.extend_from_slice(parser.feed(part, &mut seen)?);
    }
    parser.finish()?;
    Ok((seen, behind, parser))
}

fn body(method: &str, text: &str) -> (u16, String, bool) {
    let mut found = None;
    for piece in [1, 2, 7, text.len()] {
        let (seen, _, parser) = read(method, text.as_bytes(), piece).unwrap();
        let status = seen.head.unwrap().status;
        let now = (
            status,
            String::from_utf8(seen.body).unwrap(),
            parser.keeps_alive(),
        );
        assert_eq!(
            *found.get_or_insert_with(|| now.clone()),
            now,
            "pieces of {piece}"
        );
    }
    found.unwrap()
}

#[test]
fn a_body_ends_by_its_length_its_chunks_or_the_connection() {
    let answers = [
        ("Content-Length: 5\r\n\r\nhello", "hello", true),
        ("Content-Length: 0\r\n\r\n", "", true),
        (
            "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            "hello",
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
            "0123456789",
            true,
        ),
        (
            "Connection: close\r\nContent-Length: 2\r\n\r\nok",
            "ok",
            false,
        ),
        ("X: 1\r\n\r\nuntil the end", "until the end", false),
    ];
    for (rest, expected, keeps_alive) in answers {
        let found = body("GET", &format!("HTTP/1.1 200 OK\r\n{rest}"));
        assert_eq!(found, (200, expected.to_owned(), keeps_alive), "{rest}");
    }
}

#[test]
fn a_connection_is_kept_only_where_that_is_agreed_and_nothing_lies_behind() {
    let answers = [
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
            true,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokH", false),
        ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1", false),
    ];
    for (text, keeps_alive) in answers {
        for piece in [1, 7, text.len()] {
            let (_, _, parser) = read("GET", text.as_bytes(), piece).unwrap();
            assert_eq!(parser.keeps_alive(), keeps_alive, "{text}, {piece}");
        }
    }
}

#[test]
fn an_answer_is_untouched_until_its_first_byte() {
    let (mut parser, mut seen) = (AnswerParser::new("GET"), Seen::default());
    parser.feed(b"", &mut seen).unwrap();
    assert!(parser.is_untouched());
    parser.feed(b"H", &mut seen).unwrap();
    assert!(!parser.is_untouched());
}

#[test]
fn interim_answers_are_skipped_and_some_answers_have_no_body() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let found = body(
        "GET",
        &format!("{early}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    );
    assert_eq!(found, (200, "x".to_owned(), true));
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let answer = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(
            body(method, &answer),
            (status, String::new(), true),
            "{method} {status}"
        );
    }
}

#[test]
fn what_lies_behind_an_upgrade_is_given_back() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi";
    let (seen, behind, parser) = read("GET", answer, answer.len()).unwrap();
    assert_eq!(seen.head.unwrap().status, 101);
    assert_eq!(behind, b"\x81\x02hi");
    assert!(parser.is_upgraded());
}

#[test]
fn a_reason_in_latin_letters_stays() {
    let answers: [(&[u8], &str); 4] = [
        (
            b"HTTP/1.1 503 Caf\xe9 zu\r\nContent-Length: 0\r\n\r\n",
            "Caf\u{e9} zu",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "OK"),
        (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
    ];
    for (answer, reason) in answers {
        let (seen, ..) = read("GET", answer, answer.len()).unwrap();
        assert_eq!(seen.head.unwrap().reason, reason);
    }
}

#[test]
fn what_is_no_answer_is_malformed() {
    for text in [
        "",
        "SMTP hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 099 Early\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
    ] {
        for piece in [1, 3, text.len().max(1)] {
            assert!(read("GET", text.as_bytes(), piece).is_err(), "{text:?}");
        }
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(300_000));
    let (mut parser, mut seen) = (AnswerParser::new("GET"), Seen::default());
    assert!(
        parser.feed(long.as_bytes(), &mut seen).is_err(),
        "it is not kept"
    );
}

#[test]
fn what_is_left_of_a_body_is_known_by_its_length_alone() {
    let left = |text: &str| {
        let mut parser = AnswerParser::new("GET");
        parser.feed(text.as_bytes(), &mut Seen::default()).unwrap();
        parser.body_left()
    };
    assert_eq!(left("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n"), None);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n";
    assert_eq!(left(head), Some(70_000));
    assert_eq!(left(&format!("{head}abc")), Some(69_997));
    assert_eq!(left("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"), None);
    assert_eq!(left("HTTP/1.1 200 OK\r\n\r\na"), None);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    assert_eq!(left(chunked), None);
}

proptest! {
    /// The pieces in which an answer comes are those of the network, and mean nothing.
    #[test]
    fn pieces_make_no_difference(
        head in "HTTP/1\\.1 (200|404|204|101|103) OK\r\n(Content-Length: [0-9]\r\n)?(Transfer-Encoding: chunked\r\n)?(X: [a-z]{0,5}\r\n)?\r\n",
        rest in prop::collection::vec(prop_oneof![Just(b'0'), Just(b'3'), Just(b'\r'), Just(b'\n'), Just(b'x')], 0..40),
        piece in 1usize..9,
    ) {
        let bytes = [head.as_bytes(), &rest].concat();
        let whole = read("GET", &bytes, bytes.len());
        let pieces = read("GET", &bytes, piece);
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => prop_assert_eq!((whole.0, whole.1), (pieces.0, pieces.1)),
            (whole, pieces) => prop_assert_eq!(whole.is_err(), pieces.is_err()),
        }
    }
}

#[test]
fn a_body_is_passed_over_only_within_its_length() {
    let head_of = |headers: &str| {
        let (mut parser, mut seen) = (AnswerParser::new("GET"), Seen::default());
        let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        assert!(!parser.pass_over(1), "that is no body");
        assert_eq!(parser.feed(head.as_bytes(), &mut seen), Ok(&b""[..]));
        parser
    };
    let mut parser = head_of("Content-Length: 10\r\n");
    assert!(!parser.pass_over(11));
    assert!(parser.pass_over(4));
    assert_eq!(parser.body_left(), Some(6));
    assert!(!parser.pass_over(7));
    assert!(parser.pass_over(6) && parser.is_done());
    assert!(!parser.pass_over(1), "it is over");

    let mut parser = head_of("Transfer-Encoding: chunked\r\n");
    let mut seen = Seen::default();
    assert!(!parser.pass_over(1), "its length is not known yet");
    parser.feed(b"a\r\n", &mut seen).unwrap();
    assert!(!parser.pass_over(11));
    assert!(parser.pass_over(4) && parser.pass_over(6));
    assert!(!parser.pass_over(1), "a line break follows");
    assert_eq!(parser.feed(b"\r\n0\r\n\r\n", &mut seen), Ok(&b""[..]));
    assert!(parser.is_done());

    let mut parser = head_of("");
    assert!(parser.pass_over(1 << 40) && !parser.is_done());
    parser.finish().unwrap();
    assert!(parser.is_done());
}
