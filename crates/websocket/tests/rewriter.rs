//! What a relay's rewriter lets through.

mod common;

use common::strategies::{bytes_of, cuts, frames, pieces};
use common::{MASK, OF_CLIENT, OF_SERVER, RawFrame, Reading, Record, frame};
use hyco_websocket::{ControlSink, OpCode, ROOM, Rewriter, RewriterConfig, Violation};
use proptest::prelude::*;

/// A rewriter that is fed piece by piece.
struct Relaying {
    rewriter: Rewriter,
    carry: Vec<u8>,
    output: Vec<u8>,
    /// Places in `output` where a frame could go in between.
    boundaries: Vec<usize>,
    controls: Controls,
    violation: Option<Violation>,
}

impl Relaying {
    fn new(config: RewriterConfig) -> Self {
        Self {
            rewriter: Rewriter::new(config),
            carry: Vec::new(),
            output: Vec::new(),
            boundaries: Vec::new(),
            controls: Controls::default(),
            violation: None,
        }
    }

    fn all(bytes: &[u8]) -> Self {
        let mut relaying = Self::new(RewriterConfig::default());
        relaying.feed(bytes);
        relaying
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.carry.extend_from_slice(bytes);
        while self.rewrite() {}
    }

    /// Rewrites what there is; gives whether more can be rewritten at once.
    fn rewrite(&mut self) -> bool {
        let mut buffer = vec![0xee; ROOM];
        buffer.extend_from_slice(&self.carry);
        match self.rewriter.rewrite(&mut buffer, ROOM, &mut self.controls) {
            Ok(done) => {
                let start = self.output.len();
                self.output.extend_from_slice(&buffer[..done.written]);
                self.boundaries.extend(done.boundary.map(|at| start + at));
                self.carry.drain(..done.used);
                if done.no_room {
                    assert!(done.written > 0, "with room in front it gets on");
                    return true;
                }
                assert!(
                    self.carry.len() <= 130,
                    "a header or control frame at most is carried"
                );
            }
            Err(violation) => {
                self.output
                    .extend_from_slice(&buffer[..self.rewriter.salvaged()]);
                self.violation = Some(violation);
                self.carry.clear();
            }
        }
        false
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Controls(Vec<Record>);

impl ControlSink for Controls {
    fn ping(&mut self, payload: &[u8]) {
        self.0.push(Record::Ping(payload.to_vec()));
    }

    fn pong(&mut self, payload: &[u8]) {
        self.0.push(Record::Pong(payload.to_vec()));
    }

    fn close(&mut self, code: Option<u16>, reason: &[u8]) {
        self.0.push(Record::Close(code, reason.to_vec()));
    }
}

#[test]
fn frames_lose_their_mask_and_stay_the_same_otherwise() {
    let mut input = Vec::new();
    let mut expected = Vec::new();
    for length in [0, 1, 63, 64, 65, 125, 126, 127, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..length).map(|n| n as u8).collect();
        for (fin, opcode) in [
            (true, OpCode::Text),
            (false, OpCode::Binary),
            (false, OpCode::Continuation),
            (true, OpCode::Continuation),
        ] {
            input.extend(frame(fin, opcode, &payload, MASK));
            expected.extend(frame(fin, opcode, &payload, None));
        }
    }
    let relaying = Relaying::all(&input);
    assert_eq!(relaying.output, expected);
    assert_eq!(relaying.boundaries, [expected.len()]);
}

#[test]
fn long_frames_are_cut_into_fragments() {
    let cutting = |max_frame| {
        Relaying::new(RewriterConfig {
            max_frame,
            ..RewriterConfig::default()
        })
    };
    let payload: Vec<u8> = (0..10).collect();
    for (length, pieces) in [
        (3, vec![3]),
        (4, vec![4]),
        (5, vec![4, 1]),
        (9, vec![4, 4, 1]),
    ] {
        let mut relaying = cutting(4);
        relaying.feed(&frame(true, OpCode::Text, &payload[..length], MASK));
        let mut expected = Vec::new();
        let mut at = 0;
        for piece in pieces {
            let opcode = if at == 0 {
                OpCode::Text
            } else {
                OpCode::Continuation
            };
            let part = &payload[at..at + piece];
            at += piece;
            expected.extend(frame(at == length, opcode, part, None));
        }
        assert_eq!(relaying.output, expected, "{length}");
        assert_eq!(relaying.rewriter.messages(), 1);
        assert_eq!(relaying.rewriter.payload(), length as u64);
    }
    // Only the last piece of the last fragment ends the message.
    let mut relaying = cutting(4);
    relaying.feed(&frame(false, OpCode::Binary, &payload[..5], MASK));
    relaying.feed(&frame(true, OpCode::Continuation, &payload[..5], MASK));
    let mut expected = frame(false, OpCode::Binary, &payload[..4], None);
    expected.extend(frame(false, OpCode::Continuation, &payload[4..5], None));
    expected.extend(frame(false, OpCode::Continuation, &payload[..4], None));
    expected.extend(frame(true, OpCode::Continuation, &payload[4..5], None));
    assert_eq!(relaying.output, expected);
    assert_eq!(relaying.rewriter.messages(), 1);
}

#[test]
fn lengths_are_written_in_their_shortest_form() {
    let long = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 8, 9];
    assert_eq!(Relaying::all(&long).output, [0x82, 2, 9, 8]);
    let long = [0x82, 0xfe, 0, 2, 1, 1, 1, 1, 8, 9];
    assert_eq!(Relaying::all(&long).output, [0x82, 2, 9, 8]);
}

