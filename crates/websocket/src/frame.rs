//! Writing frames.

use crate::mask::extend_masked;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// A further part of a fragmented message.
    Continuation = 0,
    /// A text message, or its first part.
    Text = 1,
    /// A binary message, or its first part.
    Binary = 2,
    /// The last frame of a side.
    Close = 8,
    /// Asks for a pong with the same payload.
    Ping = 9,
    /// Answers a ping, or shows that a side is alive.
    Pong = 10,
}

/// Appends one frame to `out`; a client gives a `mask`, a server none.
#[inline]
pub fn append_frame(
    out: &mut Vec<u8>,
    fin: bool,
    opcode: OpCode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) {
    let (header, size) = frame_header(fin, opcode, payload.len(), mask);
    let start = out.len();
    out.reserve(HEADER + payload.len());
    out.extend_from_slice(&header);
    out.truncate(start + size);
    match mask {
        None => out.extend_from_slice(payload),
        Some(mask) => extend_masked(out, payload, mask),
    }
}

/// What stands before a payload of that length, and how many of the bytes that is: at most 14.
#[inline]
pub fn frame_header(
    fin: bool,
    opcode: OpCode,
    length: usize,
    mask: Option<[u8; 4]>,
) -> ([u8; HEADER], usize) {
    let first = u128::from(u8::from(fin) << 7 | opcode as u8);
    let masked = u128::from(mask.is_some()) << 7;
    // The header is put together in a register, first byte lowest, written as a whole and then cut:
    // several small stores take twice as long.
    let (mut header, mut size) = match length {
        ..=125 => (first | (masked | length as u128) << 8, 2),
        126..=0xffff => (
            first | (masked | 126) << 8 | u128::from((length as u16).swap_bytes()) << 16,
            4,
        ),
        _ => (
            first | (masked | 127) << 8 | u128::from((length as u64).swap_bytes()) << 16,
            10,
        ),
    };
    if let Some(mask) = mask {
        header |= u128::from(u32::from_le_bytes(mask)) << (8 * size);
        size += 4;
    }
    (header.to_le_bytes(), size)
}

/// Room for the longest header, 14 bytes.
const HEADER: usize = 16;
