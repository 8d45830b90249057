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
    match payload.len() {
        BLOCK.. => extend_blocks::<BLOCK>(out, payload, mask),
        16.. => extend_blocks::<16>(out, payload, mask),
        4.. => extend_blocks::<4>(out, payload, mask),
        _ => out.extend(payload.iter().zip(mask).map(|(byte, key)| byte ^ key)),
    }
}

/// Appends `payload`, which is not shorter than a block, by whole blocks; the last one overlaps the
/// one before it, which is faster than handling the remaining bytes one by one.
#[inline]
fn extend_blocks<const SIZE: usize>(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    let start = out.len();
    let (blocks, tail) = payload.as_chunks::<SIZE>();
    for block in blocks {
        out.extend_from_slice(&masked(*block, mask));
    }
    if let Some(last) = payload.last_chunk::<SIZE>()
        && !tail.is_empty()
    {
        let offset = payload.len() - SIZE;
        out.truncate(start + offset);
        out.extend_from_slice(&masked(*last, rotate(mask, offset)));
    }
}

/// Moves `length` bytes of `buf` from `from` down to `to`, unmasking them on the way.
#[inline]
pub(crate) fn move_masked(buf: &mut [u8], from: usize, to: usize, length: usize, mask: [u8; 4]) {
    debug_assert!(to <= from, "bytes move towards the front");
    let blocks = length.next_multiple_of(BLOCK);
    let mut done = 0;
    if from - to >= BLOCK && from + blocks <= buf.len() {
        // Room for a whole block at the end: what it writes too much stays short of `from + length`.
        while done < length {
            move_block::<BLOCK>(buf, from + done, to + done, mask);
            done += BLOCK;
        }
        return;
    }
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
