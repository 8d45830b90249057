//! Whatever an HTTP server writes: it is read alike in whatever pieces it comes, and a body is never
//! longer than what was written.
#![no_main]

use hyco_protocol::http::{AnswerParser, AnswerSink, ResponseHead};
use libfuzzer_sys::fuzz_target;

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
        assert!(self.head.is_some(), "a body before its head");
        self.body.extend_from_slice(bytes);
    }
}

// The first byte says how the rest is cut, and to which method it is the answer.
fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    let method = if how & 0x80 == 0 { "GET" } else { "HEAD" };
    let piece = usize::from(how & 0x7f).max(1);
    let whole = read(method, [bytes]);
    let pieces = read(method, bytes.chunks(piece));
    // A malformed answer is found as soon as it can be, so only what was good has to be alike.
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
        assert!(whole.0.body.len() <= bytes.len());
    }
});

/// What was read, whether it was whole, and whether it ended in an upgrade; none if it is malformed.
fn read<'b>(
    method: &str,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Option<(Seen, bool, bool)> {
    let (mut parser, mut seen) = (AnswerParser::new(method), Seen::default());
    for piece in pieces {
        let rest = parser.feed(piece, &mut seen).ok()?;
        if parser.is_done() || parser.is_upgraded() {
            break;
        }
        assert!(rest.is_empty(), "something is left although more is wanted");
    }
    let is_upgraded = parser.is_upgraded();
    let is_whole = parser.finish().is_ok();
    Some((seen, is_whole, is_upgraded))
}
