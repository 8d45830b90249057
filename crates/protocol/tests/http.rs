//! What crosses between HTTP and the commands of the relay: docs/protocol.md, 5.2 to 5.4.

use hyco_protocol::{
    FullRequest, Headers, Reply,
    http::{BadRequest, Cookies, Framing, RequestHead, ResponseHead, has_no_body, upgrade_head},
};
use proptest::{collection::vec, prelude::*};

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Headers(pairs.iter().map(owned).collect())
}

fn request(method: &str, target: &str, pairs: &[(&str, &str)]) -> FullRequest {
    FullRequest {
        address: "wss://ns/$hc/hyco?sb-hc-id=1".to_owned(),
        id: "1".to_owned(),
        request_target: target.to_owned(),
        method: method.to_owned(),
        remote_endpoint: None,
        request_headers: headers(pairs),
        body: false,
    }
}

const SHOWN: RequestHead<'static> = RequestHead {
    framing: Framing::Empty,
    host: "ns",
    replace_host: false,
    connection: "close",
    strip: "",
};

fn write(request: &FullRequest) -> Result<String, BadRequest> {
    SHOWN.write(request).map(latin1)
}

fn latin1(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(char::from).collect()
}

#[test]
fn a_request_is_written_with_its_headers_as_sent() {
    let sent = [("host", "h"), ("X-Ünknown", "")];
    assert!(write(&request("GET", "/", &sent)).is_err());
    let sent = [("hOsT", "h"), ("X-A", " 1 "), ("x-a", "2"), ("X-Empty", "")];
    assert_eq!(
        write(&request("PUT", "/hyco/a?b=%2F", &sent)).unwrap(),
        "PUT /hyco/a?b=%2F HTTP/1.1\r\nhOsT: h\r\nX-A: 1\r\nx-a: 2\r\nX-Empty: \r\nConnection: close\r\n\r\n",
    );
}

#[test]
fn a_server_learns_how_long_the_body_is_c40_c41() {
    let with = |framing| {
        let head = RequestHead { framing, ..SHOWN }.write(&request("POST", "/", &[]));
        latin1(head.unwrap())
    };
    assert!(with(Framing::Length(5)).contains("\r\nContent-Length: 5\r\n"));
    assert!(with(Framing::Length(0)).contains("\r\nContent-Length: 0\r\n"));
    assert!(with(Framing::Chunked).contains("\r\nTransfer-Encoding: chunked\r\n"));
    let empty = with(Framing::Empty);
    assert!(!empty.contains("Content-Length") && !empty.contains("Transfer-Encoding"));
}

#[test]
fn illegal_characters_of_the_target_are_escaped_and_nothing_is_decoded_c51() {
    let cases = [
        ("/h/a b", "/h/a%20b"),
        ("/h/é日", "/h/%C3%A9%E6%97%A5"),
        ("/h/%2F%20%zz", "/h/%2F%20%zz"),
        ("/h\r\nX: y", "/h%0D%0AX:%20y"),
        ("/h#x", "/h%23x"),
        ("h?x", "/h?x"),
        ("", "/"),
        ("http://other/x", "/http://other/x"),
        ("/h?&&&", "/h?&&&"),
        ("/h?a=\0", "/h?a=%00"),
    ];
    for (target, shown) in cases {
        let head = write(&request("GET", target, &[])).unwrap();
        let line = head.split("\r\n").next().unwrap();
        assert_eq!(line, format!("GET {shown} HTTP/1.1"), "{target:?}");
    }
    assert!(
        write(&request("OPTIONS", "*", &[]))
            .unwrap()
            .starts_with("OPTIONS * ")
    );
}

