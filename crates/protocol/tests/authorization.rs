//! Who may do what: the procedure of docs/protocol.md, 2.6, and the limits of signing.

use hyco_protocol::{
    Coded, Demand, Error, Right, Rights, Rule, SasToken, TokenError, Verified,
    token::{Kind, WebToken, expires_at, sign_canonical, sign_drop_in},
    verify,
};

const NOW: u64 = 1_700_000_000;
const URI: &str = "http://ns.example/hyco";

fn rule(name: &str, key: &str, rights: &[Right]) -> Rule {
    Rule::new(name, key, rights.iter().copied().collect()).expect("the rule is valid")
}

struct Relay {
    entity: Vec<Rule>,
    namespace: Vec<Rule>,
    hosts: Vec<String>,
}

impl Relay {
    fn new() -> Self {
        Self {
            entity: vec![
                rule("listen", "entity-listen", &[Right::Listen]),
                rule("send", "entity-send", &[Right::Send])
                    .with_secondary_key("second")
                    .expect("the key is valid"),
                rule("shared", "entity-shared", &[Right::Listen]),
            ],
            namespace: vec![
                rule("root", "namespace-root", &[Right::Manage]),
                rule("shared", "namespace-shared", &[Right::Send]),
            ],
            hosts: vec![
                "ns.example".to_owned(),
                "localhost".to_owned(),
                "[::1]".to_owned(),
            ],
        }
    }

    fn verify(&self, token: &str, path: &str, right: Right) -> Result<Verified, TokenError> {
        let demand = Demand {
            hosts: &self.hosts,
            path,
            right: Some(right),
            now: NOW,
            clock_skew: 0,
        };
        verify(token, &self.entity, &self.namespace, &demand)
    }
}

fn sign(uri: &str, rule: &str, key: &str) -> String {
    sign_canonical(uri, rule, key, NOW + 60).expect("the rule is valid")
}

#[test]
fn rules_are_looked_up_in_the_entity_and_then_in_the_namespace_e7() {
    let relay = Relay::new();
    let by = |name, key, right| relay.verify(&sign(URI, name, key), "/hyco", right);
    assert_eq!(
        by("listen", "entity-listen", Right::Listen).unwrap().rule,
        "listen"
    );
    assert!(by("LISTEN", "entity-listen", Right::Listen).is_ok());
    assert!(by("send", "second", Right::Send).is_ok());
    assert!(by("shared", "entity-shared", Right::Listen).is_ok());
    assert!(by("shared", "namespace-shared", Right::Send).is_ok());
    assert_eq!(
        by("shared", "wrong", Right::Send),
        Err(TokenError::InvalidSignature)
    );
    assert_eq!(
        by("nobody", "wrong", Right::Send),
        Err(TokenError::InvalidSignature)
    );
}

#[test]
fn rights_are_kept_apart_and_manage_has_all_e8() {
    let relay = Relay::new();
    let by = |name, key, right| relay.verify(&sign(URI, name, key), "/hyco", right);
    assert_eq!(
        by("listen", "entity-listen", Right::Send),
        Err(TokenError::MissingRight(Right::Send))
    );
    let error = by("send", "entity-send", Right::Listen).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Authorization failed for specified action: Listen."
    );
    assert_eq!(error.code(), "HYCO_ERR_UNAUTHORIZED");
    for right in [Right::Listen, Right::Send, Right::Manage] {
        assert!(by("root", "namespace-root", right).is_ok());
    }
    assert!(by("listen", "entity-listen", Right::Manage).is_err());
    let demand = Demand {
        hosts: &relay.hosts,
        path: "/hyco",
        right: None,
        now: NOW,
        clock_skew: 0,
    };
    let token = sign(URI, "listen", "entity-listen");
    assert!(verify(&token, &relay.entity, &[], &demand).is_ok());
}

#[test]
fn a_token_that_ends_now_has_ended_e9() {
    let relay = Relay::new();
    let at = |expiry, clock_skew| {
        let token = sign_canonical(URI, "root", "namespace-root", expiry).unwrap();
        let demand = Demand {
            hosts: &relay.hosts,
            path: "/hyco",
            right: None,
            now: NOW,
            clock_skew,
        };
        verify(&token, &[], &relay.namespace, &demand)
    };
    assert!(at(NOW + 1, 0).is_ok());
    let error = at(NOW, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ExpiredToken: The token is expired. Expiration time: '2023-11-14T22:13:20'.",
    );
    assert!(at(NOW - 299, 300).is_ok());
    assert!(at(NOW - 300, 300).is_err());
    assert!(at(u64::MAX, 300).is_ok());
}

#[test]
fn an_audience_covers_whole_segments_of_any_of_the_relays_names_e3() {
    let relay = Relay::new();
    for (audience, path, covered) in [
        ("http://ns.example/", "/hyco", true),
        ("http://NS.EXAMPLE:443/HYCO", "/hyco/sub", true),
        ("sb://localhost:9400/hyco/", "/hyco", true),
        ("ws://[::1]:9400/hyco", "/hyco", true),
        ("http://ns.example/hyco/sub", "/hyco/SUB/x", true),
        ("http://ns.example/hyco/sub", "/hyco", false),
        ("http://ns.example/hyc", "/hyco", false),
        ("http://ns.example/hycoo", "/hyco", false),
        ("http://other.example/hyco", "/hyco", false),
        ("http://ns.example/caf%C3%A9", "/caf%c3%a9", true),
        ("http://user:pw@ns.example/hyco", "/hyco", true),
    ] {
        let token = sign(audience, "root", "namespace-root");
        let outcome = relay.verify(&token, path, Right::Listen);
        assert_eq!(outcome.is_ok(), covered, "{audience} {path}");
        if !covered {
            assert_eq!(outcome, Err(TokenError::InvalidAudience));
        }
    }
}

