//! Any relayed request: the head for an HTTP server has the lines that it should have, and no others.
#![no_main]

use hyco_protocol::http::{Framing, RequestHead, upgrade_head};
use hyco_protocol::{FullRequest, Headers};
use libfuzzer_sys::fuzz_target;

/// Parts of the input are set apart by this, since they may hold all that a line must not.
const SEPARATOR: char = '\u{1f}';

fuzz_target!(|text: &str| {
    let mut parts = text.split(SEPARATOR).map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (method, request_target, strip) = (next(), next(), next());
    let framing = match next().len() {
        0 => Framing::Empty,
        1 => Framing::Chunked,
        length => Framing::Length(length),
    };
    let rest: Vec<String> = parts.collect();
    let headers: Vec<(String, String)> = rest
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    let given = headers.len();
    let request = FullRequest {
        address: String::new(),
        id: "1".to_owned(),
        request_target,
        method,
        remote_endpoint: None,
        request_headers: Headers(headers),
        body: false,
    };
    let shown = RequestHead {
        framing,
        host: "contoso.servicebus.windows.net",
        replace_host: false,
        connection: "close",
        strip: &strip,
    };
    if let Ok(head) = shown.write(&request) {
        check(&head, given + 4);
    }
    let target = &request.request_target;
    if let Ok(head) = upgrade_head(target, &request.request_headers, &shown) {
        check(&head, given + 4);
    }
});

/// An HTTP parser that is not ours reads one head, to its last byte, with one `Host` and at most one
/// way to know where the body ends.
fn check(head: &[u8], most: usize) {
    let mut room = vec![httparse::EMPTY_HEADER; most];
    let mut parsed = httparse::Request::new(&mut room);
    let outcome = parsed.parse(head).expect("it can be parsed");
    assert_eq!(outcome, httparse::Status::Complete(head.len()));
    let count = |name: &str| {
        let names = parsed.headers.iter().map(|header| header.name);
        names
            .filter(|found| found.eq_ignore_ascii_case(name))
            .count()
    };
    assert_eq!(count("host"), 1);
    assert!(count("content-length") + count("transfer-encoding") <= 1);
}
