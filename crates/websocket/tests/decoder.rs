//! What a decoder reports.

mod common;

use common::{MASK, OF_CLIENT, OF_SERVER, Reading, Record, frame};
use hyco_websocket::{DecoderConfig, OpCode, Violation};

fn message(text: bool, payload: &[u8]) -> Record {
    Record::Message {
        text,
        payload: payload.to_vec(),
    }
}

#[test]
fn messages_of_all_lengths_are_found() {
    for length in [0, 1, 2, 125, 126, 127, 999, 1000, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..length).map(|n| (n % 127) as u8).collect();
        for (config, mask) in [(OF_SERVER, None), (OF_CLIENT, MASK)] {
            for opcode in [OpCode::Text, OpCode::Binary] {
                let text = opcode == OpCode::Text;
                let expected = if length < config.large {
                    message(text, &payload)
                } else {
                    Record::Large {
                        text,
                        payload: payload.clone(),
                        fragments: Vec::new(),
                    }
                };
                assert_eq!(
                    Reading::all(config, &frame(true, opcode, &payload, mask)),
                    [expected],
                    "{length} bytes"
                );
            }
        }
    }
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(Reading::all(OF_SERVER, &hello), [message(true, b"Hello")]);
    let masked = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    assert_eq!(Reading::all(OF_CLIENT, &masked), [message(true, b"Hello")]);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(
        Reading::all(OF_SERVER, &fragments),
        [Record::Large {
            text: true,
            payload: b"Hello".to_vec(),
            fragments: vec![3, 5]
        }]
    );
}

#[test]
fn control_frames_between_fragments_come_first() {
    let mut bytes = frame(false, OpCode::Binary, b"one", None);
    bytes.extend(frame(true, OpCode::Ping, b"?", None));
    bytes.extend(frame(false, OpCode::Continuation, b"", None));
    bytes.extend(frame(true, OpCode::Pong, b"!", None));
    bytes.extend(frame(true, OpCode::Continuation, b"two", None));
    bytes.extend(frame(true, OpCode::Binary, b"three", None));
    assert_eq!(
        Reading::all(OF_SERVER, &bytes),
        [
            Record::Ping(b"?".to_vec()),
            Record::Pong(b"!".to_vec()),
            Record::Large {
                text: false,
                payload: b"onetwo".to_vec(),
                fragments: vec![3, 6]
            },
            message(false, b"three"),
        ]
    );
}

#[test]
fn a_message_of_empty_fragments_is_empty() {
    let mut bytes = frame(false, OpCode::Text, b"", None);
    bytes.extend(frame(true, OpCode::Continuation, b"", None));
    assert_eq!(
        Reading::all(OF_SERVER, &bytes),
        [Record::Large {
            text: true,
            payload: Vec::new(),
            fragments: Vec::new()
        }]
    );
}

#[test]
fn an_empty_message_is_large_where_everything_is() {
    let config = DecoderConfig {
        large: 0,
        ..OF_SERVER
    };
    assert_eq!(
        Reading::all(config, &frame(true, OpCode::Text, b"", None)),
        [Record::Large {
            text: true,
            payload: Vec::new(),
            fragments: Vec::new()
        }]
    );
}

#[test]
fn a_character_may_be_spread_over_fragments() {
    let mut bytes = frame(false, OpCode::Text, &[0xe2, 0x82], None);
    bytes.extend(frame(true, OpCode::Continuation, &[0xac], None));
    assert_eq!(
        Reading::all(OF_SERVER, &bytes),
        [Record::Large {
            text: true,
            payload: "€".into(),
            fragments: vec![2, 3]
        }]
    );
}

#[test]
fn text_is_not_checked_when_told_so() {
    let config = DecoderConfig {
        validate_utf8: false,
        ..OF_SERVER
    };
    let mut bytes = frame(true, OpCode::Text, b"\xff", None);
    bytes.extend(frame(true, OpCode::Close, b"\x03\xe8\xff", None));
    assert_eq!(
        Reading::all(config, &bytes),
        [
            message(true, b"\xff"),
            Record::Close(Some(1000), vec![0xff])
        ]
    );
}

