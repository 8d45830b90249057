//! WebSocket frames as this program needs them: built in batches ahead of time, read in passing.

use std::rc::Rc;

/// Opcode of a continuation frame.
pub const CONTINUATION: u8 = 0;
/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping frame.
pub const PING: u8 = 9;
/// Opcode of a pong frame.
pub const PONG: u8 = 10;

/// Appends one whole frame; a client's frame carries a mask.
pub fn append(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(bit | length as u8),
        length @ 126..=0xffff => {
            out.push(bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        unmask(&mut out[start..], mask, 0);
    }
}

/// Many equal frames in one piece of memory, so that a flood is a few large writes.
#[derive(Debug, Clone)]
pub struct Batch {
    bytes: Rc<Vec<u8>>,
    frame: usize,
}

impl Batch {
    /// Frames of `size` bytes, as many as fill about [`BATCH_BYTES`] and at most `limit`.
    pub fn new(size: usize, limit: u64, masked: bool) -> Self {
        let payload: Vec<u8> = (0..size).map(|i| (i * 31 + 7) as u8).collect();
        let mask = masked.then_some(MASK);
        let mut bytes = Vec::new();
        append(&mut bytes, BINARY, &payload, mask);
        let frame = bytes.len();
        let frames = (BATCH_BYTES / frame).max(1).min(limit.max(1) as usize);
        for _ in 1..frames {
            append(&mut bytes, BINARY, &payload, mask);
        }
        Self {
            bytes: Rc::new(bytes),
            frame,
        }
    }

    /// The bytes of up to `count` frames, and how many frames they hold.
    pub fn take(&self, count: u64) -> (&[u8], u64) {
        let frames = count.min((self.bytes.len() / self.frame) as u64);
        (&self.bytes[..frames as usize * self.frame], frames)
    }
}

/// What [`Parser::feed`] finds, in the order of the wire.
#[derive(Debug)]
pub enum Found<'a> {
    /// A whole data message; the payload is empty unless it was asked for.
    Message(u8, &'a [u8]),
    /// A control frame with its payload.
    Control(u8, &'a [u8]),
}

/// Reads frames from a stream of bytes; payloads that nobody wants are skipped, not copied.
#[derive(Debug, Default)]
pub struct Parser {
    header: Vec<u8>,
    opcode: u8,
    fin: bool,
    mask: Option<[u8; 4]>,
    remaining: u64,
    offset: usize,
    in_payload: bool,
    kind: u8,
    message: Vec<u8>,
    control: Vec<u8>,
}

impl Parser {
    /// Takes all of `bytes` and reports what became whole; `keep` asks for payloads of messages.
    pub fn feed(&mut self, mut bytes: &[u8], keep: bool, mut found: impl FnMut(Found<'_>)) {
        loop {
            if !self.in_payload {
                let Some(used) = self.read_header(bytes) else {
                    return;
                };
                bytes = &bytes[used..];
            }
            let taken = self.remaining.min(bytes.len() as u64) as usize;
            self.read_payload(&bytes[..taken], keep);
            bytes = &bytes[taken..];
            if self.remaining > 0 {
                return;
            }
            self.in_payload = false;
            self.report(&mut found);
        }
    }

    /// Completes the header; `None` when more bytes are needed (those given are kept).
    fn read_header(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut used = 0;
        loop {
            if header_length(&self.header).is_some_and(|length| length == self.header.len()) {
                break;
            }
            let byte = bytes.get(used)?;
            self.header.push(*byte);
            used += 1;
        }
        let header = std::mem::take(&mut self.header);
        self.fin = header[0] & 0x80 != 0;
        self.opcode = header[0] & 0x0f;
        let (length, at) = match header[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([header[2], header[3]])), 4),
            127 => (
                header[2..10].iter().fold(0, |n, b| n << 8 | u64::from(*b)),
                10,
            ),
            short => (u64::from(short), 2),
        };
        self.mask = (header[1] & 0x80 != 0)
            .then(|| [header[at], header[at + 1], header[at + 2], header[at + 3]]);
        self.header = header;
        self.header.clear();
        self.remaining = length;
        self.offset = 0;
        self.in_payload = true;
        if self.opcode == TEXT || self.opcode == BINARY {
            self.kind = self.opcode;
        }
        Some(used)
    }

    fn read_payload(&mut self, bytes: &[u8], keep: bool) {
        let into = match self.opcode {
            CONTINUATION | TEXT | BINARY if keep => &mut self.message,
            CONTINUATION | TEXT | BINARY => {
                self.remaining -= bytes.len() as u64;
                return;
            }
            _ => &mut self.control,
        };
        let start = into.len();
        into.extend_from_slice(bytes);
        if let Some(mask) = self.mask {
            unmask(&mut into[start..], mask, self.offset);
        }
        self.offset += bytes.len();
        self.remaining -= bytes.len() as u64;
    }

    fn report(&mut self, found: &mut impl FnMut(Found<'_>)) {
        if self.opcode >= CLOSE {
            found(Found::Control(self.opcode, &self.control));
            self.control.clear();
        } else if self.fin {
            found(Found::Message(self.kind, &self.message));
            self.message.clear();
        }
    }
}

/// How long the header is, as soon as its first two bytes are there.
fn header_length(header: &[u8]) -> Option<usize> {
    let second = *header.get(1)?;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    Some(2 + extended + if second & 0x80 != 0 { 4 } else { 0 })
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mask = [0, 1, 2, 3].map(|i| mask[(offset + i) & 3]);
    let wide = u32::from_ne_bytes(mask);
    let mut chunks = bytes.chunks_exact_mut(4);
    for chunk in &mut chunks {
        let word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]) ^ wide;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}

/// Enough for one write to cost little per message, little enough to stay in the cache.
const BATCH_BYTES: usize = 256 * 1024;

/// The key of all frames in a batch: a relay must unmask them like any others.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_when_they_arrive_byte_by_byte() {
        for size in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut wire = Vec::new();
                append(&mut wire, BINARY, &payload, mask);
                append(&mut wire, PING, b"hi", mask);
                let mut parser = Parser::default();
                let mut seen = Vec::new();
                for byte in &wire {
                    parser.feed(std::slice::from_ref(byte), true, |found| match found {
                        Found::Message(kind, bytes) | Found::Control(kind, bytes) => {
                            seen.push((kind, bytes.to_vec()));
                        }
                    });
                }
                assert_eq!(seen, [(BINARY, payload.clone()), (PING, b"hi".to_vec())]);
            }
        }
    }

    #[test]
    fn a_batch_gives_no_more_frames_than_asked_for() {
        let batch = Batch::new(64, 1_000_000, false);
        assert_eq!(batch.take(3).0.len(), 3 * 66);
        assert!(batch.take(1_000_000).1 > 3000);
    }
}
