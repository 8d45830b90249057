//! Who may do what.

use futures_util::StreamExt;
use hyco_emulator::{EmulatorOptions, HybridConnectionOptions, Right, Rights, Rule};

use crate::support::{Relay, next_accept, unix_now, with_headers};

const LISTEN: &str = "/$hc/hyco?sb-hc-action=listen";
const CONNECT: &str = "/$hc/hyco?sb-hc-action=connect";
const ROOT: &str = "RootManageSharedAccessKey";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A relay that is contoso.servicebus.windows.net in the year 2023.
async fn contoso() -> Relay {
    Relay::with(EmulatorOptions {
        hosts: vec!["contoso.servicebus.windows.net".to_owned()],
        rules: vec![Rule::new(ROOT, KEY, Rights::ALL).unwrap()],
        clock_skew: unix_now() - 1_699_999_000,
        ..EmulatorOptions::default()
    })
    .await
}

#[tokio::test]
async fn a_missing_action_means_connect_and_an_unknown_one_is_refused_e1() {
    let relay = Relay::start().await;
    let token = relay.token("hyco");
    let head = relay.handshake_with("/$hc/hyco", &token).await;
    assert!(
        head.reason.starts_with("There are no listeners connected"),
        "{head:?}"
    );
    let head = relay
        .handshake_with("/$hc/hyco?sb-hc-action=", &token)
        .await;
    assert_eq!(head.status, 404);
    let head = relay
        .handshake_with("/$hc/hyco?sb-hc-action=dance", &token)
        .await;
    assert_eq!(head.status, 400);
}

