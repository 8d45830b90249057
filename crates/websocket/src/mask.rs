//! Masking: every byte of a client's payload is combined with one of four.
//!
//! All loops work on blocks of [`BLOCK`] bytes held in an array, which the compiler turns into
//! vector instructions without any unsafe code.

/// Bytes handled at once: four vectors of 16 bytes.
const BLOCK: usize = 64;

/// Masks, or unmasks, `bytes`, of which the first is byte number `offset` of its payload.
#[inline]
pub fn mask_in_place(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mask = rotate(mask, offset);
    let (words, tail) = bytes.as_chunks_mut::<4>();
    let word = u32::from_ne_bytes(mask);
    for bytes in words {
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

/// The mask as it applies from byte number `offset` of a payload on.
#[inline]
pub(crate) fn rotate(mask: [u8; 4], offset: usize) -> [u8; 4] {
    let bits = 8 * (offset % 4) as u32;
    u32::from_le_bytes(mask).rotate_right(bits).to_le_bytes()
}

/// Appends `payload` to `out`, masked.
#[inline]
pub(crate) fn extend_masked(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    out.reserve(payload.len());
    let (blocks, tail) = payload.as_chunks::<BLOCK>();
    for block in blocks {
        out.extend_from_slice(&masked(*block, mask));
    }
    let start = out.len();
    out.extend_from_slice(tail);
    mask_in_place(&mut out[start..], mask, 0);
}

/// Moves `length` bytes of `buf` from `from` down to `to`, unmasking them on the way.
#[inline]
pub(crate) fn move_masked(buf: &mut [u8], from: usize, to: usize, length: usize, mask: [u8; 4]) {
    debug_assert!(to <= from, "bytes move towards the front");
    let mut done = 0;
    while length - done >= BLOCK {
        move_block::<BLOCK>(buf, from + done, to + done, mask);
        done += BLOCK;
    }
    while length - done >= 8 {
        move_block::<8>(buf, from + done, to + done, mask);
        done += 8;
    }
    for index in done..length {
        buf[to + index] = buf[from + index] ^ mask[index % 4];
    }
}

#[inline]
fn move_block<const SIZE: usize>(buf: &mut [u8], from: usize, to: usize, mask: [u8; 4]) {
    let mut block = [0; SIZE];
    block.copy_from_slice(&buf[from..from + SIZE]);
    buf[to..to + SIZE].copy_from_slice(&masked(block, mask));
}

#[inline]
fn masked<const SIZE: usize>(mut block: [u8; SIZE], mask: [u8; 4]) -> [u8; SIZE] {
    let word = u32::from_ne_bytes(mask);
    for bytes in block.as_chunks_mut::<4>().0 {
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    block
}