#[test]
fn the_signature_covers_the_fields_as_they_stand() {
    let relay = Relay::new();
    let token = sign(URI, "root", "namespace-root");
    assert!(relay.verify(&token, "/hyco", Right::Send).is_ok());
    for forged in [
        token.replace("%2F", "%2f"),
        token.replace("hyco", "hyca"),
        token.replace("&se=17", "&se=18"),
        token.replace("&se=", "&se=0"),
    ] {
        assert_eq!(
            relay.verify(&forged, "/hyco", Right::Send),
            Err(TokenError::InvalidSignature)
        );
    }
}

#[test]
fn the_form_of_a_token_is_checked() {
    let relay = Relay::new();
    let token = sign(URI, "root", "namespace-root");
    let fields = token.strip_prefix("SharedAccessSignature ").unwrap();
    for same in [
        format!("sharedaccesssignature \t {fields}"),
        format!("  {token}  "),
        token.replace("sr=", "SR=").replace("sig=", "Sig="),
        format!("{token}&extra=1"),
    ] {
        assert!(relay.verify(&same, "/hyco", Right::Send).is_ok(), "{same}");
    }
    assert_eq!(
        relay.verify("", "/hyco", Right::Send),
        Err(TokenError::Missing)
    );
    assert_eq!(
        relay.verify("  ", "/hyco", Right::Send),
        Err(TokenError::Missing)
    );
    for malformed in [
        fields.to_owned(),
        format!("SharedAccessSignature{fields}"),
        format!("Bearer {fields}"),
        format!("{token}&sr=again"),
        format!("{token}&novalue"),
        token.replace("&se=", " &se="),
        token.replace("&se=", "&se=x"),
        token.replace("&se=", "&se=-"),
        token.replace("sig=", "sig=&x="),
        "SharedAccessSignature".to_owned(),
        "SharedAccessSignature ".to_owned(),
        "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.".to_owned(),
    ] {
        let outcome = relay.verify(&malformed, "/hyco", Right::Send);
        assert_eq!(outcome, Err(TokenError::Malformed), "{malformed}");
    }
}

#[test]
fn names_and_keys_have_their_limits_c5() {
    let long = "x".repeat(257);
    for (rule, key) in [
        ("", "k"),
        ("r", ""),
        (long.as_str(), "k"),
        ("r", long.as_str()),
    ] {
        assert!(matches!(
            sign_drop_in(URI, rule, key, 1),
            Err(Error::InvalidRule(_))
        ));
        assert!(matches!(
            sign_canonical(URI, rule, key, 1),
            Err(Error::InvalidRule(_))
        ));
        assert!(Rule::new(rule, key, Rights::ALL).is_err());
    }
    let longest = "ü".repeat(256);
    assert!(sign_drop_in(URI, &longest, &longest, 1).is_ok());
    assert!(rule("r", "k", &[]).with_secondary_key("").is_err());
}

#[test]
fn web_tokens_are_read_for_their_end_c8() {
    // {"alg":"none"} . {"exp":1700000000,"roles":["Listen"]}
    let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDAsInJvbGVzIjpbIkxpc3RlbiJdfQ.c2ln";
    assert_eq!(expires_at(token), Some(NOW));
    assert_eq!(expires_at(&format!("Bearer {token}")), Some(NOW));
    assert_eq!(WebToken::parse(token).unwrap().roles, ["Listen"]);
    assert_eq!(Kind::of(token), Kind::WebToken);
    assert!(WebToken::parse(token).unwrap().audiences.is_empty());
    // {"exp":1700000000,"aud":"a"} and {"exp":1700000000,"aud":["a","b"]}
    for (claims, audiences) in [
        ("eyJleHAiOjE3MDAwMDAwMDAsImF1ZCI6ImEifQ", &["a"][..]),
        (
            "eyJleHAiOjE3MDAwMDAwMDAsImF1ZCI6WyJhIiwiYiJdfQ",
            &["a", "b"],
        ),
    ] {
        let token = format!("eyJhbGciOiJub25lIn0.{claims}.c2ln");
        assert_eq!(WebToken::parse(&token).unwrap().audiences, audiences);
        assert_eq!(expires_at(&token), Some(NOW));
    }
    for nothing in [
        "",
        "abc",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.e30.",
        "SharedAccessSignature x",
    ] {
        assert_eq!(expires_at(nothing), None, "{nothing}");
    }
}

#[test]
fn keys_and_tokens_do_not_show_c9() {
    let token = sign(URI, "root", "namespace-root");
    let parsed = SasToken::parse(&token).unwrap();
    let rule = rule("root", "namespace-root", &[Right::Listen])
        .with_secondary_key("second")
        .unwrap();
    let shown = format!("{parsed:?} {rule:?}");
    let signature = token
        .split("sig=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    for secret in ["namespace-root", "second", signature] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let error = SasToken::parse("SharedAccessSignature sr=secret").unwrap_err();
    assert!(!error.to_string().contains("secret"));
    assert_eq!(error.code(), "HYCO_ERR_INVALID_TOKEN");
}
