//! Frames that are recorded as they came, whatever became of them on their way.

/// A frame that came while frames are recorded.
pub(crate) struct Recorded {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    pub(crate) length: u64,
    /// The first bytes of the payload.
    pub(crate) start: Vec<u8>,
}

/// The first bytes of a payload of a length, which begins in the output at a place, cut into fragments of
/// `max_frame` bytes. The heads of the fragments are none of it. Zero cuts none.
pub(crate) fn start(output: &[u8], mut at: usize, length: u64, max_frame: u64) -> Vec<u8> {
    let longest = if max_frame == 0 { length } else { max_frame };
    let (mut start, mut rest) = (Vec::new(), length);
    loop {
        let fragment = rest.min(longest);
        let room = PREVIEW - start.len();
        let count = fragment.min(room as u64) as usize;
        let bytes = output.get(at..).unwrap_or_default();
        start.extend_from_slice(&bytes[..count.min(bytes.len())]);
        rest -= fragment;
        if rest == 0 || start.len() == PREVIEW || bytes.len() <= count {
            return start;
        }
        at += count + head_of(rest.min(longest));
    }
}

/// How long the head of a frame is that has no mask.
fn head_of(length: u64) -> usize {
    match length {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}

/// How much of a payload is recorded.
const PREVIEW: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_payload_has_no_heads_of_fragments() {
        let cut = b"\x01\x03abc\x00\x03def\x80\x02gh";
        assert_eq!(start(cut, 2, 8, 3), b"abcdefgh");
        // As far as it is there.
        assert_eq!(start(&cut[..9], 2, 8, 3), b"abcde");
        assert_eq!(start(&cut[..6], 2, 8, 3), b"abc");
        assert_eq!(start(&cut[..2], 2, 8, 3), b"");
        assert_eq!(start(b"\x81\x03abc\x81\x01d", 2, 3, 0), b"abc");
        let mut long = Vec::new();
        for fin in [0x01, 0x00, 0x80] {
            long.extend_from_slice(&[fin, 126, 0, 200]);
            long.extend_from_slice(&[fin; 200]);
        }
        let expected = [&[0x01; 200][..], &[0x00; 56]].concat();
        assert_eq!(start(&long, 4, 600, 200), expected);
    }
}
