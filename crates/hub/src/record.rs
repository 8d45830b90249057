//! What JavaScript reads of the queue: records, in words.

/// One thing that happened to a connection.
///
/// | kind | slab, offset, length |
/// |---|---|
/// | text, binary, ping, pong | the bytes: slab, offset, length |
/// | large text, large binary | offset: index of the message; length: index of its fragments' ends among the events, plus one, or 0 |
/// | close | the bytes of the reason; the code lies in the two bytes before |
/// | close without code, ended, finished, closed | nothing |
/// | acknowledged | length: how many frames |
/// | event | offset: index of the event |
/// | exchange | offset: the number of an exchange of that link; length: what happened to it |
///
/// In the table that JavaScript reads, the place of the slab has a number instead: that of the
/// ArrayBuffer where the bytes are, or 0 where they are in the stage; see [`write_rows`].
///
/// [`write_rows`]: crate::write_rows
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// The number of the connection, or 0 for what is about none.
    pub connection: u32,
    /// The [`kind`] in the low byte, the place of the slab in its queue above it.
    pub kind: u32,
    /// See the table.
    pub offset: u32,
    /// See the table.
    pub length: u32,
}

impl Record {
    /// Its [`kind`] alone.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind & 0xff
    }

    /// The place of the slab.
    #[must_use]
    pub fn slab(&self) -> usize {
        (self.kind >> 8) as usize
    }

    /// Where its bytes are in the slab, those that only the native side looks at included.
    #[must_use]
    pub fn range(&self) -> Option<std::ops::Range<usize>> {
        let (start, end) = (self.offset as usize, (self.offset + self.length) as usize);
        match self.kind() {
            kind::TEXT | kind::BINARY | kind::PING | kind::PONG => Some(start..end),
            kind::CLOSE => Some(start.saturating_sub(CLOSE_CODE)..end),
            _ => None,
        }
    }
}

/// The kinds of record. `lib/hub/records.js` has the same list, which a test compares.
pub mod kind {
    /// A text message.
    pub const TEXT: u32 = 1;
    /// A binary message.
    pub const BINARY: u32 = 2;
    /// A text message in memory of its own.
    pub const LARGE_TEXT: u32 = 3;
    /// A binary message in memory of its own.
    pub const LARGE_BINARY: u32 = 4;
    /// A ping.
    pub const PING: u32 = 5;
    /// A pong.
    pub const PONG: u32 = 6;
    /// A close frame with a code.
    pub const CLOSE: u32 = 7;
    /// A close frame without one.
    pub const CLOSE_WITHOUT_CODE: u32 = 8;
    /// Frames that wanted to be acknowledged were written.
    pub const ACKNOWLEDGED: u32 = 9;
    /// The peer has finished sending.
    pub const ENDED: u32 = 10;
    /// Everything was written and the sending side is shut.
    pub const FINISHED: u32 = 11;
    /// The connection is gone: its last record.
    pub const CLOSED: u32 = 12;
    /// Something rare, told in JSON.
    pub const EVENT: u32 = 13;
    /// Something happened to an HTTP exchange.
    pub const EXCHANGE: u32 = 14;
}

/// 32-bit words of a record in the table.
pub const RECORD_WORDS: usize = size_of::<Record>() / 4;

/// Bytes of a close frame's code, which lie before its reason.
pub(crate) const CLOSE_CODE: usize = 2;
