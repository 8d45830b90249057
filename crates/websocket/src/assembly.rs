//! Messages that are put together in a buffer of their own.

use crate::{header::Header, mask};

/// A message that was put together in a buffer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The whole message.
    pub bytes: Vec<u8>,
    /// Where each fragment ends; empty when the message was one frame. Fragments without a payload
    /// are left out, as `ws` leaves them out.
    pub fragments: Vec<usize>,
}

/// The rest of a large frame, to be read straight into its buffer.
#[derive(Debug)]
pub struct Direct<'a> {
    /// What is there already; append to it. There is spare capacity, if not always for all of it.
    pub buffer: &'a mut Vec<u8>,
    /// How many bytes of the frame are missing; append no more than that.
    pub missing: usize,
}

/// A message being put together.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) text: bool,
    /// What has come so far.
    bytes: Vec<u8>,
    /// Ends of the fragments that have come so far.
    fragments: Vec<usize>,
    /// How many frames the message has had.
    frames: u32,
    /// Length of the message as far as frames have announced it.
    announced: u64,
    /// Bytes still missing of the current frame.
    missing: u64,
    /// Length of `bytes` that has been taken off `missing`.
    counted: usize,
    /// The mask as it applies to the next byte.
    mask: [u8; 4],
    /// Whether the current frame is the last.
    fin: bool,
}

impl Assembly {
    /// Begins a message; `buffer` gives its empty buffer for a capacity.
    pub(crate) fn new(header: &Header, buffer: impl FnOnce(usize) -> Vec<u8>) -> Self {
        let capacity = header.length.min(MAX_PREALLOCATION) as usize;
        let mut assembly = Self {
            text: header.opcode() == 1,
            bytes: buffer(capacity),
            fragments: Vec::new(),
            frames: 0,
            announced: 0,
            missing: 0,
            counted: 0,
            mask: [0; 4],
            fin: false,
        };
        assembly.next_frame(header);
        assembly
    }

    /// Begins the next frame.
    pub(crate) fn next_frame(&mut self, header: &Header) {
        self.frames = self.frames.saturating_add(1);
        self.announced = self.announced.saturating_add(header.length);
        self.missing = header.length;
        self.mask = header.mask;
        self.fin = header.fin();
    }

    /// Takes what belongs to the current frame from the front of `input`; returns how much that was.
    pub(crate) fn take(&mut self, input: &[u8], masked: bool) -> usize {
        let count = self.missing.min(input.len() as u64) as usize;
        self.reserve(count);
        if masked {
            mask::extend_masked(&mut self.bytes, &input[..count], self.mask);
            self.mask = mask::rotate(self.mask, count);
        } else {
            self.bytes.extend_from_slice(&input[..count]);
        }
        self.count();
        count
    }

    /// Shows the buffer for reading straight into it.
    pub(crate) fn direct(&mut self) -> Direct<'_> {
        self.reserve(self.missing.min(MIN_READ) as usize);
        let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
        Direct {
            buffer: &mut self.bytes,
            missing,
        }
    }

    /// Accounts for bytes that were appended to the buffer.
    pub(crate) fn count(&mut self) {
        let appended = self.bytes.len().saturating_sub(self.counted) as u64;
        debug_assert!(
            appended <= self.missing,
            "no more is appended than was missing"
        );
        self.missing = self.missing.saturating_sub(appended);
        self.counted = self.bytes.len();
        if self.missing > 0 {
            return;
        }
        let is_fragment = self.frames > 1 || !self.fin;
        if is_fragment && self.fragments.last().copied().unwrap_or(0) < self.counted {
            self.fragments.push(self.counted);
        }
    }

    /// Whether the current frame is whole.
    pub(crate) fn is_frame_whole(&self) -> bool {
        self.missing == 0
    }

    /// Whether the message is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.fin && self.missing == 0
    }

    /// How many frames the message has had.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Length of the message as far as frames have announced it.
    pub(crate) fn announced(&self) -> u64 {
        self.announced
    }

    /// The message.
    pub(crate) fn finish(self) -> Assembled {
        Assembled {
            bytes: self.bytes,
            fragments: self.fragments,
        }
    }

    /// Makes room for `count` bytes or more.
    ///
    /// Grows by doubling, not by what a header announces: bytes that come are paid for by the peer,
    /// an announcement is not. A message of one frame ends in a buffer of exactly its length.
    fn reserve(&mut self, count: usize) {
        if self.bytes.capacity() - self.bytes.len() >= count {
            return;
        }
        let step = self.bytes.len().max(MIN_GROWTH).max(count);
        let step = self.missing.min(step as u64) as usize;
        if self.frames == 1 && self.fin {
            self.bytes.reserve_exact(step);
        } else {
            self.bytes.reserve(step);
        }
    }
}

/// Most bytes set aside for a frame before any of them has come: covers usual messages in one
/// allocation and leaves a hostile header little.
const MAX_PREALLOCATION: u64 = 1024 * 1024;

/// Least growth of a buffer that turned out too small.
const MIN_GROWTH: usize = 64 * 1024;

/// Least room shown for reading, so that growth is not preceded by tiny reads.
const MIN_READ: u64 = 16 * 1024;
