//! Connection strings: docs/protocol.md, 6.2.

use std::time::Duration;

use hyco_protocol::{ConnectionString, Credential, Error};

fn parse(text: &str) -> ConnectionString {
    ConnectionString::parse(text).expect("the string is valid")
}

fn refusal(text: &str) -> String {
    ConnectionString::parse(text)
        .expect_err("the string is refused")
        .to_string()
}

#[test]
fn the_string_of_the_portal_is_read_c61() {
    let string = parse(
        "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;\
         SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=;EntityPath=hyco",
    );
    assert_eq!(string.endpoint().host(), "contoso.servicebus.windows.net");
    assert_eq!(string.entity_path(), Some("hyco"));
    let Credential::Key { name, key } = string.credential() else {
        panic!()
    };
    assert_eq!(name, "RootManageSharedAccessKey");
    assert_eq!(key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let address = string.address(None).unwrap();
    assert_eq!(
        address.to_string(),
        "wss://contoso.servicebus.windows.net/$hc/hyco"
    );
    assert!(string.unknown_keys().is_empty() && !string.development_emulator());
}

#[test]
fn separators_case_and_blanks_do_not_matter_c61() {
    let string = parse(
        ";; ENDPOINT = wss://ns.example ; sharedaccesskeyname=r;;SHAREDACCESSKEY=a=b== ;TransportType=x; ;",
    );
    let Credential::Key { key, .. } = string.credential() else {
        panic!()
    };
    assert_eq!(key, "a=b==");
    assert_eq!(string.unknown_keys(), ["TransportType"]);
}

#[test]
fn members_exclude_each_other_c61() {
    let endpoint = "Endpoint=sb://ns.example/";
    let sas = "SharedAccessSignature=SharedAccessSignature sr=a&sig=b&se=1&skn=r";
    for (rest, mentioned) in [
        ("SharedAccessKeyName=r", "SharedAccessKey"),
        ("SharedAccessKey=k", "SharedAccessKeyName"),
        (
            &format!("SharedAccessKeyName=r;SharedAccessKey=k;{sas}"),
            "exclude",
        ),
        (
            &format!("Authentication=Managed Identity;{sas}"),
            "Authentication",
        ),
        (
            "Authentication=x;SharedAccessKeyName=r;SharedAccessKey=k",
            "Authentication",
        ),
        ("SharedAccessKeyName=;SharedAccessKey=k", "name is empty"),
        ("SharedAccessSignature=secret", "SharedAccessSignature"),
        ("EntityPath=", "EntityPath"),
        ("EntityPath=a;entitypath=b", "twice"),
        ("novalue", "'='"),
        ("UseDevelopmentEmulator=yes", "UseDevelopmentEmulator"),
        ("OperationTimeout=soon", "OperationTimeout"),
    ] {
        let message = refusal(&format!("{endpoint};{rest}"));
        assert!(message.contains(mentioned), "{rest}: {message}");
        assert!(!message.contains("secret"));
    }
    for text in [
        "",
        ";;",
        "EntityPath=h",
        "Endpoint=",
        "Endpoint=ns.example",
        "Endpoint=ftp://x",
    ] {
        let error = ConnectionString::parse(text).unwrap_err();
        assert_eq!(error.code(), "HYCO_ERR_INVALID_CONNECTION_STRING");
        assert!(matches!(error, Error::InvalidConnectionString(_)));
    }
}

#[test]
fn every_credential_is_known_c61() {
    let with = |rest: &str| {
        parse(&format!("Endpoint=sb://ns.example/;{rest}"))
            .credential()
            .clone()
    };
    assert_eq!(with(""), Credential::None);
    let token = "SharedAccessSignature sr=a&sig=b%3D&se=1&skn=r";
    assert_eq!(
        with(&format!("SharedAccessSignature={token}")),
        Credential::Token(token.to_owned())
    );
    for spelling in ["Managed Identity", "managedidentity", " MANAGED  IDENTITY "] {
        let expected = Credential::Identity("Managed Identity".to_owned());
        assert_eq!(with(&format!("Authentication={spelling}")), expected);
    }
    assert_eq!(
        with("Authentication=Other"),
        Credential::Identity("Other".to_owned())
    );
}

#[test]
fn the_path_is_named_by_the_string_or_beside_it() {
    let with = parse("Endpoint=sb://ns.example/;EntityPath=/team/a b/");
    assert_eq!(
        with.address(None).unwrap().to_string(),
        "wss://ns.example/$hc/team/a%20b"
    );
    for other in ["x", "team", "team/a bc", "team/a"] {
        let refusal = with.address(Some(other)).unwrap_err().to_string();
        assert!(refusal.contains("'team/a b'"), "{refusal}");
    }
    for (same, address) in [
        ("team/a b", "wss://ns.example/$hc/team/a%20b"),
        ("/team/a b/c", "wss://ns.example/$hc/team/a%20b/c"),
    ] {
        assert_eq!(with.address(Some(same)).unwrap().to_string(), address);
    }
    let without = parse("Endpoint=sb://ns.example?ignored");
    assert_eq!(
        without.address(Some("x?y")).unwrap().to_string(),
        "wss://ns.example/$hc/x%3Fy"
    );
    assert!(without.address(None).is_err());
}

#[test]
fn the_emulators_string_means_its_port_and_no_tls_c62() {
    let emulator = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;\
                    EntityPath=hyco;UseDevelopmentEmulator=true;";
    for (endpoint, address) in [
        ("sb://localhost", "ws://localhost:9400/$hc/hyco"),
        ("sb://localhost:5672/", "ws://localhost:5672/$hc/hyco"),
        ("wss://localhost", "wss://localhost:9400/$hc/hyco"),
        ("https://localhost:1/", "wss://localhost:1/$hc/hyco"),
        ("http://127.0.0.1", "ws://127.0.0.1:9400/$hc/hyco"),
    ] {
        let string = parse(&format!("Endpoint={endpoint};{emulator}"));
        assert!(string.development_emulator());
        assert_eq!(string.address(None).unwrap().to_string(), address);
    }
    let off = parse("Endpoint=sb://ns.example;EntityPath=h;UseDevelopmentEmulator=FALSE");
    assert_eq!(
        off.address(None).unwrap().to_string(),
        "wss://ns.example/$hc/h"
    );
}

#[test]
fn the_operation_timeout_has_two_forms_c63() {
    let timeout = |text: &str| {
        ConnectionString::parse(&format!("Endpoint=sb://ns/;OperationTimeout={text}"))
            .ok()
            .and_then(|string| string.operation_timeout())
    };
    assert_eq!(timeout("00:01:10"), Some(Duration::from_secs(70)));
    assert_eq!(timeout("00:00:00.5"), Some(Duration::from_millis(500)));
    assert_eq!(
        timeout("1.02:03:04.0000001"),
        Some(Duration::new(93_784, 100))
    );
    assert_eq!(timeout("90"), Some(Duration::from_secs(90)));
    for bad in [
        "0", "00:00:00", "-1", "1:2", "00:60:00", "24:00:00", "x", "", "1:2:3:4", "1.5",
    ] {
        assert_eq!(timeout(bad), None, "{bad}");
    }
    for huge in [
        "99999999999999999999",
        "213503982334602.00:00:00",
        "00:00:00.0000000001",
    ] {
        assert_eq!(timeout(huge), None, "{huge}");
    }
}

#[test]
fn a_string_is_written_back_and_hides_its_secrets_in_debug_c9() {
    let text = "Endpoint=sb://ns.example:5671/;SharedAccessKeyName=r;SharedAccessKey=topsecret=;\
                EntityPath=h;OperationTimeout=1.00:00:01.500000000;UseDevelopmentEmulator=true";
    let string = parse(text);
    assert_eq!(string.to_string(), text);
    assert!(!format!("{string:?}").contains("topsecret"));
    let token = parse("Endpoint=sb://ns/;SharedAccessSignature=SharedAccessSignature topsecret");
    assert!(!format!("{token:?}").contains("topsecret"));
    assert_eq!(parse(&token.to_string()), token);
}
