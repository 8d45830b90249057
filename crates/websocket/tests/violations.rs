//! Frames that break the protocol, and what `ws` says about them.

mod common;

use common::{MASK, OF_CLIENT, OF_SERVER, Reading, Record, frame};
use hyco_websocket::{DecoderConfig, OpCode, Violation};

/// Bytes, and the violation they are.
type Case<'a> = (&'a [u8], Violation);

fn assert_violations(config: DecoderConfig, cases: &[Case<'_>]) {
    for (bytes, violation) in cases {
        assert_eq!(
            Reading::all(config, bytes),
            [Record::Violation(*violation)],
            "{bytes:02x?}"
        );
    }
}

#[test]
fn headers_are_checked_in_the_order_of_ws() {
    assert_violations(
        OF_SERVER,
        &[
            (&[0xc1, 0x00], Violation::UnexpectedRsv1),
            (&[0xa1, 0x00], Violation::UnexpectedRsv23),
            (&[0x91, 0x00], Violation::UnexpectedRsv23),
            (&[0xff, 0xff], Violation::UnexpectedRsv23),
            (&[0xcf, 0xff], Violation::UnexpectedRsv1),
            (&[0x80, 0x00], Violation::InvalidOpcode(0)),
            (&[0x83, 0x80], Violation::InvalidOpcode(3)),
            (&[0x8f, 0xff], Violation::InvalidOpcode(15)),
            (&[0x01, 0x00, 0x81, 0x00], Violation::InvalidOpcode(1)),
            (&[0x01, 0x00, 0x02, 0x00], Violation::InvalidOpcode(2)),
            (&[0x09, 0xff], Violation::ExpectedFin),
            (&[0x89, 0x7e], Violation::InvalidControlLength(126)),
            (&[0x8a, 0xff], Violation::InvalidControlLength(127)),
            (&[0x88, 0x81], Violation::InvalidControlLength(1)),
            (&[0x81, 0x80], Violation::UnexpectedMask),
            (
                &[0x82, 0x7f, 0, 0x20, 0, 0, 0, 0, 0, 0],
                Violation::LengthNotSafe,
            ),
        ],
    );
    assert_violations(OF_CLIENT, &[(&[0x81, 0x00], Violation::ExpectedMask)]);
}

#[test]
fn close_frames_are_checked() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535_u16] {
        let bytes = frame(true, OpCode::Close, &code.to_be_bytes(), None);
        assert_violations(OF_SERVER, &[(&bytes, Violation::InvalidCloseCode(code))]);
    }
    for code in [1000, 1003, 1007, 1014, 3000, 4999_u16] {
        let bytes = frame(true, OpCode::Close, &code.to_be_bytes(), MASK);
        assert_eq!(
            Reading::all(OF_CLIENT, &bytes),
            [Record::Close(Some(code), Vec::new())]
        );
    }
    let reason = frame(true, OpCode::Close, b"\x03\xe8\xc0\x80", None);
    assert_violations(OF_SERVER, &[(&reason, Violation::InvalidUtf8)]);
}

#[test]
fn text_is_checked() {
    for text in [
        &b"\x80"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"abc\xe2\x82",
    ] {
        let bytes = frame(true, OpCode::Text, text, None);
        assert_violations(OF_SERVER, &[(&bytes, Violation::InvalidUtf8)]);
        let mut fragments = frame(false, OpCode::Text, text, None);
        fragments.extend(frame(true, OpCode::Continuation, b"", None));
        assert_violations(OF_SERVER, &[(&fragments, Violation::InvalidUtf8)]);
    }
}

