//! Frames as they come, without holding a message: one may be of any length.

use crate::{mask::mask_in_place, open_header::OpenHeader};

/// A part of what the other side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A stretch of a text message.
    Text {
        /// Its bytes.
        bytes: &'a [u8],
        /// Whether it ends the message.
        last: bool,
    },
    /// A stretch of a binary message.
    Binary {
        /// Its bytes.
        bytes: &'a [u8],
        /// Whether it ends the message.
        last: bool,
    },
    /// Asks for a pong with the same bytes.
    Ping(&'a [u8]),
    /// Answers a ping, or shows that a side is alive.
    Pong,
    /// The last frame of a side, with its code; 1005 where it has none.
    Close(u16),
}

/// The other side breaks the WebSocket protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(&'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

/// Reads the frames of a peer, stretch by stretch.
///
/// It checks the order of frames and their headers; text is not validated, which whoever parses it does.
#[derive(Debug)]
pub struct PartReader {
    masked: bool,
    payload: Option<Payload>,
    /// Whether the current message is text; none between two messages.
    text: Option<bool>,
}

/// The payload of a data frame that is under way.
#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u64,
    /// How far it has come, by which its mask is turned.
    offset: usize,
    key: [u8; 4],
    fin: bool,
}

impl PartReader {
    /// Reads what a client sends, whose frames are `masked`, or a server, whose are not.
    pub fn new(masked: bool) -> Self {
        Self {
            masked,
            payload: None,
            text: None,
        }
    }

    /// Reads the next part, which is unmasked in place. Gives how many bytes it took, and the part if
    /// enough had come for one; bytes that were not taken are to be given again, with more behind them.
    pub fn next<'b>(&mut self, bytes: &'b mut [u8]) -> Result<(usize, Option<Part<'b>>), Broken> {
        if let Some(payload) = self.payload {
            return Ok(self.stretch(payload, bytes));
        }
        let Some(header) = OpenHeader::read(bytes) else {
            return Ok((0, None));
        };
        if header.masked != self.masked {
            return Err(Broken(
                "a frame is masked that should not be, or the other way round",
            ));
        }
        if header.first & 0x70 != 0 {
            return Err(Broken("a reserved bit is set"));
        }
        let fin = header.first & 0x80 != 0;
        let opcode = header.first & 0x0f;
        if opcode >= 8 {
            return control(bytes, header, opcode, fin);
        }
        match (opcode, self.text) {
            (0, Some(_)) => {}
            (1 | 2, None) => self.text = Some(opcode == 1),
            _ => return Err(Broken("a frame comes out of order")),
        }
        let payload = Payload {
            left: header.length,
            offset: 0,
            key: header.key,
            fin,
        };
        if header.length == 0 {
            return Ok((header.size, Some(self.part(&[], fin))));
        }
        let (count, part) = self.stretch(payload, &mut bytes[header.size..]);
        Ok((header.size + count, part))
    }

    fn stretch<'b>(&mut self, payload: Payload, bytes: &'b mut [u8]) -> (usize, Option<Part<'b>>) {
        let most = usize::try_from(payload.left).unwrap_or(usize::MAX);
        let count = bytes.len().min(most);
        self.payload = Some(payload);
        if count == 0 {
            return (0, None);
        }
        let bytes = &mut bytes[..count];
        if payload.key != [0; 4] {
            mask_in_place(bytes, payload.key, payload.offset);
        }
        let left = payload.left - count as u64;
        self.payload = (left > 0).then_some(Payload {
            left,
            offset: (payload.offset + count) % 4,
            ..payload
        });
        (count, Some(self.part(bytes, left == 0 && payload.fin)))
    }

    fn part<'b>(&mut self, bytes: &'b [u8], last: bool) -> Part<'b> {
        let text = self.text == Some(true);
        if last {
            self.text = None;
        }
        match text {
            true => Part::Text { bytes, last },
            false => Part::Binary { bytes, last },
        }
    }
}

fn control(
    bytes: &mut [u8],
    header: OpenHeader,
    opcode: u8,
    fin: bool,
) -> Result<(usize, Option<Part<'_>>), Broken> {
    let length = usize::try_from(header.length).unwrap_or(usize::MAX);
    if !fin || length > 125 {
        return Err(Broken("a control frame is too long or in parts"));
    }
    let end = header.size + length;
    let Some(payload) = bytes.get_mut(header.size..end) else {
        return Ok((0, None));
    };
    mask_in_place(payload, header.key, 0);
    let part = match opcode {
        8 => Part::Close(match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => NO_CODE,
        }),
        9 => Part::Ping(payload),
        10 => Part::Pong,
        _ => return Err(Broken("an unknown kind of frame")),
    };
    Ok((end, Some(part)))
}

/// What a close frame without a code means.
const NO_CODE: u16 = 1005;
