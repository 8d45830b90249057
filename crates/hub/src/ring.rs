//! The frames that JavaScript leaves in memory that both threads' code sees.
//!
//! A frame is two words with the number and the generation of its connection, a word with [`flag`]s,
//! opcode and length, and the payload, padded to a word.

use hyco_client::connection::Frame;
use hyco_websocket::{MaskSource, OpCode};

use crate::Handle;

/// Frames in the ring, one after the other.
#[derive(Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

/// One frame in the ring.
#[derive(Clone, Copy, Debug)]
pub struct RingFrame<'a> {
    /// Whose it is.
    pub connection: Handle,
    flags: u32,
    payload: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The frames in these bytes.
    pub fn new(ring: &'a [u8]) -> Self {
        Self { rest: ring }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = RingFrame<'a>;

    #[inline]
    fn next(&mut self) -> Option<RingFrame<'a>> {
        let (number, rest) = self.rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let flags = u32::from_ne_bytes(*flags);
        let length = (flags & flag::LENGTH) as usize;
        let (payload, _) = rest.split_at_checked(length)?;
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(RingFrame {
            connection: Handle {
                number: u32::from_ne_bytes(*number),
                generation: u32::from_ne_bytes(*generation),
            },
            flags,
            payload,
        })
    }
}

impl<'a> RingFrame<'a> {
    /// A frame with the flags that its third word would have.
    pub fn new(connection: Handle, flags: u32, payload: &'a [u8]) -> Self {
        Self {
            connection,
            flags,
            payload,
        }
    }

    /// Whether it is no frame: it starts to write what was appended outside the ring.
    pub fn is_mark(&self) -> bool {
        self.flags & flag::APPENDED != 0
    }

    /// The frame as it is sent.
    pub fn with_mask(self, masks: &mut MaskSource) -> Frame<'a> {
        let opcode = match self.flags >> flag::OPCODE_SHIFT & 0xf {
            0 => OpCode::Continuation,
            1 => OpCode::Text,
            8 => OpCode::Close,
            9 => OpCode::Ping,
            10 => OpCode::Pong,
            _ => OpCode::Binary,
        };
        Frame {
            fin: self.flags & flag::FIN != 0,
            opcode,
            payload: self.payload,
            mask: (self.flags & flag::UNMASKED == 0).then(|| masks.next()),
            acknowledge: self.flags & flag::ACKNOWLEDGE != 0,
        }
    }
}

/// The third word of a frame; `lib/hub/records.js` has the same list.
pub mod flag {
    /// The bits that hold the length of the payload.
    pub const LENGTH: u32 = 0x000f_ffff;
    /// Where the opcode begins, which has four bits.
    pub const OPCODE_SHIFT: u32 = 24;
    /// The last frame of its message.
    pub const FIN: u32 = 1 << 28;
    /// The owner wants to know when it was written.
    pub const ACKNOWLEDGE: u32 = 1 << 29;
    /// It is sent unmasked.
    pub const UNMASKED: u32 = 1 << 30;
    /// It is no frame, but starts to write what was appended outside the ring.
    pub const APPENDED: u32 = 1 << 31;
}
