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
    let first = u8::from(fin) << 7 | opcode as u8;
    let masked = u8::from(mask.is_some()) << 7;
    out.reserve(LONGEST_HEADER + payload.len());
    match payload.len() {
        length @ ..=125 => out.extend_from_slice(&[first, masked | length as u8]),
        length @ ..=0xffff => {
            let [high, low] = (length as u16).to_be_bytes();
            out.extend_from_slice(&[first, masked | 126, high, low]);
        }
        length => {
            out.extend_from_slice(&[first, masked | 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    match mask {
        None => out.extend_from_slice(payload),
        Some(mask) => {
            out.extend_from_slice(&mask);
            extend_masked(out, payload, mask);
        }
    }
}

const LONGEST_HEADER: usize = 14;