#[test]
fn a_message_may_not_be_longer_than_allowed() {
    let config = DecoderConfig {
        max_payload: 10,
        ..OF_SERVER
    };
    let most = frame(true, OpCode::Binary, &[7; 10], None);
    assert_eq!(
        Reading::all(config, &most),
        [Record::Message {
            text: false,
            payload: vec![7; 10]
        }]
    );
    assert_violations(
        config,
        &[
            (&[0x82, 11], Violation::MessageTooLong),
            (&[0x82, 126, 1, 0], Violation::MessageTooLong),
            (&[0x02, 1, 0, 0x80, 10], Violation::MessageTooLong),
        ],
    );
    // Control frames and empty fragments do not count, nor does the message before.
    let mut bytes = frame(false, OpCode::Binary, &[7; 10], None);
    bytes.extend(frame(true, OpCode::Ping, &[7; 100], None));
    bytes.extend(frame(true, OpCode::Continuation, &[], None));
    bytes.extend(most);
    assert_eq!(Reading::all(config, &bytes).len(), 3);
    assert!(
        !Reading::all(config, &bytes)
            .iter()
            .any(|r| matches!(r, Record::Violation(_)))
    );
}

#[test]
fn a_message_may_not_have_more_fragments_than_allowed() {
    let config = DecoderConfig {
        max_fragments: 2,
        ..OF_SERVER
    };
    let mut bytes = frame(false, OpCode::Binary, b"a", None);
    bytes.extend(frame(true, OpCode::Continuation, b"b", None));
    let whole = Record::Large {
        text: false,
        payload: b"ab".to_vec(),
        fragments: vec![1, 2],
    };
    bytes.extend(bytes.clone());
    assert_eq!(Reading::all(config, &bytes), [whole.clone(), whole]);
    assert_violations(
        config,
        &[(&[0x02, 0, 0x00, 0, 0x80, 0], Violation::TooManyFragments)],
    );
}

#[test]
fn violations_speak_as_ws_does() {
    let prefix = "Invalid WebSocket frame: ";
    for (violation, code, close_code, message) in [
        (
            Violation::UnexpectedRsv23,
            "UNEXPECTED_RSV_2_3",
            1002,
            "RSV2 and RSV3 must be clear",
        ),
        (
            Violation::UnexpectedRsv1,
            "UNEXPECTED_RSV_1",
            1002,
            "RSV1 must be clear",
        ),
        (
            Violation::InvalidOpcode(3),
            "INVALID_OPCODE",
            1002,
            "invalid opcode 3",
        ),
        (
            Violation::ExpectedFin,
            "EXPECTED_FIN",
            1002,
            "FIN must be set",
        ),
        (
            Violation::InvalidControlLength(126),
            "INVALID_CONTROL_PAYLOAD_LENGTH",
            1002,
            "invalid payload length 126",
        ),
        (
            Violation::ExpectedMask,
            "EXPECTED_MASK",
            1002,
            "MASK must be set",
        ),
        (
            Violation::UnexpectedMask,
            "UNEXPECTED_MASK",
            1002,
            "MASK must be clear",
        ),
        (
            Violation::InvalidCloseCode(1004),
            "INVALID_CLOSE_CODE",
            1002,
            "invalid status code 1004",
        ),
        (
            Violation::InvalidUtf8,
            "INVALID_UTF8",
            1007,
            "invalid UTF-8 sequence",
        ),
    ] {
        assert_eq!(violation.to_string(), format!("{prefix}{message}"));
        assert_eq!(violation.code(), format!("WS_ERR_{code}"));
        assert_eq!(violation.close_code(), close_code);
        assert_eq!(
            violation.is_range_error(),
            violation != Violation::InvalidUtf8
        );
    }
    for (violation, code, close_code, message) in [
        (
            Violation::LengthNotSafe,
            "UNSUPPORTED_DATA_PAYLOAD_LENGTH",
            1009,
            "Unsupported WebSocket frame: payload length > 2^53 - 1",
        ),
        (
            Violation::MessageTooLong,
            "UNSUPPORTED_MESSAGE_LENGTH",
            1009,
            "Max payload size exceeded",
        ),
        (
            Violation::TooManyFragments,
            "TOO_MANY_BUFFERED_PARTS",
            1008,
            "Too many message fragments",
        ),
    ] {
        assert_eq!(violation.to_string(), message);
        assert_eq!(violation.code(), format!("WS_ERR_{code}"));
        assert_eq!(violation.close_code(), close_code);
        assert!(violation.is_range_error());
    }
}
