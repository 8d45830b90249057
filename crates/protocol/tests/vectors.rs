//! The test vectors of docs/protocol.md, 2.8.

use hyco_protocol::{
    Demand, Right, Rights, Rule, SasToken, TokenError,
    token::{expires_at, sign_canonical, sign_drop_in},
    verify,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../testdata/vectors.json")).expect("the vectors are JSON")
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().expect("the member is a string")
}

/// V5 and V11, where the old function's token is of no use.
const IMPROVED: [&str; 2] = ["V5", "V11"];

#[test]
fn drop_in_tokens_equal_those_of_hyco_ws_c2_c4_c6() {
    for case in vectors()["cases"].as_array().unwrap() {
        let (id, uri, rule, key) = (
            text(case, "id"),
            text(case, "uri"),
            text(case, "rule"),
            text(case, "key"),
        );
        let token = sign_drop_in(uri, rule, key, case["se"].as_u64().unwrap()).unwrap();
        match IMPROVED.contains(&id) {
            false => assert_eq!(token, text(case, "hyco_token"), "{id}"),
            true => assert_ne!(token, text(case, "hyco_token"), "{id}"),
        }
    }
}

#[test]
fn a_drop_in_token_escapes_the_rule_name_where_hyco_ws_forgot_to() {
    let cases = vectors();
    let case = &cases["cases"][4];
    let token = sign_drop_in(
        text(case, "uri"),
        text(case, "rule"),
        text(case, "key"),
        1_893_456_000,
    )
    .unwrap();
    let (front, _) = text(case, "hyco_token").split_once("&skn=").unwrap();
    assert_eq!(token, format!("{front}&skn=my%20rule%2Ba%26b=c%25"));
    assert_eq!(SasToken::parse(&token).unwrap().rule(), text(case, "rule"));
}

#[test]
fn a_drop_in_token_leaves_user_info_out() {
    let with = sign_drop_in("https://user:p@w@ns.example/hyco", "send", "secret", 1).unwrap();
    let without = sign_drop_in("https://ns.example/hyco", "send", "secret", 1).unwrap();
    assert_eq!(with, without);
}

#[test]
fn a_drop_in_token_takes_what_hyco_ws_fails_on() {
    let expected = sign_drop_in("http://ns.example/", "r", "k", 1).unwrap();
    for uri in [
        "sb://ns.example",
        "ns.example",
        "//ns.example",
        "sb://ns.example?x=1",
        "ns.example/",
    ] {
        assert_eq!(sign_drop_in(uri, "r", "k", 1).unwrap(), expected, "{uri}");
    }
}

#[test]
fn canonical_tokens_agree_with_the_vectors_c1() {
    for case in vectors()["cases"].as_array().unwrap() {
        let (id, rule, key) = (text(case, "id"), text(case, "rule"), text(case, "key"));
        let se = case["se"].as_u64().unwrap();
        let token = sign_canonical(text(case, "uri"), rule, key, se).unwrap();
        let ours = SasToken::parse(&token).unwrap();
        assert_eq!(ours.audience(), text(case, "canonical_sr"), "{id}");
        assert!(ours.is_signed_with(key), "{id}");
        let theirs = SasToken::parse(text(case, "canonical_token")).unwrap();
        assert!(theirs.is_signed_with(key), "{id}");
        assert_eq!(
            (theirs.audience(), theirs.rule(), theirs.expires_at()),
            (ours.audience(), rule, se),
            "{id}",
        );
        // The encoders differ in these characters only.
        if !text(case, "uri").contains(['~', '!', '(']) && !rule.contains(' ') {
            assert_eq!(token, text(case, "canonical_token"), "{id}");
        }
    }
}

#[test]
fn the_tokens_of_all_known_clients_are_accepted_e4() {
    let all = vectors();
    let group = &all["accept_all_on_contoso_hyco"];
    for token in group["tokens"].as_array().unwrap() {
        let verified = verify_on_contoso(group, text(token, "token")).unwrap();
        assert_eq!(verified, 1_700_000_000, "{}", text(token, "id"));
    }
}

#[test]
fn bad_tokens_are_refused_with_the_right_prefix_e4() {
    let all = vectors();
    let group = &all["reject_on_contoso_hyco"];
    for token in group["tokens"].as_array().unwrap() {
        let error = verify_on_contoso(group, text(token, "token")).unwrap_err();
        let prefix = match text(token, "id") {
            "R1" | "R4" => "InvalidSignature: The token has an invalid signature.",
            "R2" | "R3" => {
                "InvalidAudience: The authorization header contains a token with a wrong"
            }
            _ => "MalformedToken: ",
        };
        assert!(
            error.to_string().starts_with(prefix),
            "{}: {error}",
            text(token, "id")
        );
        assert_eq!(error.status(), 401);
    }
}

#[test]
fn the_expiry_of_a_ready_token_is_known_for_scheduling_c7() {
    for case in vectors()["cases"].as_array().unwrap() {
        let id = text(case, "id");
        let (se, token) = (case["se"].as_u64(), text(case, "hyco_token"));
        // hyco-ws's V5 has a blank in its rule name.
        assert_eq!(expires_at(token), se.filter(|_| id != "V5"), "{id}");
    }
}

fn verify_on_contoso(group: &Value, token: &str) -> Result<u64, TokenError> {
    let rules = [
        Rule::new(text(group, "rule"), text(group, "key"), Rights::ALL).expect("the rule is valid"),
    ];
    let demand = Demand {
        hosts: &["contoso.servicebus.windows.net".to_owned()],
        path: "/hyco",
        right: Some(Right::Listen),
        now: group["now"].as_u64().expect("the time is a number"),
        clock_skew: 0,
    };
    verify(token, &[], &rules, &demand).map(|verified| verified.expires_at)
}
