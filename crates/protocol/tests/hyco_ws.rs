//! The drop-in functions against what hyco-ws 1.0.5 returns, character by character.

use hyco_protocol::{
    token::{expires_at, sign_drop_in},
    uri::{append_token, base_uri, listen_uri, send_uri},
};
use serde_json::Value;

#[test]
fn addresses_and_tokens_equal_those_of_hyco_ws() {
    let golden: Value = serde_json::from_str(include_str!("../testdata/hyco-ws.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let result = case["result"].as_str().unwrap();
        let argument = |at: usize| case["arguments"][at].as_str();
        let (first, second) = (argument(0).unwrap(), argument(1).unwrap());
        let ours = match case["function"].as_str().unwrap() {
            "createRelayBaseUri" => base_uri(first, second),
            "createRelayListenUri" => listen_uri(first, second, argument(2), argument(3)),
            "createRelaySendUri" => send_uri(first, second, argument(2), argument(3)),
            "createRelayToken" => {
                // The clock is JavaScript's; here the expiry is taken from the result.
                let (_, fields) = result.split_once("&se=").unwrap();
                let expiry = fields.split('&').next().unwrap().parse().unwrap();
                sign_drop_in(first, second, argument(2).unwrap(), expiry).unwrap()
            }
            "appendRelayToken" => {
                let expiry = golden["now"].as_u64().unwrap() + 60;
                let token = sign_drop_in(first, second, argument(2).unwrap(), expiry).unwrap();
                assert_eq!(expires_at(&token), Some(expiry));
                append_token(first, &token).unwrap()
            }
            other => panic!("unknown function {other}"),
        };
        assert_eq!(ours, result, "{case}");
    }
}

#[test]
fn a_namespace_may_carry_scheme_and_port() {
    for (namespace, base) in [
        ("ws://localhost:9400", "ws://localhost:9400/$hc/hyco"),
        ("localhost:9400", "wss://localhost:9400/$hc/hyco"),
        ("sb://ns.example/", "wss://ns.example:443/$hc/hyco"),
        ("https://ns.example/other", "wss://ns.example:443/$hc/hyco"),
        ("http://localhost", "ws://localhost:80/$hc/hyco"),
        ("wss://[::1]", "wss://[::1]:443/$hc/hyco"),
        ("ws://[::1]:9400", "ws://[::1]:9400/$hc/hyco"),
    ] {
        assert_eq!(base_uri(namespace, "hyco"), base);
    }
}

#[test]
fn an_unusable_path_becomes_usable() {
    assert_eq!(base_uri("ns", "/hyco"), "wss://ns:443/$hc/hyco");
    assert_eq!(
        base_uri("ns", "a b\"<>\\^`{|}ü"),
        "wss://ns:443/$hc/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%C3%BC"
    );
    assert_eq!(
        listen_uri("ns", "a#b", None, None),
        "wss://ns:443/$hc/a%23b?sb-hc-action=listen"
    );
}

#[test]
fn a_token_is_appended_with_and_without_query_and_fragment() {
    for (uri, appended) in [
        (
            "wss://ns.example/$hc/h",
            "wss://ns.example/$hc/h?sb-hc-token=a%20b",
        ),
        ("wss://ns.example", "wss://ns.example/?sb-hc-token=a%20b"),
        (
            "sb://ns.example/h#f",
            "sb://ns.example/h?sb-hc-token=a%20b#f",
        ),
        (
            "wss://ns.example/h?x=1#f",
            "wss://ns.example/h?x=1&sb-hc-token=a%20b#f",
        ),
    ] {
        assert_eq!(append_token(uri, "a b").unwrap(), appended);
    }
}
