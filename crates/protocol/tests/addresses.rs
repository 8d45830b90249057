//! Addresses, request targets, and what is stripped from them.

use hyco_protocol::{
    Action, Address, Error, Target,
    query::strip_query,
    target::find_entity,
    uri::{accept_address, append_token, application_url, reject_address},
};

/// The table of docs/protocol.md, 1.4: a sender's query, and what the listener sees.
const STRIPPED: [(&str, &str); 17] = [
    ("sb-hc-id=1", ""),
    ("sb-hc-id=1&custom=value", "custom=value"),
    ("custom=value&sb-hc-id=1", "custom=value"),
    ("sb-hc-whatever=", ""),
    ("sb-hc-undefined=true", ""),
    ("sb-hc-undefined", "sb-hc-undefined"),
    ("a=1&a=2&", "a=1&a=2&"),
    ("&&&", "&&&"),
    ("&foo=bar", "&foo=bar"),
    ("+", "+"),
    ("%2B", "%2B"),
    ("%2f%3a%3d%26", "%2f%3a%3d%26"),
    ("api-version=abc", "api-version=abc"),
    ("name=%C3%b8", "name=%C3%b8"),
    ("SB-HC-Token=x&SB-hc-Action=connect&y=2", "y=2"),
    ("sb-hc=1&xsb-hc-id=2", "sb-hc=1&xsb-hc-id=2"),
    ("", ""),
];

#[test]
fn the_relays_parameters_are_stripped_and_no_others_e50_c34() {
    for (sent, seen) in STRIPPED {
        assert_eq!(strip_query(sent), seen);
        let target = if seen.is_empty() {
            "/hyco/x".to_owned()
        } else {
            format!("/hyco/x?{seen}")
        };
        assert_eq!(
            application_url(&format!("wss://g17.example/$hc/hyco/x?{sent}")),
            target
        );
        assert_eq!(
            Target::parse(&format!("/$hc/hyco/x?{sent}")).application_target(),
            target
        );
        let address = accept_address("wss://g17.example", "/hyco/x", seen, "id_G1");
        assert_eq!(application_url(&address), target, "{address}");
    }
}

#[test]
fn an_application_sees_a_valid_url_c51() {
    for (address, url) in [
        ("wss://ns.example/$hc/hyco", "/hyco"),
        (
            "wss://ns.example:443/$HC/hyco/a%2Fb?q=1&sb-hc-id=x#f",
            "/hyco/a%2Fb?q=1",
        ),
        ("wss://ns.example/$hc", "/"),
        ("wss://ns.example", "/"),
        ("wss://ns.example?a=1", "/?a=1"),
        ("wss://ns.example/hyco", "/hyco"),
        ("wss://ns.example/$hcx/hyco", "/$hcx/hyco"),
        ("/$hc/a b/ü?x= y", "/a%20b/%C3%BC?x=%20y"),
        ("hyco", "/hyco"),
        ("", "/"),
    ] {
        assert_eq!(application_url(address), url);
    }
}

#[test]
fn a_request_target_is_taken_apart() {
    let target = Target::parse(
        "/$hc/team/hyco/x?room=1&sb-hc-action=connect&sb-hc-id=my+id%20%C3%BC&sb-hc-token=a%2Bb+c%2520d&sb-hc-id=2",
    );
    assert_eq!(
        (target.path.as_str(), target.hybrid),
        ("/team/hyco/x", true)
    );
    assert_eq!(target.action(), Ok(Action::Connect));
    assert_eq!(target.id.as_deref(), Some("my id ü"));
    assert_eq!(target.token.as_deref(), Some("a+b c%20d"));
    assert_eq!(target.query, "room=1");
    assert!(!format!("{target:?}").contains("a+b"));
}

#[test]
fn an_action_may_be_missing_but_not_unknown_e1() {
    for (target, action) in [
        ("/$hc/h", Ok(Action::Connect)),
        ("/$hc/h?sb-hc-action=", Ok(Action::Connect)),
        ("/$hc/h?sb-hc-action", Ok(Action::Connect)),
        ("/$hc/h?SB-HC-ACTION=Listen", Ok(Action::Listen)),
        ("/$hc/h?sb-hc-action=accept", Ok(Action::Accept)),
        ("/$hc/h?sb-hc-action=request", Ok(Action::Request)),
        ("/$hc/h?sb-hc-action=listen%20", Err(Error::UnknownAction)),
        ("/$hc/h?sb-hc-action=steal", Err(Error::UnknownAction)),
    ] {
        assert_eq!(Target::parse(target).action(), action, "{target}");
    }
}