#[test]
fn a_close_frame_ends_the_input() {
    for (payload, expected) in [
        (&b""[..], Record::Close(None, Vec::new())),
        (b"\x03\xe8", Record::Close(Some(1000), Vec::new())),
        (b"\x0f\xa0bye", Record::Close(Some(4000), b"bye".to_vec())),
    ] {
        let mut bytes = frame(true, OpCode::Close, payload, None);
        bytes.extend([0xff; 40]);
        let mut reading = Reading::new(OF_SERVER);
        assert!(!reading.decoder.concluded());
        reading.feed(&bytes);
        reading.feed(&[0xff; 40]);
        assert!(reading.decoder.concluded());
        assert_eq!(reading.records, [expected]);
    }
}

#[test]
fn the_input_ends_with_a_violation_and_what_came_before_it_counts() {
    let mut reading = Reading::new(OF_SERVER);
    let mut bytes = frame(true, OpCode::Text, b"fine", None);
    bytes.extend([0x83, 0x00]);
    bytes.extend(frame(true, OpCode::Text, b"lost", None));
    reading.feed(&bytes);
    reading.feed(&frame(true, OpCode::Text, b"lost as well", None));
    assert!(reading.decoder.concluded());
    assert_eq!(
        reading.records,
        [
            message(true, b"fine"),
            Record::Violation(Violation::InvalidOpcode(3))
        ]
    );
}

#[test]
fn a_large_frame_can_be_read_straight_into_its_buffer() {
    let payload = vec![b'x'; 3_000_000];
    let bytes = frame(true, OpCode::Text, &payload, None);
    let mut reading = Reading::new(OF_SERVER);
    reading.feed(&bytes[..4000]);
    let mut at = 4000;
    while at < bytes.len() {
        let count = reading.feed_directly(&bytes[at..bytes.len().min(at + 100_000)]);
        assert!(count > 0);
        at += count;
    }
    assert!(reading.decoder.direct().is_none());
    assert_eq!(
        reading.records,
        [Record::Large {
            text: true,
            payload,
            fragments: Vec::new()
        }]
    );
}

#[test]
fn a_text_read_straight_into_its_buffer_is_checked() {
    let bytes = frame(true, OpCode::Text, &[0xff; 2000], None);
    let mut reading = Reading::new(OF_SERVER);
    reading.feed(&bytes[..100]);
    assert_eq!(reading.feed_directly(&bytes[100..]), bytes.len() - 100);
    assert!(reading.decoder.concluded());
    assert_eq!(reading.records, [Record::Violation(Violation::InvalidUtf8)]);
}

#[test]
fn an_announced_length_costs_no_memory_before_its_bytes_come() {
    let mut reading = Reading::new(OF_SERVER);
    reading.feed(&[0x82, 0x7f, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let direct = reading.decoder.direct().unwrap();
    assert!(direct.buffer.capacity() <= 1024 * 1024);
    assert_eq!(direct.missing as u64, (1 << 53) - 1);
}

#[test]
fn a_message_of_one_frame_ends_in_a_buffer_of_its_length() {
    let bytes = frame(true, OpCode::Binary, &vec![1; 5_000_000], None);
    let mut reading = Reading::new(OF_SERVER);
    for piece in bytes.chunks(65_536) {
        reading.feed(piece);
    }
    let [Record::Large { payload, .. }] = &reading.records[..] else {
        panic!("one message was sent");
    };
    assert_eq!(payload.len(), 5_000_000);
}

#[test]
fn memory_grows_with_what_comes_not_with_what_is_announced() {
    let config = DecoderConfig {
        max_payload: 0,
        ..OF_SERVER
    };
    let mut reading = Reading::new(config);
    let mut header = vec![0x82, 127];
    header.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    reading.feed(&header);
    let mut came = 0;
    for _ in 0..64 {
        let direct = reading.decoder.direct().unwrap();
        let capacity = direct.buffer.capacity();
        assert!(capacity <= 2 * came + 1100 * 1024, "{capacity} for {came}");
        came += reading.feed_directly(&[0; 64 * 1024]);
    }
    assert_eq!(came, 4 * 1024 * 1024);
}
