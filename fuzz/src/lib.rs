//! What the fuzz targets share: a decoder that keeps what it finds, and input cut into pieces.
#![forbid(unsafe_code)]

use std::ops::Range;

use hyco_websocket::{Assembled, Decoder, DecoderConfig, Sink, Violation};

/// Something a decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A message, whether it lay whole in the input or was put together.
    Message(bool, Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame.
    Close(Option<u16>, Vec<u8>),
    /// The end of the input, because it breaks the protocol.
    Violation(Violation),
}

/// Decodes pieces, as they come from a socket.
pub fn decode<'a>(
    config: DecoderConfig,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Record> {
    let mut decoder = Decoder::new(config);
    let mut records = Vec::new();
    let mut carry = Vec::new();
    for piece in pieces {
        carry.extend_from_slice(piece);
        let mut found = Finds::default();
        let outcome = decoder.decode(&mut carry, &mut found);
        records.extend(found.0.into_iter().map(|find| find.copy(&carry)));
        match outcome {
            Ok(used) => drop(carry.drain(..used)),
            Err(violation) => {
                records.push(Record::Violation(violation));
                carry.clear();
            }
        }
    }
    records
}

/// Cuts `bytes` into pieces of at most `size` bytes.
pub fn cut(bytes: &[u8], size: u8) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(usize::from(size.max(1)))
}

enum Find {
    Message(bool, Range<usize>),
    Large(bool, Vec<u8>),
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(Option<u16>, Range<usize>),
}

impl Find {
    fn copy(self, bytes: &[u8]) -> Record {
        match self {
            Self::Message(text, at) => Record::Message(text, bytes[at].to_vec()),
            Self::Large(text, message) => Record::Message(text, message),
            Self::Ping(at) => Record::Ping(bytes[at].to_vec()),
            Self::Pong(at) => Record::Pong(bytes[at].to_vec()),
            Self::Close(code, at) => Record::Close(code, bytes[at].to_vec()),
        }
    }
}

#[derive(Default)]
struct Finds(Vec<Find>);

impl Sink for Finds {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        // The length that a frame announces is the peer's word.
        Vec::with_capacity(capacity.min(1 << 20))
    }

    fn message(&mut self, text: bool, at: Range<usize>) {
        self.0.push(Find::Message(text, at));
    }

    fn large(&mut self, text: bool, message: Assembled) {
        self.0.push(Find::Large(text, message.bytes));
    }

    fn ping(&mut self, at: Range<usize>) {
        self.0.push(Find::Ping(at));
    }

    fn pong(&mut self, at: Range<usize>) {
        self.0.push(Find::Pong(at));
    }

    fn close(&mut self, code: Option<u16>, reason: Range<usize>) {
        self.0.push(Find::Close(code, reason));
    }
}
