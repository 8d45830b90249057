//! What holds for every input: what is written is read back, and nothing panics.

use hyco_protocol::{
    Accept, Action, Address, Command, ConnectionString, Demand, FullRequest, Headers,
    RemoteEndpoint, Reply, Request, Response, Right, Rights, Rule, SasToken, Target, names,
    query::{parameter, strip_query},
    redact,
    status::{clean_reason, error_text, is_clean_reason},
    target::find_entity,
    time::timestamp,
    token::{WebToken, expires_at, sign_canonical, sign_drop_in},
    tracking::{bare_id, extract_tracking_id, is_guid, new_guid},
    uri::{
        accept_address, append_token, application_url, base_uri, listen_uri, reject_address,
        send_uri,
    },
    verify,
};
use proptest::{collection::vec, option, prelude::*};

/// Texts with many of the characters that mean something somewhere.
const NASTY: &str = r#"([a-zA-Z0-9]|[$%&=?#/:;@+ ._~'"\[\]{}|<>\\^`-]|%[0-9a-f]{2}|sb-hc-|\$hc/|://|SharedAccessSignature |eyJ|\PC){0,30}"#;

fn path() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._~%é日 ?#&=+-]{1,8}(/[a-zA-Z0-9._~%é日 ?#&=+-]{1,8}){0,3}"
}

fn headers() -> impl Strategy<Value = Headers> {
    // One spelling per name: repeated names are joined, so they cannot come back.
    prop::collection::btree_map("[a-z][a-z0-9-]{0,8}", "\\PC{0,12}", 0..5)
        .prop_map(|map| Headers(map.into_iter().collect()))
}

