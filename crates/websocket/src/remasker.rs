//! Passing frames on with other masks.

use crate::{mask::mask_in_place, open_header::OpenHeader};

/// Gives every frame of a stream another mask, and leaves all else as it is.
#[derive(Debug, Default)]
pub struct Remasker {
    /// What is left of the current frame's payload, how far it has come, and what it is combined with.
    left: u64,
    offset: usize,
    combined: [u8; 4],
    /// A header that is not whole yet.
    partial: Vec<u8>,
}

impl Remasker {
    /// Appends the frames in `bytes` to `out`, masked with what `mask` gives for each.
    pub fn write(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        mut mask: impl FnMut() -> [u8; 4],
    ) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = bytes
                    .len()
                    .min(usize::try_from(self.left).unwrap_or(usize::MAX));
                let start = out.len();
                out.extend_from_slice(&bytes[..count]);
                if self.combined != [0; 4] {
                    mask_in_place(&mut out[start..], self.combined, self.offset);
                }
                self.offset = (self.offset + count) % 4;
                self.left -= count as u64;
                bytes = &bytes[count..];
                continue;
            }
            self.partial.push(bytes[0]);
            bytes = &bytes[1..];
            let Some(header) = OpenHeader::read(&self.partial) else {
                continue;
            };
            let key = mask();
            let old = header.key;
            self.combined = std::array::from_fn(|at| key[at] ^ old[at]);
            (self.left, self.offset) = (header.length, 0);
            let length_end = header.size - if header.masked { 4 } else { 0 };
            let start = out.len();
            out.extend_from_slice(&self.partial[..length_end]);
            out[start + 1] |= 0x80;
            out.extend_from_slice(&key);
            self.partial.clear();
        }
    }

    /// Whether no frame is under way.
    pub fn is_between_frames(&self) -> bool {
        self.left == 0 && self.partial.is_empty()
    }
}
