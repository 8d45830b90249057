//! What holds for all input.

mod common;

use std::io::{Cursor, Read, Write};

use common::strategies::{bytes_of, cuts, frames, pieces};
use common::{OF_CLIENT, OF_SERVER, Reading, Record};
use hyco_websocket::{DecoderConfig, OpCode, Violation, append_frame, mask_in_place};
use proptest::prelude::*;
use tungstenite::{Error, Message, WebSocket, error::ProtocolError, protocol::Role};

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn how_the_input_is_cut_changes_nothing(
        (masked, frames) in any::<bool>().prop_flat_map(|m| (Just(m), frames(m))),
        cuts in cuts(),
        directly in any::<bool>(),
        max_payload in prop_oneof![Just(0), 0..3000_u64],
        max_fragments in 0..4_u32,
        large in prop_oneof![Just(0), Just(1000), Just(usize::MAX)],
    ) {
        let config = DecoderConfig { max_payload, max_fragments, validate_utf8: true, masked, large };
        let bytes = bytes_of(&frames);
        let mut reading = Reading::new(config);
        for mut piece in pieces(&bytes, &cuts) {
            if directly {
                let count = reading.feed_directly(piece);
                piece = &piece[count..];
            }
            reading.feed(piece);
        }
        prop_assert_eq!(reading.records, Reading::all(config, &bytes));
    }

    #[test]
    fn tungstenite_reads_the_same_from_a_server(frames in frames(false)) {
        assert_tungstenite_agrees(&bytes_of(&frames), Role::Client)?;
    }

    #[test]
    fn tungstenite_reads_the_same_from_a_client(frames in frames(true)) {
        assert_tungstenite_agrees(&bytes_of(&frames), Role::Server)?;
    }

    #[test]
    fn what_is_written_is_read(
        payload in prop::collection::vec(any::<u8>(), 0..3000),
        mask in any::<[u8; 4]>(),
    ) {
        for (mask, config) in [(None, OF_SERVER), (Some(mask), OF_CLIENT)] {
            let mut bytes = b"before".to_vec();
            append_frame(&mut bytes, true, OpCode::Binary, &payload, mask);
            let records = Reading::all(config, &bytes[6..]);
            let expected = if payload.len() < config.large {
                Record::Message { text: false, payload: payload.clone() }
            } else {
                Record::Large { text: false, payload: payload.clone(), fragments: Vec::new() }
            };
            prop_assert_eq!(records, [expected]);
        }
    }

    #[test]
    fn masking_goes_byte_by_byte_round_the_key(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        mask in any::<[u8; 4]>(),
        offset in any::<usize>(),
    ) {
        let expected: Vec<u8> =
            bytes.iter().enumerate().map(|(n, b)| b ^ mask[(offset % 4 + n) % 4]).collect();
        mask_in_place(&mut bytes, mask, offset);
        prop_assert_eq!(bytes, expected);
    }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn no_bytes_make_a_decoder_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in cuts(),
        masked in any::<bool>(),
        large in 0..200_usize,
    ) {
        let config =
            DecoderConfig { max_payload: 0, max_fragments: 0, validate_utf8: true, masked, large };
        let mut reading = Reading::new(config);
        for piece in pieces(&bytes, &cuts) {
            let count = reading.feed_directly(piece);
            reading.feed(&piece[count..]);
        }
        prop_assert_eq!(reading.records, Reading::all(config, &bytes));
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Compares what we read with what tungstenite reads, up to the first close frame or error.
fn assert_tungstenite_agrees(bytes: &[u8], role: Role) -> Result<(), TestCaseError> {
    let config = if role == Role::Client {
        OF_SERVER
    } else {
        OF_CLIENT
    };
    let mut ours = Reading::all(config, bytes);
    let (theirs, end) = read_by_tungstenite(bytes, role);
    let violation = match ours.last() {
        Some(Record::Violation(violation)) => Some(*violation),
        Some(_) | None => None,
    };
    ours.truncate(ours.len() - usize::from(violation.is_some()));
    let mut ours: Vec<Record> = ours.into_iter().map(without_shape).collect();
    match (violation, end) {
        // It answers an invalid code itself, for which it also takes 1014, and reports that.
        (Some(Violation::InvalidCloseCode(_)), End::Close) => {
            prop_assert_eq!(&ours[..], &theirs[..ours.len()]);
            return Ok(());
        }
        (None, End::Close) if matches!(ours.last(), Some(Record::Close(Some(1014), _))) => {
            let before = ours.len() - 1;
            prop_assert_eq!(&ours[..before], &theirs[..before]);
            return Ok(());
        }
        // It checks text as it comes, and so may fail before what stands between the fragments.
        (_, End::Utf8) => {
            prop_assert!(ours.len() >= theirs.len());
            ours.truncate(theirs.len());
        }
        (Some(Violation::InvalidUtf8), _) => prop_assert!(false, "tungstenite took no offence"),
        (Some(_), end) => prop_assert_eq!(end, End::Error),
        (None, end) => prop_assert_ne!(end, End::Error),
    }
    prop_assert_eq!(ours, theirs);
    Ok(())
}

/// A message as tungstenite shows it, whether it was large or not.
fn without_shape(record: Record) -> Record {
    match record {
        Record::Large { text, payload, .. } => Record::Message { text, payload },
        other => other,
    }
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Input,
    Close,
    Utf8,
    Error,
}

/// All that tungstenite reads, and how that ended.
fn read_by_tungstenite(bytes: &[u8], role: Role) -> (Vec<Record>, End) {
    let mut socket = WebSocket::from_raw_socket(ReadOnly(Cursor::new(bytes)), role, None);
    let mut records = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                records.push(Record::Message {
                    text: true,
                    payload: text.as_bytes().to_vec(),
                });
            }
            Ok(Message::Binary(payload)) => {
                records.push(Record::Message {
                    text: false,
                    payload: payload.to_vec(),
                });
            }
            Ok(Message::Ping(payload)) => records.push(Record::Ping(payload.to_vec())),
            Ok(Message::Pong(payload)) => records.push(Record::Pong(payload.to_vec())),
            Ok(Message::Close(close)) => {
                records.push(match close {
                    Some(close) => {
                        Record::Close(Some(close.code.into()), close.reason.as_bytes().to_vec())
                    }
                    None => Record::Close(None, Vec::new()),
                });
                return (records, End::Close);
            }
            Ok(Message::Frame(_)) => unreachable!("reading gives messages"),
            Err(Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (records, End::Input);
            }
            Err(Error::Utf8(_)) => return (records, End::Utf8),
            Err(_) => return (records, End::Error),
        }
    }
}

/// A stream that ends after its bytes and swallows what is written.
struct ReadOnly<'a>(Cursor<&'a [u8]>);

impl Read for ReadOnly<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out)
    }
}

impl Write for ReadOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
