//! Arbitrary frames, mostly well-formed.

use proptest::prelude::*;

use super::RawFrame;

/// Payload lengths around every limit of the format and of the tests' configuration.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        6 => 0..20_usize,
        3 => 20..300_usize,
        2 => prop::sample::select(vec![125, 126, 127, 999, 1000, 1001]),
        1 => 1000..5000_usize,
        1 => prop::sample::select(vec![65_535, 65_536, 70_000]),
    ];
    (length, any::<u8>(), 0..3_u8).prop_map(|(length, seed, kind)| {
        (0..length)
            .map(|n| match kind {
                0 => b'a' + (n % 26) as u8,
                1 => "aé€😀".as_bytes()[n % 10],
                _ => seed.wrapping_add((n * 31) as u8),
            })
            .collect()
    })
}

fn control_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..126),
        1 => prop::collection::vec(any::<u8>(), 126..140),
    ]
}

fn close_payload() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![3 => 998..1020_u16, 1 => any::<u16>(), 2 => 3000..5000_u16];
    let reason = prop_oneof![
        4 => "[a-zé€]{0,20}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        1 => Just(Vec::new()),
        1 => Just(vec![3]),
        8 => (code, reason).prop_map(|(code, reason)| [&code.to_be_bytes()[..], &reason].concat()),
    ]
}

/// One or more frames: a message, a fragmented message with pings between, a control frame, or a
/// frame of any bits.
fn group(masked: bool) -> impl Strategy<Value = Vec<RawFrame>> {
    let mask = move || any::<[u8; 4]>().prop_map(move |mask| masked.then_some(mask));
    let wrong_mask = any::<[u8; 4]>().prop_map(move |mask| (!masked).then_some(mask));
    let one = |first: u8, payload: Vec<u8>, mask| {
        vec![RawFrame {
            first,
            mask,
            payload,
        }]
    };
    let data = (1..3_u8, payload(), mask()).prop_map(move |(o, p, m)| one(0x80 | o, p, m));
    let control =
        (9..11_u8, control_payload(), mask()).prop_map(move |(o, p, m)| one(0x80 | o, p, m));
    let close = (close_payload(), mask()).prop_map(move |(p, m)| one(0x88, p, m));
    let wild = (any::<u8>(), payload(), mask()).prop_map(move |(f, p, m)| one(f, p, m));
    let unmasked = (payload(), wrong_mask).prop_map(move |(p, m)| one(0x82, p, m));
    let part = (
        payload(),
        mask(),
        prop::option::of((control_payload(), mask())),
    );
    let fragments = (1..3_u8, prop::collection::vec(part, 1..6)).prop_map(|(opcode, parts)| {
        let count = parts.len();
        let mut frames = Vec::new();
        for (index, (payload, mask, ping)) in parts.into_iter().enumerate() {
            let fin = if index + 1 == count { 0x80 } else { 0 };
            let opcode = if index == 0 { opcode } else { 0 };
            frames.push(RawFrame {
                first: fin | opcode,
                mask,
                payload,
            });
            if let Some((payload, mask)) = ping {
                frames.push(RawFrame {
                    first: 0x89,
                    mask,
                    payload,
                });
            }
        }
        frames
    });
    prop_oneof![
        20 => data, 10 => fragments, 6 => control, 1 => close, 1 => wild, 1 => unmasked,
    ]
}

/// A series of frames.
pub fn frames(masked: bool) -> impl Strategy<Value = Vec<RawFrame>> {
    prop::collection::vec(group(masked), 0..12).prop_map(|groups| groups.concat())
}

/// The bytes of a series of frames.
pub fn bytes_of(frames: &[RawFrame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.append_to(&mut bytes);
    }
    bytes
}

/// Sizes of the pieces that bytes are cut into.
pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1 => 1..4_usize, 1 => 1..200_usize, 1 => 1000..9000_usize];
    prop::collection::vec(size, 1..30)
}

/// Cuts `bytes` into pieces of the given sizes, used again and again.
pub fn pieces<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*size));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