/// E40
#[test]
fn control_frames_are_taken_out_from_between_fragments() {
    let mut input = frame(false, OpCode::Text, b"one", MASK);
    input.extend(frame(true, OpCode::Ping, b"?", MASK));
    input.extend(frame(true, OpCode::Continuation, b"two", MASK));
    input.extend(frame(true, OpCode::Pong, b"!", MASK));
    input.extend(frame(true, OpCode::Binary, b"three", MASK));
    let mut expected = frame(false, OpCode::Text, b"one", None);
    expected.extend(frame(true, OpCode::Continuation, b"two", None));
    expected.extend(frame(true, OpCode::Binary, b"three", None));
    let relaying = Relaying::all(&input);
    assert_eq!(relaying.output, expected);
    assert_eq!(
        relaying.controls.0,
        [Record::Ping(b"?".to_vec()), Record::Pong(b"!".to_vec())]
    );
}

/// E41
#[test]
fn a_close_frame_is_taken_out_and_ends_the_direction() {
    let mut input = frame(true, OpCode::Text, b"last", MASK);
    input.extend(frame(true, OpCode::Close, b"\x0f\xa0bye", MASK));
    input.extend([0xff; 40]);
    let mut relaying = Relaying::all(&input);
    relaying.feed(&[0xff; 40]);
    assert!(relaying.rewriter.concluded());
    assert_eq!(relaying.output, frame(true, OpCode::Text, b"last", None));
    assert_eq!(
        relaying.controls.0,
        [Record::Close(Some(4000), b"bye".to_vec())]
    );
    assert_eq!(relaying.violation, None);
}

#[test]
fn a_payload_passes_before_it_is_whole() {
    let payload = vec![b'x'; 300_000];
    let input = frame(true, OpCode::Binary, &payload, MASK);
    let mut relaying = Relaying::new(RewriterConfig::default());
    relaying.feed(&input[..100_000]);
    assert_eq!(relaying.output.len(), 100_000 - 4);
    assert!(!relaying.rewriter.is_between_frames());
    assert_eq!(relaying.boundaries, [0]);
    relaying.feed(&input[100_000..]);
    assert_eq!(relaying.output, frame(true, OpCode::Binary, &payload, None));
    assert!(relaying.rewriter.is_between_frames());
    assert_eq!(relaying.boundaries, [0, relaying.output.len()]);
}

#[test]
fn output_from_before_a_violation_is_salvaged() {
    let mut input = frame(true, OpCode::Text, b"fine", MASK);
    input.extend(frame(true, OpCode::Text, b"unmasked", None));
    let mut relaying = Relaying::all(&input);
    assert_eq!(relaying.output, frame(true, OpCode::Text, b"fine", None));
    assert_eq!(relaying.violation, Some(Violation::ExpectedMask));
    relaying.feed(&input);
    assert!(relaying.rewriter.concluded());
    assert_eq!(relaying.output.len(), 6);
}

