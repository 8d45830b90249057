//! What the tests share: frames as data, and a decoder fed piece by piece.
#![expect(
    unreachable_pub,
    dead_code,
    reason = "every test binary uses its part of this module"
)]

pub mod strategies;

use std::ops::Range;

use hyco_websocket::{Assembled, Decoder, DecoderConfig, OpCode, Sink, Violation, append_frame};

/// Something a decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Message {
        text: bool,
        payload: Vec<u8>,
    },
    Large {
        text: bool,
        payload: Vec<u8>,
        fragments: Vec<usize>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Violation(Violation),
}

/// A decoder that owns its records.
pub struct Reading {
    pub decoder: Decoder,
    pub records: Vec<Record>,
    carry: Vec<u8>,
}

impl Reading {
    pub fn new(config: DecoderConfig) -> Self {
        Self {
            decoder: Decoder::new(config),
            records: Vec::new(),
            carry: Vec::new(),
        }
    }

    /// Everything that a decoder finds in `bytes` when they come at once.
    pub fn all(config: DecoderConfig, bytes: &[u8]) -> Vec<Record> {
        let mut reading = Self::new(config);
        reading.feed(bytes);
        reading.records
    }

    /// Shows `bytes` behind what the decoder left over.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.carry.extend_from_slice(bytes);
        let mut seen = Seen::default();
        match self.decoder.decode(&mut self.carry, &mut seen) {
            Ok(used) => {
                self.keep(seen);
                self.carry.drain(..used);
            }
            Err(violation) => {
                self.keep(seen);
                self.records.push(Record::Violation(violation));
                self.carry.clear();
            }
        }
    }

    /// Appends straight to the buffer of a large frame where there is one; returns how many bytes of
    /// `bytes` went there.
    pub fn feed_directly(&mut self, bytes: &[u8]) -> usize {
        if !self.carry.is_empty() {
            return 0;
        }
        let Some(direct) = self.decoder.direct() else {
            return 0;
        };
        let count = direct.missing.min(bytes.len());
        assert!(
            direct.buffer.capacity() > direct.buffer.len(),
            "there is room to read to"
        );
        direct.buffer.extend_from_slice(&bytes[..count]);
        let mut seen = Seen::default();
        let outcome = self.decoder.filled(&mut seen);
        self.keep(seen);
        if let Err(violation) = outcome {
            self.records.push(Record::Violation(violation));
        }
        count
    }

    fn keep(&mut self, seen: Seen) {
        let bytes = |at: Range<usize>| self.carry[at].to_vec();
        self.records
            .extend(seen.0.into_iter().map(|found| match found {
                Found::Message(text, at) => Record::Message {
                    text,
                    payload: bytes(at),
                },
                Found::Large(text, Assembled { bytes, fragments }) => Record::Large {
                    text,
                    payload: bytes,
                    fragments,
                },
                Found::Ping(at) => Record::Ping(bytes(at)),
                Found::Pong(at) => Record::Pong(bytes(at)),
                Found::Close(code, at) => Record::Close(code, bytes(at)),
            }));
    }
}

enum Found {
    Message(bool, Range<usize>),
    Large(bool, Assembled),
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(Option<u16>, Range<usize>),
}

#[derive(Default)]
struct Seen(Vec<Found>);

impl Sink for Seen {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }

    fn message(&mut self, text: bool, at: Range<usize>) {
        self.0.push(Found::Message(text, at));
    }

    fn large(&mut self, text: bool, message: Assembled) {
        self.0.push(Found::Large(text, message));
    }

    fn ping(&mut self, at: Range<usize>) {
        self.0.push(Found::Ping(at));
    }

    fn pong(&mut self, at: Range<usize>) {
        self.0.push(Found::Pong(at));
    }

    fn close(&mut self, code: Option<u16>, reason: Range<usize>) {
        self.0.push(Found::Close(code, reason));
    }
}

/// A reader of what a server sends, without limits.
pub const OF_SERVER: DecoderConfig = DecoderConfig {
    max_payload: 0,
    max_fragments: 0,
    validate_utf8: true,
    masked: false,
    large: 1000,
};

/// A reader of what a client sends, without limits.
pub const OF_CLIENT: DecoderConfig = DecoderConfig {
    masked: true,
    ..OF_SERVER
};

pub const MASK: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

/// One frame.
pub fn frame(fin: bool, opcode: OpCode, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, fin, opcode, payload, mask);
    out
}

/// A frame of any bits, for what [`append_frame`] cannot write.
#[derive(Clone, Debug)]
pub struct RawFrame {
    pub first: u8,
    pub mask: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

impl RawFrame {
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        append_frame(out, true, OpCode::Text, &self.payload, self.mask);
        out[start] = self.first;
    }
}
