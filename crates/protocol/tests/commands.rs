//! The JSON of the control channel: docs/protocol.md, 3.3, 5.2 and 5.4.

use hyco_protocol::{
    Accept, Command, Error, FullRequest, Headers, RemoteEndpoint, Reply, Request, Response,
};

const CAPTURED: &str = r#"{"accept":{"address":"wss:\/\/g17-prod-by3-010-sb.servicebus.windows.net\/$hc\/yesclientauth?sb-hc-action=accept&sb-hc-id=ca496b91-f5a3-4761-8eda-9a66dd9a2558_G17_G30",
 "id":"ca496b91-f5a3-4761-8eda-9a66dd9a2558_G17_G30",
 "connectHeaders":{"Sec-WebSocket-Key":"..","Sec-WebSocket-Version":"13","Connection":"Upgrade","Upgrade":"websocket","Host":"gorelay.servicebus.windows.net:443","User-Agent":".."},
 "remoteEndpoint":{"address":"73.83.210.109","port":62917}}}"#;

#[test]
fn a_captured_accept_is_read_c25() {
    let Command::Accept(accept) = Command::parse(CAPTURED).unwrap() else {
        panic!()
    };
    assert!(
        accept
            .address
            .starts_with("wss://g17-prod-by3-010-sb.servicebus.windows.net/$hc/yes")
    );
    assert_eq!(accept.id, "ca496b91-f5a3-4761-8eda-9a66dd9a2558_G17_G30");
    let remote = RemoteEndpoint {
        address: "73.83.210.109".to_owned(),
        port: 62917,
    };
    assert_eq!(accept.remote_endpoint, Some(remote));
    let names: Vec<&str> = accept
        .connect_headers
        .0
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Connection",
            "Upgrade",
            "Host",
            "User-Agent"
        ],
        "in the order of the sender",
    );
    assert_eq!(
        accept.connect_headers.get("host"),
        Some("gorelay.servicebus.windows.net:443")
    );
}