#[test]
fn frames_that_break_the_protocol_do_not_pass() {
    for (bytes, violation) in [
        (&[0x81, 0x00][..], Violation::ExpectedMask),
        (&[0xc1, 0x80], Violation::UnexpectedRsv1),
        (&[0xa1, 0x80], Violation::UnexpectedRsv23),
        (&[0x80, 0x80], Violation::InvalidOpcode(0)),
        (
            &[0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80],
            Violation::InvalidOpcode(1),
        ),
        (&[0x8b, 0x80], Violation::InvalidOpcode(11)),
        (&[0x09, 0x80], Violation::ExpectedFin),
        (&[0x89, 0xfe], Violation::InvalidControlLength(126)),
        (&[0x88, 0x81], Violation::InvalidControlLength(1)),
        (
            &[0x88, 0x82, 0, 0, 0, 0, 0, 1],
            Violation::InvalidCloseCode(1),
        ),
        (
            &[0x88, 0x83, 0, 0, 0, 0, 3, 232, 255],
            Violation::InvalidUtf8,
        ),
        (
            &[0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0],
            Violation::LengthNotSafe,
        ),
    ] {
        assert_eq!(
            Relaying::all(bytes).violation,
            Some(violation),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn reserved_bits_pass_where_an_extension_was_agreed_on() {
    let mut input = Vec::new();
    RawFrame {
        first: 0xf2,
        mask: MASK,
        payload: b"packed".to_vec(),
    }
    .append_to(&mut input);
    let mut relaying = Relaying::new(RewriterConfig {
        allow_rsv: true,
        ..RewriterConfig::default()
    });
    relaying.feed(&input);
    assert_eq!(relaying.output, [&[0xf2, 6][..], b"packed"].concat());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_other_side_reads_what_was_sent(frames in frames(true), cuts in cuts()) {
        let bytes = bytes_of(&frames);
        let mut relaying = Relaying::new(RewriterConfig::default());
        for piece in pieces(&bytes, &cuts) {
            relaying.feed(piece);
        }
        // Text is the business of those who read it, not of the relay.
        let unchecked = |config| hyco_websocket::DecoderConfig { validate_utf8: false, ..config };
        let is_data = |r: &Record| matches!(r, Record::Message { .. } | Record::Large { .. });
        let sent = Reading::all(unchecked(OF_CLIENT), &bytes);
        let received = Reading::all(unchecked(OF_SERVER), &relaying.output);
        let (data, others): (Vec<_>, Vec<_>) = sent.into_iter().partition(is_data);
        prop_assert_eq!(received, data);
        let mut controls = relaying.controls.0;
        controls.extend(relaying.violation.map(Record::Violation));
        if relaying.violation != Some(Violation::InvalidUtf8) {
            prop_assert_eq!(controls, others);
        }
    }

    #[test]
    fn how_the_input_of_a_relay_is_cut_changes_nothing(frames in frames(true), cuts in cuts()) {
        let bytes = bytes_of(&frames);
        let whole = Relaying::all(&bytes);
        let mut relaying = Relaying::new(RewriterConfig::default());
        for piece in pieces(&bytes, &cuts) {
            relaying.feed(piece);
        }
        prop_assert_eq!(relaying.output, whole.output);
        prop_assert_eq!(relaying.controls, whole.controls);
        prop_assert_eq!(relaying.violation, whole.violation);
    }

    #[test]
    fn a_frame_put_in_at_a_boundary_disturbs_nothing(frames in frames(true), cuts in cuts()) {
        let bytes = bytes_of(&frames);
        let mut relaying = Relaying::new(RewriterConfig::default());
        for piece in pieces(&bytes, &cuts) {
            relaying.feed(piece);
        }
        let mut output = relaying.output.clone();
        for at in relaying.boundaries.into_iter().rev() {
            output.splice(at..at, frame(true, OpCode::Pong, b"in between", None));
        }
        let records = Reading::all(OF_SERVER, &output);
        let without: Vec<_> =
            records.into_iter().filter(|r| !matches!(r, Record::Pong(_))).collect();
        prop_assert_eq!(without, Reading::all(OF_SERVER, &relaying.output));
    }

    #[test]
    fn no_bytes_make_a_rewriter_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in cuts(),
        allow_rsv in any::<bool>(),
    ) {
        let mut relaying = Relaying::new(RewriterConfig { allow_rsv, ..RewriterConfig::default() });
        for piece in pieces(&bytes, &cuts) {
            relaying.feed(piece);
        }
        prop_assert!(relaying.output.len() <= bytes.len());
    }
}

/// The messages in a server's frames: opcode and payload.
fn messages(mut bytes: &[u8], longest: usize) -> Vec<(u8, Vec<u8>)> {
    let mut messages: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut open = false;
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            127 => (
                u64::from_be_bytes(rest[..8].try_into().expect("eight bytes")) as usize,
                &rest[8..],
            ),
            length => (usize::from(*length), rest),
        };
        assert!(length <= longest, "a frame of {length} bytes");
        match (first & 0x0f, open) {
            (0, true) => {}
            (opcode @ 1..=2, false) => messages.push((opcode, Vec::new())),
            other => panic!("{other:?}"),
        }
        messages
            .last_mut()
            .expect("a message")
            .1
            .extend_from_slice(&rest[..length]);
        open = first & 0x80 == 0;
        bytes = &rest[length..];
    }
    assert!(!open);
    messages
}

proptest! {
    /// However frames are cut, and in whatever pieces they come, the messages stay what they were.
    #[test]
    fn cut_frames_hold_the_same_messages(
        sent in prop::collection::vec((1u8..=2, prop::collection::vec(any::<u8>(), 0..300)), 1..6),
        max_frame in 1u64..200,
        step in 1usize..400,
    ) {
        let mut input = Vec::new();
        for (opcode, payload) in &sent {
            let opcode = if *opcode == 1 { OpCode::Text } else { OpCode::Binary };
            input.extend(frame(true, opcode, payload, MASK));
        }
        let mut relaying = Relaying::new(RewriterConfig { max_frame, ..RewriterConfig::default() });
        for piece in input.chunks(step) {
            relaying.feed(piece);
        }
        prop_assert_eq!(messages(&relaying.output, max_frame as usize), sent);
    }
}