fn remote() -> impl Strategy<Value = Option<RemoteEndpoint>> {
    option::of(
        ("\\PC{0,12}", any::<u16>()).prop_map(|(address, port)| RemoteEndpoint { address, port }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_a_parser_panic(text in NASTY, other in NASTY, number in any::<u64>(), code: u16) {
        let _ = Address::parse(&text);
        let _ = Address::parse(&format!("wss://{text}")).map(|address| {
            let address = address.join(&other).for_websocket().ensure_id(&other).with_token(&other);
            (address.audience(), address.action(), address.without_token().to_string())
        });
        let target = Target::parse(&text);
        let _ = (target.action(), target.rejection(), target.application_target());
        let _ = (strip_query(&text), parameter(&text, &other), redact(&text));
        let _ = (base_uri(&text, &other), append_token(&text, &other), application_url(&text));
        let _ = (reject_address(&text, code, Some(&other)), find_entity(&text, [other.as_str()]));
        let _ = (sign_drop_in(&text, "r", "k", number), sign_canonical(&text, "r", "k", number));
        let _ = (SasToken::parse(&text), WebToken::parse(&text), expires_at(&text));
        let _ = SasToken::parse(&format!("SharedAccessSignature {text}"));
        let _ = SasToken::parse(&format!("SharedAccessSignature sr={text}&sig={text}&se=1&skn=r"))
            .map(|token| (token.is_signed_with(&other), token.audience()));
        let _ = (Command::parse(&text), Reply::parse(&text));
        let _ = (ConnectionString::parse(&text), ConnectionString::parse(&format!("Endpoint=sb://n;{text}")));
        let _ = (bare_id(&text), extract_tracking_id(&text), timestamp(number));
        let rules = [Rule::new("r", "k", Rights::ALL).unwrap()];
        let hosts = [other.clone()];
        let demand = Demand { hosts: &hosts, path: &text, right: Some(Right::Send), now: number, clock_skew: number };
        let _ = verify(&text, &rules, &rules, &demand);
    }

    #[test]
    fn an_address_is_read_back(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}", port in option::of(any::<u16>()), rest in NASTY) {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let address = Address::parse(&format!("wss://{host}{port}/{rest}")).unwrap();
        prop_assert!(address.to_string().bytes().all(|b| (b'!'..=b'~').contains(&b)));
        prop_assert_eq!(&Address::parse(&address.to_string()).unwrap(), &address);
        prop_assert_eq!(&address.clone().for_websocket().for_websocket(), &address.for_websocket());
    }

    #[test]
    fn what_a_client_asks_the_relay_understands(
        path in path(), token in "\\PC{1,20}", id in "\\PC{1,20}",
    ) {
        for (uri, action) in [
            (listen_uri("ns.example", &path, Some(&token), Some(&id)), Action::Listen),
            (send_uri("ns.example", &path, Some(&token), Some(&id)), Action::Connect),
        ] {
            let target = Target::parse(&uri);
            prop_assert!(target.hybrid);
            prop_assert_eq!(target.action(), Ok(action));
            prop_assert_eq!(target.token.as_deref(), Some(token.as_str()));
            prop_assert_eq!(target.id.as_deref(), Some(id.as_str()));
            prop_assert!(!target.application_target().contains(names::PREFIX));
        }
    }

    #[test]
    fn a_joined_path_names_its_hybrid_connection(path in "[a-zA-Z0-9._~%é日?#&=+-]{1,8}(/[a-z]{1,4}){0,2}") {
        let address = Address::parse("sb://ns.example/").unwrap().join(&path).for_websocket();
        // As the emulator registers it: the plain text, percent-encoded.
        let name = address.entity_path().trim_start_matches('/').to_owned();
        let loud = address.entity_path().to_uppercase();
        prop_assert_eq!(find_entity(&loud, [name.as_str()]), Some((name.as_str(), "")));
    }

    #[test]
    fn a_sender_and_its_listener_see_the_same_url(path in path(), query in NASTY, id in "\\PC{1,20}") {
        let seen = Target::parse(&format!("/$hc/{path}?{query}").replace('#', ""));
        let address = accept_address("wss://g1.example", &seen.path, &seen.query, &id);
        let accepted = Target::parse(&address);
        prop_assert_eq!(accepted.action(), Ok(Action::Accept));
        prop_assert_eq!(accepted.id.as_deref(), Some(id.as_str()));
        prop_assert_eq!(application_url(&address), application_url(&seen.application_target()));
        let rejected = reject_address(&address, 503, Some("Busy & gone")).unwrap();
        let rejection = Target::parse(&rejected).rejection().unwrap().unwrap();
        prop_assert_eq!((rejection.status, rejection.description.as_deref()), (503, Some("Busy & gone")));
    }

    #[test]
    fn a_signed_token_is_read_back_and_verified(
        path in "[a-zA-Z0-9._~é日-]{1,8}(/[a-zA-Z0-9é日]{1,8}){0,3}", name in "\\PC{1,20}", key in "\\PC{1,20}", expiry in 1_u64..1 << 40,
    ) {
        let uri = format!("sb://NS.example:9400/$hc/{path}?x=1");
        let rules = [Rule::new(&name, &key, Rights::ALL).unwrap()];
        let hosts = ["ns.example".to_owned()];
        let path = Address::parse(&uri).unwrap();
        for token in [sign_drop_in(&uri, &name, &key, expiry).unwrap(), sign_canonical(&uri, &name, &key, expiry).unwrap()] {
            let parsed = SasToken::parse(&token).unwrap();
            prop_assert_eq!(parsed.rule(), &name);
            prop_assert_eq!(parsed.expires_at(), expiry);
            prop_assert_eq!(&SasToken::parse(&parsed.to_string()).unwrap(), &parsed);
            let demand = Demand { hosts: &hosts, path: path.entity_path(), right: Some(Right::Listen), now: expiry - 1, clock_skew: 0 };
            let verified = verify(&token, &rules, &[], &demand);
            prop_assert!(verified.is_ok(), "{:?}", verified);
            prop_assert!(!redact(&token).contains("sig=") || redact(&token).contains("sig=***"));
        }
    }

    #[test]
    fn a_connection_string_is_read_back(
        host in "[a-z]{1,8}", port in option::of(1_u16..), path in option::of("[a-zA-Z0-9][a-zA-Z0-9 =._/-]{0,10}[a-zA-Z0-9]"),
        credential in prop_oneof![
            Just(String::new()),
            ("[^;=\\s]{1,8}", "[^;\\s]{1,16}").prop_map(|(n, k)| format!(";SharedAccessKeyName={n};SharedAccessKey={k}")),
            "[^;\\s]{1,16}".prop_map(|t| format!(";SharedAccessSignature=SharedAccessSignature {t}")),
            Just(";Authentication=managedidentity".to_owned()),
        ],
        timeout in option::of(1_u32..), emulator: bool,
    ) {
        let mut text = format!("Endpoint=sb://{host}{}/{credential}", port.map_or(String::new(), |p| format!(":{p}")));
        if let Some(path) = &path { text.push_str(&format!(";EntityPath={path}")); }
        if let Some(timeout) = timeout { text.push_str(&format!(";OperationTimeout={timeout}")); }
        if emulator { text.push_str(";UseDevelopmentEmulator=true"); }
        let string = ConnectionString::parse(&text).unwrap();
        prop_assert_eq!(ConnectionString::parse(&string.to_string()).unwrap(), string);
    }

    #[test]
    fn commands_are_read_back(
        address in NASTY, id in "\\PC{1,20}", headers in headers(), remote_endpoint in remote(),
        request_target in NASTY, method in "[A-Z]{1,8}", body: bool,
        status_code in 100_u16..=999, status_description in option::of("\\PC{0,20}"), keys in vec(NASTY, 0..3),
    ) {
        let accept = Accept { address: address.clone(), id: id.clone(), connect_headers: headers.clone(), remote_endpoint: remote_endpoint.clone() };
        let full = FullRequest { address: address.clone(), id: id.clone(), request_target, method, remote_endpoint, request_headers: headers.clone(), body };
        for command in [Command::Accept(accept), Command::Request(Request::Full(full)), Command::Request(Request::Pointer { address })] {
            prop_assert_eq!(Command::parse(&command.to_json()), Ok(command));
        }
        let response = Response { request_id: id.clone(), status_code, status_description, response_headers: headers, body };
        for reply in [Reply::RenewToken(id), Reply::Response(response)] {
            prop_assert_eq!(Reply::parse(&reply.to_json()), Ok(reply));
        }
        for key in keys {
            let unknown = Reply::parse(&Reply::Unknown(key.clone()).to_json());
            prop_assert_eq!(unknown, Ok(Reply::Unknown(key)));
        }
    }

    #[test]
    fn reason_phrases_are_always_clean_e12(message in "(\\PC|[\\r\\n\\x00-\\x1f]){0,40}", id in NASTY, tracker in NASTY, now: u64) {
        prop_assert!(is_clean_reason(&clean_reason(&message)));
        prop_assert!(is_clean_reason(&error_text(&message, &id, &tracker, now)));
    }

    #[test]
    fn ids_keep_their_guid(random: [u8; 16], nodes in vec(any::<u16>(), 0..4)) {
        let guid = new_guid(random);
        prop_assert!(is_guid(&guid));
        let suffixes: String = nodes.iter().map(|node| format!("_G{node}")).collect();
        let (long, plain) = (format!("{guid}{suffixes}"), format!("id{suffixes}"));
        prop_assert_eq!(bare_id(&long), &guid);
        prop_assert_eq!(bare_id(&plain), "id");
    }
}
