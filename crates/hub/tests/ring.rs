//! What JavaScript writes into the ring comes out as frames; what is no whole frame never does.

use hyco_hub::{
    Handle,
    ring::{Frames, RingFrame, flag},
};
use hyco_websocket::{MaskSource, OpCode};
use proptest::prelude::*;

/// One frame as `lib/hub/ring.js` writes it.
#[derive(Clone, Debug)]
struct Written {
    connection: Handle,
    flags: u32,
    payload: Vec<u8>,
}

fn written() -> impl Strategy<Value = Written> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (any::<u32>(), any::<u32>(), any::<u32>(), payload).prop_map(
        |(number, generation, bits, payload)| Written {
            connection: Handle { number, generation },
            flags: (bits & !flag::LENGTH) | payload.len() as u32,
            payload,
        },
    )
}

fn ring(frames: &[Written]) -> Vec<u8> {
    let mut ring = Vec::new();
    for frame in frames {
        ring.extend_from_slice(&frame.connection.number.to_ne_bytes());
        ring.extend_from_slice(&frame.connection.generation.to_ne_bytes());
        ring.extend_from_slice(&frame.flags.to_ne_bytes());
        ring.extend_from_slice(&frame.payload);
        ring.resize(ring.len().next_multiple_of(4), 0xee);
    }
    ring
}

fn check(frame: RingFrame<'_>, written: &Written) -> Result<(), TestCaseError> {
    prop_assert_eq!(frame.connection, written.connection);
    prop_assert_eq!(frame.is_mark(), written.flags & flag::APPENDED != 0);
    let sent = frame.with_mask(&mut MaskSource::new());
    prop_assert_eq!(sent.payload, &written.payload[..]);
    prop_assert_eq!(sent.fin, written.flags & flag::FIN != 0);
    prop_assert_eq!(sent.acknowledge, written.flags & flag::ACKNOWLEDGE != 0);
    prop_assert_eq!(sent.mask.is_none(), written.flags & flag::UNMASKED != 0);
    let opcode = match written.flags >> flag::OPCODE_SHIFT & 0xf {
        0 => OpCode::Continuation,
        1 => OpCode::Text,
        8 => OpCode::Close,
        9 => OpCode::Ping,
        10 => OpCode::Pong,
        _ => OpCode::Binary,
    };
    prop_assert_eq!(sent.opcode, opcode);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn frames_come_out_as_they_were_written(frames in prop::collection::vec(written(), 0..20)) {
        let ring = ring(&frames);
        let mut read = Frames::new(&ring);
        for written in &frames {
            check(read.next().unwrap(), written)?;
        }
        prop_assert!(read.next().is_none());
    }

    #[test]
    fn a_ring_that_is_cut_off_ends_before_the_frame_that_is_not_whole(
        frames in prop::collection::vec(written(), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let ring = ring(&frames);
        let end = cut.index(ring.len());
        let mut at = 0;
        let mut read = Frames::new(&ring[..end]);
        for written in &frames {
            let payload_ends = at + 12 + written.payload.len();
            if payload_ends > end {
                break;
            }
            check(read.next().unwrap(), written)?;
            at = payload_ends.next_multiple_of(4);
        }
        prop_assert!(read.next().is_none());
        prop_assert!(read.next().is_none());
    }

    #[test]
    fn no_bytes_make_a_frame_longer_than_they_are(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut masks = MaskSource::new();
        let taken: usize = Frames::new(&bytes)
            .map(|frame| 12 + frame.with_mask(&mut masks).payload.len())
            .sum();
        prop_assert!(taken <= bytes.len());
    }
}