#[tokio::test]
async fn a_plain_request_to_a_web_socket_endpoint_is_refused_e2() {
    let relay = Relay::start().await;
    let head = relay.raw("GET /$hc/hyco HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(head.status, 400);
    assert!(
        head.reason
            .starts_with("This endpoint is only for web-socket requests"),
        "{head:?}"
    );
}

#[tokio::test]
async fn a_hybrid_connection_is_found_by_whole_segments_in_any_case_e3() {
    let options = EmulatorOptions {
        hybrid_connections: ["hyco", "hyco/deep", "Team/A"]
            .map(HybridConnectionOptions::new)
            .into(),
        ..EmulatorOptions::default()
    };
    let relay = Relay::with(options).await;
    let token = relay.token("");
    let mut deep = relay
        .open(relay.request("hyco/deep?sb-hc-action=listen"))
        .await
        .unwrap()
        .0;
    let sender = relay.connect_at("HYCO/Deep/suffix");
    assert!(
        next_accept(&mut deep).await["address"]
            .as_str()
            .unwrap()
            .contains("/HYCO/Deep/suffix?")
    );
    sender.abort();
    for (path, message) in [
        ("hyco/deeper", "There are no listeners"),
        ("team/a/b", "There are no listeners"),
        ("hyc", "Endpoint does not exist."),
        ("hycoo", "Endpoint does not exist."),
        ("team", "Endpoint does not exist."),
    ] {
        let head = relay.handshake_with(&format!("/$HC/{path}"), &token).await;
        assert_eq!(head.status, 404, "{path}");
        assert!(head.reason.starts_with(message), "{path}: {head:?}");
    }
}

#[tokio::test]
async fn tokens_as_the_clients_write_them_are_accepted_e4() {
    let relay = contoso().await;
    for token in [
        "sr=http%3a%2f%2fcontoso.servicebus.windows.net%2fhyco%2f&sig=o%2fwHGiDWmtEk39qwbjnJ%2fNWMThPHaRVa5%2br9b%2fGtBao%3d&se=1700000000&skn=RootManageSharedAccessKey",
        "sr=https%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco&sig=H7XaLe1P%2Bcc5KTYfT%2BqL5Y4Hir027oqHjAcO8dMgnHw%3D&se=1700000000&skn=RootManageSharedAccessKey",
        "sr=sb%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco&sig=Ibrr%2FmD4dAvAWVRPhz5f00wyx3Jb%2FXwYSrrL8HobgBo%3D&se=1700000000&skn=RootManageSharedAccessKey",
        "sr=sb%3A%2F%2Fcontoso.servicebus.windows.net&sig=KcOx0hLM9tdcCP7TwDMHQLyjtB4H6doobDIOrJ2TzTE%3D&se=1700000000&skn=RootManageSharedAccessKey",
        "sr=http%3A%2F%2Fcontoso.servicebus.windows.net%3A443%2Fhyco&sig=C74avtdEcrLs0txIUgcL1NdB6EcNBIirSiIlBltT4yU%3D&se=1700000000&skn=RootManageSharedAccessKey",
        "sr=HTTP%3A%2F%2FCONTOSO.servicebus.windows.net%2FHYCO%2F&sig=9Qw7Bjuh%2BMB1X0Y1%2BUpZQQUtWFvG3QHkBZliP%2Fx7r4Q%3D&se=1700000000&skn=RootManageSharedAccessKey",
        "sig=tuhFX2Ndv5VjlvNo2CTpzwErwQM2NQrNzQR93iOvuTk%3D&se=1700000000&skn=RootManageSharedAccessKey&sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2F",
    ] {
        let head = relay
            .handshake_with(LISTEN, &format!("SharedAccessSignature {token}"))
            .await;
        assert_eq!(head.status, 101, "{token}: {head:?}");
    }
}

#[tokio::test]
async fn bad_tokens_are_refused_with_the_reason_e4() {
    let relay = contoso().await;
    for (token, reason) in [
        (
            "sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco&sig=%2BMkbuZlQcESy1IKohN8Tbv29rANXrR8x9aAkOUG8oBY%3D&se=1700000001&skn=RootManageSharedAccessKey",
            "InvalidSignature: ",
        ),
        (
            "sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyc&sig=4%2Bks5%2FrnKkroVvwKInRJ8qUO5A4YSuM5WKHp5fNYsV0%3D&se=1700000000&skn=RootManageSharedAccessKey",
            "InvalidAudience: ",
        ),
        (
            "sr=http%3A%2F%2Ffabrikam.servicebus.windows.net%2Fhyco&sig=XE60VBkT79RMZMH%2FvrwPHfbba2B26hpBBGo7ND%2FabwY%3D&se=1700000000&skn=RootManageSharedAccessKey",
            "InvalidAudience: ",
        ),
        (
            "sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco&sig=%2BMkbuZlQcESy1IKohN8Tbv29rANXrR8x9aAkOUG8oBY%3D&se=1700000000&skn=Nobody",
            "InvalidSignature: ",
        ),
        (
            "sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco&sig=%2BMkbuZlQcESy1IKohN8Tbv29rANXrR8x9aAkOUG8oBY%3D&se=1700000000",
            "MalformedToken: ",
        ),
    ] {
        let head = relay
            .handshake_with(LISTEN, &format!("SharedAccessSignature {token}"))
            .await;
        assert_eq!(head.status, 401);
        assert!(head.reason.starts_with(reason), "{head:?}");
    }
    let head = relay.handshake(LISTEN, "").await;
    assert_eq!(
        (head.status, head.reason.starts_with("MissingToken: ")),
        (401, true),
        "{head:?}"
    );
}

#[tokio::test]
async fn the_header_wins_over_the_query_and_an_empty_one_counts_as_absent_e5() {
    let relay = Relay::start().await;
    let token = relay.token("hyco");
    let query = token
        .replace('%', "%25")
        .replace('&', "%26")
        .replace(' ', "+");
    let by_query = format!("{LISTEN}&sb-hc-token={query}");
    assert_eq!(relay.handshake(&by_query, "").await.status, 101);
    assert_eq!(relay.handshake_with(&by_query, "").await.status, 101);
    assert_eq!(
        relay.handshake_with(&by_query, "nonsense").await.status,
        401
    );
    let bad_query = format!("{LISTEN}&sb-hc-token=nonsense");
    assert_eq!(relay.handshake_with(&bad_query, &token).await.status, 101);
}

#[tokio::test]
async fn senders_of_an_open_hybrid_connection_need_no_token_but_listeners_do_e6_e10() {
    let open = HybridConnectionOptions {
        requires_client_authorization: false,
        ..HybridConnectionOptions::new("hyco")
    };
    let options = EmulatorOptions {
        hybrid_connections: vec![open],
        ..EmulatorOptions::default()
    };
    let relay = Relay::with(options).await;
    assert_eq!(relay.handshake(LISTEN, "").await.status, 401);

    let mut control = relay.listen().await;
    let headers = [
        ("Authorization", "Basic abc"),
        ("ServiceBusAuthorization", "nonsense"),
    ];
    let sender = tokio::spawn(relay.open(with_headers(&relay.url("hyco"), &headers)));
    let accept = next_accept(&mut control).await;
    assert_eq!(accept["connectHeaders"]["Authorization"], "Basic abc");
    assert!(
        accept["connectHeaders"]
            .get("Servicebusauthorization")
            .is_none()
    );
    let (mut listener, _) = relay.dial(&accept).await.unwrap();
    drop(sender.await.unwrap().unwrap());
    assert!(listener.next().await.unwrap().is_err());
}

#[tokio::test]
async fn rules_are_looked_up_at_the_hybrid_connection_and_then_at_the_namespace_e7() {
    let rule = |name: &str, key: &str| Rule::new(name, key, Rights::ALL).unwrap();
    let own = rule("shared", "own key")
        .with_secondary_key("second key")
        .unwrap();
    let connection = HybridConnectionOptions {
        rules: vec![own],
        ..HybridConnectionOptions::new("hyco")
    };
    let relay = Relay::with(EmulatorOptions {
        hybrid_connections: vec![connection, HybridConnectionOptions::new("other")],
        rules: vec![rule(ROOT, "root key"), rule("shared", "namespace key")],
        ..EmulatorOptions::default()
    })
    .await;
    let end = unix_now() + 3600;
    for (path, rule, key, status) in [
        ("hyco", "shared", "own key", 101),
        ("hyco", "SHARED", "second key", 101),
        ("hyco", "shared", "namespace key", 101),
        ("hyco", "rootmanagesharedaccesskey", "root key", 101),
        ("hyco", "shared", "root key", 401),
        ("other", "shared", "own key", 401),
        ("other", "shared", "namespace key", 101),
    ] {
        let token = relay.sign(path, rule, key, end);
        let target = format!("/$hc/{path}?sb-hc-action=listen");
        let head = relay.handshake_with(&target, &token).await;
        assert_eq!(head.status, status, "{path} {rule} {key}: {head:?}");
    }
}

#[tokio::test]
async fn a_right_grants_what_it_says_and_manage_grants_all_e8() {
    let rule = |name: &str, right| Rule::new(name, "key", Rights::from_iter([right])).unwrap();
    let relay = Relay::with(EmulatorOptions {
        rules: vec![
            rule("listen", Right::Listen),
            rule("send", Right::Send),
            rule("manage", Right::Manage),
        ],
        ..EmulatorOptions::default()
    })
    .await;
    for (rule, listen, connect) in [
        ("listen", 101, 401),
        ("send", 401, 404),
        ("manage", 101, 404),
    ] {
        let token = relay.sign("hyco", rule, "key", unix_now() + 3600);
        assert_eq!(
            relay.handshake_with(LISTEN, &token).await.status,
            listen,
            "{rule}"
        );
        // The listener's connection is gone, but the relay may not have noticed: use another path.
        let head = relay
            .handshake_with("/$hc/hyco/x?sb-hc-action=dance", &token)
            .await;
        assert_eq!(head.status, 400);
        let head = relay.handshake_with(CONNECT, &token).await;
        if connect == 401 {
            let text = "Authorization failed for specified action: Send.";
            assert!(
                head.status == 401 && head.reason.starts_with(text),
                "{head:?}"
            );
        } else {
            assert_ne!(head.status, 401, "{rule}: {head:?}");
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_now_has_ended_e9() {
    let relay = Relay::start().await;
    let rule = relay.emulator.rule();
    let token = relay.sign("hyco", rule.name(), rule.primary_key(), unix_now());
    let head = relay.handshake_with(LISTEN, &token).await;
    assert_eq!(head.status, 401);
    assert!(
        head.reason
            .starts_with("ExpiredToken: The token is expired."),
        "{head:?}"
    );
}

#[tokio::test]
async fn every_answer_names_its_tracking_id_e11() {
    let relay = Relay::start().await;
    let token = relay.token("hyco");
    let id = "7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11";
    let head = relay
        .handshake_with(&format!("{LISTEN}&sb-hc-id={id}"), &token)
        .await;
    assert_eq!(
        (head.status, head.header("TrackingId")),
        (101, Some(&*format!("{id}_G1")))
    );

    let head = relay
        .handshake(&format!("{CONNECT}&sb-hc-id={id}"), "")
        .await;
    assert_eq!(head.header("TrackingId"), Some(&*format!("{id}_G1")));
    let tracked = format!("TrackingId:{id}_G1, SystemTracker:sb://localhost/hyco, Timestamp:20");
    assert!(head.reason.contains(&tracked), "{head:?}");

    let head = relay.handshake(CONNECT, "").await;
    assert_eq!(
        head.header("trackingid").map(str::len),
        Some(39),
        "{head:?}"
    );
}

#[tokio::test]
async fn reason_phrases_are_printable_whatever_comes_in_e12() {
    let relay = Relay::start().await;
    let target = "/$hc/hyco?sb-hc-id=a%0d%0aX-Evil:%20yes%0d%0a%0d%0a%c3%bc%00";
    let head = relay.handshake(target, "").await;
    assert_eq!((head.status, head.header("X-Evil")), (401, None));
    assert!(
        head.reason
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte)),
        "{head:?}"
    );
}

#[tokio::test]
async fn what_does_not_exist_is_told_only_to_those_who_may_know_e13() {
    let relay = Relay::start().await;
    let token = relay.token("");
    let nothing = "/$hc/nothing?sb-hc-action=listen";
    assert_eq!(relay.handshake(nothing, "").await.status, 401);
    let head = relay.handshake_with(nothing, &token).await;
    assert_eq!(
        (
            head.status,
            head.reason.starts_with("Endpoint does not exist.")
        ),
        (404, true)
    );
    let head = relay.handshake_with(CONNECT, &token).await;
    assert_eq!(head.status, 404);
    assert!(
        head.reason
            .starts_with("There are no listeners connected for the endpoint.")
    );
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let relay = Relay::start().await;
    let good = crate::support::handshake(LISTEN, "");
    for (from, to, status) in [
        ("Version: 13", "Version: 8", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("GET ", "POST ", 400),
        ("/$hc/", "/", 400),
    ] {
        let head = relay.raw(&good.replace(from, to)).await;
        assert_eq!(head.status, status, "{to}: {head:?}");
        assert_eq!(head.header("Connection"), Some("close"));
        assert_eq!(
            head.header("Sec-WebSocket-Version").is_some(),
            status == 426
        );
    }
}

#[tokio::test]
async fn ten_thousand_refusals_in_a_row_leave_nothing_behind_e70() {
    let options = EmulatorOptions {
        max_connections: 4,
        ..EmulatorOptions::default()
    };
    let relay = Relay::with(options).await;
    for _ in 0..2_500 {
        let heads = tokio::join!(
            relay.handshake(LISTEN, ""),
            relay.handshake(LISTEN, ""),
            relay.handshake(LISTEN, ""),
            relay.handshake(LISTEN, ""),
        );
        assert_eq!((heads.0.status, heads.3.status), (401, 401));
    }
    let token = relay.token("hyco");
    assert_eq!(relay.handshake_with(LISTEN, &token).await.status, 101);
}