#[test]
fn hop_by_hop_headers_and_expectations_never_reach_the_parser() {
    let sent = [
        ("Connection", "close, X-Secret, Host"),
        ("X-Secret", "1"),
        ("Content-Length", "4"),
        ("TRANSFER-encoding", "chunked"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Upgrade", "h2c"),
        ("Keep-Alive", "x"),
        ("Proxy-Connection", "x"),
        ("Expect", "100-continue"),
        ("Host", "h"),
        ("host", "other"),
    ];
    assert_eq!(
        write(&request("GET", "/", &sent)).unwrap(),
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
}

#[test]
fn a_request_without_a_host_gets_that_of_the_namespace() {
    for sent in [&[][..], &[("Host", " ")][..]] {
        assert!(
            write(&request("GET", "/", sent))
                .unwrap()
                .contains("\r\nHost: ns\r\n")
        );
    }
    let replaced = RequestHead {
        replace_host: true,
        ..SHOWN
    };
    let head = latin1(
        replaced
            .write(&request("GET", "/", &[("Host", "h")]))
            .unwrap(),
    );
    assert_eq!(
        head,
        "GET / HTTP/1.1\r\nHost: ns\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn what_would_break_a_line_is_refused() {
    for value in ["a\r\nX: 1", "a\nb", "a\0b", "\u{7f}", "a\rb"] {
        let refused = write(&request("GET", "/", &[("X", value)])).unwrap_err();
        assert_eq!(refused.status, 400, "{value:?}");
    }
    for name in ["", "a b", "a:b", "a\r\nb", "é", "__proto__ "] {
        assert!(
            write(&request("GET", "/", &[(name, "1")])).is_err(),
            "{name:?}"
        );
    }
    for method in ["", "G T", "GET\r\n", "É"] {
        assert_eq!(
            write(&request(method, "/", &[])).unwrap_err().status,
            400,
            "{method:?}"
        );
    }
    assert_eq!(
        write(&request("CONNECT", "h:1", &[])).unwrap_err().status,
        501
    );
    let long = "x".repeat(300_000);
    assert_eq!(
        write(&request("GET", "/", &[("X", &long)]))
            .unwrap_err()
            .status,
        431
    );
    assert!(
        write(&request(
            "GET",
            "/",
            &[("__proto__", "1"), ("constructor", "2")]
        ))
        .is_ok()
    );
}

#[test]
fn values_are_latin_1_where_they_can_be_and_utf_8_elsewhere() {
    let head = SHOWN
        .write(&request("GET", "/", &[("A", "é"), ("B", "é日")]))
        .unwrap();
    let text = latin1(head);
    assert!(text.contains("A: \u{e9}\r\n"), "{text}");
    assert!(
        text.contains("B: \u{c3}\u{a9}\u{e6}\u{97}\u{a5}\r\n"),
        "{text}"
    );
}

#[test]
fn the_path_of_the_hybrid_connection_is_cut_off_by_whole_segments() {
    let shown = RequestHead {
        strip: "/team/hyco",
        ..SHOWN
    };
    let cases = [
        ("/team/hyco/a?b", "/a?b", Some("/team/hyco")),
        ("/Team/HYCO", "/", Some("/Team/HYCO")),
        ("/team/hyco?x", "/?x", Some("/team/hyco")),
        ("/team/hycos", "/team/hycos", None),
        ("/other", "/other", None),
    ];
    for (target, seen, prefix) in cases {
        let head = latin1(shown.write(&request("GET", target, &[])).unwrap());
        assert!(
            head.starts_with(&format!("GET {seen} HTTP/1.1\r\n")),
            "{head}"
        );
        let told = prefix.map(|prefix| format!("X-Forwarded-Prefix: {prefix}\r\n"));
        match told {
            Some(told) => assert!(head.contains(&told), "{head}"),
            None => assert!(!head.contains("Prefix"), "{head}"),
        }
    }
}

#[test]
fn an_upgrade_keeps_its_handshake_but_no_extensions() {
    let sent = headers(&[
        ("Host", "h"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "k"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "a, b"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ]);
    assert_eq!(
        latin1(upgrade_head("/hyco/x", &sent, &SHOWN).unwrap()),
        "GET /hyco/x HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: a, b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
}

fn answer(pairs: &[(&str, &str)], cookies: Cookies) -> String {
    let head = ResponseHead {
        status: 200,
        reason: "OK".to_owned(),
        headers: headers(pairs),
    };
    Reply::Response(head.into_command("1", cookies, false)).to_json()
}

#[test]
fn an_answer_leaves_its_framing_behind_c48() {
    let pairs = [
        ("Content-Type", "text/plain"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "5"),
        ("Trailer", "x"),
    ];
    assert_eq!(
        answer(&pairs, Cookies::First),
        r#"{"response":{"requestId":"1","statusCode":200,"statusDescription":"OK","responseHeaders":{"Content-Type":"text/plain"},"body":false}}"#,
    );
}

#[test]
fn repeated_headers_are_joined_and_cookies_are_not_c49() {
    let pairs = [
        ("Vary", "a"),
        ("Set-Cookie", "a=1"),
        ("vary", "b"),
        ("set-cookie", "b=2"),
        ("Set-Cookie", "c=3"),
    ];
    let headers = |cookies| {
        let json = answer(&pairs, cookies);
        let (_, rest) = json.split_once(r#""responseHeaders":"#).unwrap();
        rest.split_once(r#","body""#).unwrap().0.to_owned()
    };
    assert_eq!(
        headers(Cookies::Variants),
        r#"{"Vary":"a, b","Set-Cookie":"a=1","set-cookie":"b=2","Set-cookie":"c=3"}"#,
    );
    assert_eq!(
        headers(Cookies::Array),
        r#"{"Vary":"a, b","Set-Cookie":["a=1","b=2","c=3"]}"#,
    );
    assert_eq!(
        headers(Cookies::First),
        r#"{"Vary":"a, b","Set-Cookie":"a=1"}"#
    );
    for cookies in [Cookies::Variants, Cookies::Array] {
        let Ok(Reply::Response(read)) = Reply::parse(&answer(&pairs, cookies)) else {
            panic!()
        };
        let found: Vec<_> = read
            .response_headers
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(found, ["a=1", "b=2", "c=3"], "each comes back by itself");
    }
}

#[test]
fn a_reason_is_given_or_standard_c48() {
    let head = |reason: &str| {
        ResponseHead {
            status: 404,
            reason: reason.to_owned(),
            headers: Headers::default(),
        }
        .into_command("1", Cookies::First, false)
        .status_description
    };
    assert_eq!(head("Nothing here").as_deref(), Some("Nothing here"));
    assert_eq!(head(" "), None);
    assert_eq!(head("a\r\nb").as_deref(), Some("a  b"));
}

#[test]
fn head_204_and_304_have_no_body_c45() {
    assert!(has_no_body("HEAD", 200) && has_no_body("GET", 204) && has_no_body("GET", 304));
    assert!(!has_no_body("GET", 200) && !has_no_body("POST", 404));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_writes_a_line_that_it_does_not_have(
        method in "(GET|\\PC{0,6}|[A-Z\\r\\n ]{1,4})",
        target in "(/|\\PC|[\\r\\n\\x00 ]){0,12}",
        pairs in vec(("([a-zA-Z-]{1,8}|\\PC{0,4}|[\\r\\n:]{1,3})", "(\\PC|[\\r\\n\\x00:]){0,12}"), 0..6),
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Ok(head) = SHOWN.write(&request(&method, &target, &pairs)) {
            let text = latin1(head);
            prop_assert!(text.ends_with("\r\n\r\n"));
            let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
            prop_assert!(lines.len() <= pairs.len() + 3);
            prop_assert_eq!(lines[0].split(' ').count(), 3);
            prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
            prop_assert_eq!(lines.iter().filter(|line| line.to_ascii_lowercase().starts_with("host:")).count(), 1);
        }
    }
}