#[test]
fn an_accept_may_lack_all_but_its_address_c25() {
    let text = r#"{"accept":{"address":"wss://ns/$hc/h?sb-hc-action=accept&sb-hc-id=a%20b_G1"}}"#;
    let Command::Accept(accept) = Command::parse(text).unwrap() else {
        panic!()
    };
    assert_eq!(accept.id, "a b_G1");
    assert_eq!(
        (accept.connect_headers, accept.remote_endpoint),
        (Headers::default(), None)
    );
    let text =
        r#"{"accept":{"address":"x","connectHeaders":null,"remoteEndpoint":null,"new":[1]}}"#;
    assert!(matches!(Command::parse(text), Ok(Command::Accept(_))));
    assert!(Command::parse(r#"{"accept":{"id":"x"}}"#).is_err());
}

#[test]
fn header_values_of_any_kind_are_read() {
    let text = r#"{"accept":{"address":"x","connectHeaders":{"A":1,"B":true,"C":["x","y"],"D":null,"E":{},"A":"2"}}}"#;
    let Command::Accept(accept) = Command::parse(text).unwrap() else {
        panic!()
    };
    let headers: Vec<_> = accept
        .connect_headers
        .0
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        headers,
        [
            ("A", "1"),
            ("B", "true"),
            ("C", "x"),
            ("C", "y"),
            ("A", "2")
        ]
    );
}

#[test]
fn a_pointer_is_known_by_what_it_lacks_c42() {
    let full = r#"{"request":{"address":"wss://ns/$hc/h?sb-hc-id=1","id":"1","requestTarget":"/h","method":"GET","requestHeaders":{"Host":"ns"},"body":false}}"#;
    let Command::Request(Request::Full(request)) = Command::parse(full).unwrap() else {
        panic!()
    };
    assert_eq!((request.method.as_str(), request.body), ("GET", false));
    for lacking in [
        r#"{"request":{"address":"a"}}"#.to_owned(),
        full.replace(r#","body":false"#, ""),
        full.replace(r#""method":"GET","#, ""),
    ] {
        let command = Command::parse(&lacking).unwrap();
        assert!(
            matches!(command, Command::Request(Request::Pointer { .. })),
            "{lacking}"
        );
    }
    assert_eq!(
        Command::Request(Request::Pointer {
            address: "wss://ns".to_owned()
        })
        .to_json(),
        r#"{"request":{"address":"wss://ns"}}"#,
    );
}

#[test]
fn what_is_not_known_is_named_and_what_is_no_command_is_an_error_c24_e27() {
    assert_eq!(
        Command::parse(r#"{"fancy":{"a":[1,{}]}}"#),
        Ok(Command::Unknown("fancy".to_owned()))
    );
    assert_eq!(Command::parse("{}"), Ok(Command::Unknown(String::new())));
    assert_eq!(
        Reply::parse(r#"{"injectFault":{"delay":"1"}}"#),
        Ok(Reply::Unknown("injectFault".to_owned()))
    );
    let both = r#"{"new":1,"renewToken":{"token":"t"},"other":2}"#;
    assert_eq!(Reply::parse(both), Ok(Reply::RenewToken("t".to_owned())));
    for malformed in [
        "",
        "x",
        "[]",
        "1",
        "{",
        r#"{"renewToken":"SharedAccessSignature secret"}"#,
        r#"{"renewToken":{}}"#,
        r#"{"renewToken":{"token":"a"}} x"#,
    ] {
        let error = Reply::parse(malformed).unwrap_err();
        assert!(matches!(error, Error::MalformedCommand(_)));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let deep = "[".repeat(100_000);
    assert!(Command::parse(&format!("{{\"x\":{deep}")).is_err());
}

#[test]
fn a_status_may_be_a_number_or_a_string_e53() {
    let response = |status: &str| {
        Reply::parse(&format!(
            r#"{{"response":{{"requestId":"1","statusCode":{status}}}}}"#
        ))
    };
    for status in ["200", "\"200\""] {
        let Ok(Reply::Response(response)) = response(status) else {
            panic!()
        };
        assert_eq!((response.status_code, response.body), (200, false));
        assert_eq!(
            (response.status_description, response.response_headers),
            (None, Headers::default())
        );
    }
    for bad in [
        "99",
        "1000",
        "\"x\"",
        "200.5",
        "-200",
        "null",
        "true",
        "[200]",
        "18446744073709551816",
    ] {
        assert!(response(bad).is_err(), "{bad}");
    }
    assert!(Reply::parse(r#"{"response":{"requestId":"","statusCode":200}}"#).is_err());
    assert!(Reply::parse(r#"{"response":{"statusCode":200}}"#).is_err());
}

#[test]
fn commands_are_written_with_known_members_only_e16_c19() {
    let headers = Headers(vec![
        ("Host".to_owned(), "ns".to_owned()),
        ("X-A".to_owned(), "1".to_owned()),
        ("x-a".to_owned(), "2".to_owned()),
    ]);
    let remote_endpoint = Some(RemoteEndpoint {
        address: "::1".to_owned(),
        port: 1,
    });
    let accept = Accept {
        address: "ws://ns/$hc/h".to_owned(),
        id: "g_G1".to_owned(),
        connect_headers: headers.clone(),
        remote_endpoint: remote_endpoint.clone(),
    };
    assert_eq!(
        Command::Accept(accept).to_json(),
        r#"{"accept":{"address":"ws://ns/$hc/h","id":"g_G1","connectHeaders":{"Host":"ns","X-A":"1, 2"},"remoteEndpoint":{"address":"::1","port":1}}}"#,
    );
    let request = FullRequest {
        address: "ws://ns/$hc/h".to_owned(),
        id: "g".to_owned(),
        request_target: "/h?x".to_owned(),
        method: "PUT".to_owned(),
        remote_endpoint,
        request_headers: Headers(vec![]),
        body: true,
    };
    assert_eq!(
        Command::Request(Request::Full(request)).to_json(),
        r#"{"request":{"address":"ws://ns/$hc/h","id":"g","requestTarget":"/h?x","method":"PUT","remoteEndpoint":{"address":"::1","port":1},"requestHeaders":{},"body":true}}"#,
    );
    assert_eq!(
        Reply::RenewToken("SharedAccessSignature a&b".to_owned()).to_json(),
        r#"{"renewToken":{"token":"SharedAccessSignature a&b"}}"#,
    );
    let response = Response {
        request_id: "g".to_owned(),
        status_code: 501,
        status_description: Some("No".to_owned()),
        response_headers: headers,
        body: false,
    };
    assert_eq!(
        Reply::Response(response).to_json(),
        r#"{"response":{"requestId":"g","statusCode":501,"statusDescription":"No","responseHeaders":{"Host":"ns","X-A":"1, 2"},"body":false}}"#,
    );
}

#[test]
fn a_token_does_not_show_in_a_reply_c9() {
    assert_eq!(
        format!("{:?}", Reply::RenewToken("secret".to_owned())),
        "RenewToken(***)"
    );
}