#[test]
fn request_targets_of_other_forms_are_read() {
    for (target, path, hybrid, query) in [
        ("/hyco?x", "/hyco", false, "x"),
        ("/$HC/hyco", "/hyco", true, ""),
        ("/$hc", "/", true, ""),
        ("/$hc/", "/", true, ""),
        ("/$hcx/y", "/$hcx/y", false, ""),
        ("http://ns.example/$hc/hyco?a=b", "/hyco", true, "a=b"),
        ("http://ns.example", "/", false, ""),
        ("/x?u=http://y/z", "/x", false, "u=http://y/z"),
        ("*", "/*", false, ""),
        ("", "/", false, ""),
    ] {
        let parsed = Target::parse(target);
        assert_eq!(
            (parsed.path.as_str(), parsed.hybrid, parsed.query.as_str()),
            (path, hybrid, query)
        );
    }
}

#[test]
fn a_rejection_is_read_in_both_spellings_e33_e34() {
    let rejection = |query: &str| Target::parse(&format!("/$hc/h?{query}")).rejection();
    assert!(rejection("sb-hc-action=accept&sb-hc-id=1").is_none());
    let full =
        rejection("sb-hc-action=accept&sb-hc-statusCode=418&sb-hc-statusDescription=I+am%20out");
    let full = full.unwrap().unwrap();
    assert_eq!(
        (full.status, full.description.as_deref(), full.short_names),
        (418, Some("I am out"), false)
    );
    let short = rejection("sb-hc-action=accept&statusCode=403&statusDescription=No")
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            short.status,
            short.description.as_deref(),
            short.short_names
        ),
        (403, Some("No"), true)
    );
    assert!(rejection("sb-hc-action=connect&statusCode=403").is_none());
    let bare = rejection("sb-hc-action=accept&sb-hc-statusCode=400")
        .unwrap()
        .unwrap();
    assert_eq!(bare.description, None);
    for code in ["99", "1000", "abc", "", "-1", "+200", "0404"] {
        let query = format!("sb-hc-action=accept&sb-hc-statusCode={code}");
        assert!(rejection(&query).unwrap().is_err(), "{code}");
    }
}

#[test]
fn a_rejection_is_written_and_read_back_c31_c33() {
    let address = accept_address("wss://g17.example", "/hyco", "room=1", "id_G1_G2");
    let rejected = reject_address(&address, 403, Some("No, thanks & bye + 100%")).unwrap();
    assert_eq!(
        rejected,
        "wss://g17.example/$hc/hyco?room=1&sb-hc-action=accept&sb-hc-id=id_G1_G2\
         &sb-hc-statusCode=403&sb-hc-statusDescription=No%2C%20thanks%20%26%20bye%20%2B%20100%25",
    );
    let target = Target::parse(rejected.strip_prefix("wss://g17.example").unwrap());
    let rejection = target.rejection().unwrap().unwrap();
    assert_eq!(
        (rejection.status, rejection.description.as_deref()),
        (403, Some("No, thanks & bye + 100%"))
    );
    assert_eq!(
        reject_address("wss://x/y", 400, None).unwrap(),
        "wss://x/y?sb-hc-statusCode=400"
    );
    assert!(reject_address(&address, 99, None).is_err());
    assert!(reject_address(&address, 400, Some("two\r\nlines")).is_err());
    assert!(reject_address(&address, 400, Some("schön")).is_err());
}

#[test]
fn a_rendezvous_address_has_suffix_and_query_but_no_token_e17() {
    let target = Target::parse("/$hc/hyco/a%20b?x=1&sb-hc-token=secret&y");
    let address = accept_address(
        "ws://localhost:9400/",
        &target.path,
        &target.query,
        "a/b_G1",
    );
    assert_eq!(
        address,
        "ws://localhost:9400/$hc/hyco/a%20b?x=1&y&sb-hc-action=accept&sb-hc-id=a%2Fb_G1",
    );
    assert_eq!(Target::parse(&address).id.as_deref(), Some("a/b_G1"));
}

#[test]
fn a_hybrid_connection_is_found_by_whole_segments_e3() {
    let names = ["hyco", "Team/A/Hyco", "team/a", "caf\u{e9}"];
    for (path, found) in [
        ("/hyco", Some(("hyco", ""))),
        ("/HYCO/", Some(("hyco", "/"))),
        ("/hyco/x/y", Some(("hyco", "/x/y"))),
        ("/hyc", None),
        ("/hycoo", None),
        (
            "/team/a/hyco/Sub%20Path",
            Some(("Team/A/Hyco", "/Sub%20Path")),
        ),
        ("/team/a/hycox", Some(("team/a", "/hycox"))),
        ("/team", None),
        ("/caf%C3%A9/1", Some(("caf\u{e9}", "/1"))),
        ("/h%79co", Some(("hyco", ""))),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(find_entity(path, names), found, "{path}");
    }
}

#[test]
fn an_address_is_taken_apart() {
    let address = Address::parse("sb://user:pw@NS.Example:5671/Hyco/x?a=1#frag").unwrap();
    assert_eq!(address.to_string(), "sb://ns.example:5671/Hyco/x?a=1");
    assert_eq!(
        (address.host(), address.port(), address.is_secure()),
        ("ns.example", 5671, true)
    );
    assert_eq!(address.authority(), "ns.example:5671");
    assert_eq!(address.audience(), "http://ns.example/Hyco/x/");
    let six = Address::parse("ws://[::1]:9400").unwrap();
    assert_eq!((six.host(), six.port(), six.path()), ("[::1]", 9400, "/"));
    assert_eq!(Address::parse("wss://ns.example/x").unwrap().port(), 443);
    assert_eq!(Address::parse("http://ns.example/x").unwrap().port(), 80);
    assert_eq!(
        Address::parse("wss://b\u{fc}cher.example/\u{fc} x")
            .unwrap()
            .to_string(),
        "wss://xn--bcher-kva.example/%C3%BC%20x"
    );
}

#[test]
fn a_bad_address_is_refused() {
    for text in [
        "",
        "ns.example/hyco",
        "ftp://ns.example",
        "wss://",
        "wss:///hyco",
        "wss://ns:port/",
        "wss://ns:70000/",
        "wss://a b/",
        "://x",
    ] {
        assert!(
            matches!(Address::parse(text), Err(Error::InvalidAddress(_))),
            "{text}"
        );
    }
}

#[test]
fn what_an_address_lacks_is_added_and_the_rest_stays_c10_c15() {
    let address = Address::parse("wss://ns.example/$hc/hyco?b=2&a=%20+").unwrap();
    let listen = address
        .clone()
        .for_websocket()
        .ensure_action(Action::Listen)
        .ensure_id("g");
    assert_eq!(
        listen.to_string(),
        "wss://ns.example/$hc/hyco?b=2&a=%20+&sb-hc-action=listen&sb-hc-id=g"
    );
    assert_eq!(listen.action(), Ok(Some(Action::Listen)));
    assert_eq!(
        listen
            .clone()
            .ensure_action(Action::Connect)
            .ensure_id("other"),
        listen
    );
    let renamed = listen.with_id("new id");
    assert_eq!(
        renamed.query(),
        Some("b=2&a=%20+&sb-hc-action=listen&sb-hc-id=new%20id")
    );
    let empty = Address::parse("wss://ns.example/h?sb-hc-id=&x")
        .unwrap()
        .ensure_id("g");
    assert_eq!(empty.query(), Some("x&sb-hc-id=g"));
    assert_eq!(
        Address::parse("http://ns/h")
            .unwrap()
            .for_websocket()
            .to_string(),
        "ws://ns/$hc/h"
    );
    assert_eq!(address.join("a b/c%").path(), "/$hc/hyco/a%20b/c%25");
}

#[test]
fn a_token_goes_in_and_out_of_an_address_and_does_not_show_c9() {
    let token = "SharedAccessSignature sr=a%2F&sig=b%3D&se=1&skn=r";
    let plain = Address::parse("wss://ns.example/$hc/hyco?x=1").unwrap();
    let with = plain.clone().with_token("old").with_token(token);
    assert_eq!(with.token().as_deref(), Some(token));
    assert_eq!(
        format!("{with:?}"),
        "Address(wss://ns.example/$hc/hyco?x=1&sb-hc-token=***)"
    );
    assert_eq!(with.without_token(), plain);
    let appended = append_token("wss://ns.example/$hc/hyco", token).unwrap();
    let only = Address::parse(&appended).unwrap();
    assert_eq!(only.token().as_deref(), Some(token));
    assert_eq!(
        only.without_token().to_string(),
        "wss://ns.example/$hc/hyco"
    );
}
