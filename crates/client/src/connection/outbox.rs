//! Frames that wait to be written, with what they owe in acknowledgements.

use std::{collections::VecDeque, mem, sync::Arc};

use hyco_websocket::append_frame;

use super::{BufferPool, Frame};

/// The queue between the owner, who appends, and the writer, who takes.
#[derive(Debug)]
pub(super) struct Outbox {
    pool: Arc<BufferPool>,
    queue: VecDeque<Chunk>,
    /// Bytes in `queue`.
    queued: usize,
    /// Bytes that the writer has taken and not yet written.
    taken: usize,
    ending: bool,
    /// A small chunk's memory kept for the next frames, so that sparse traffic allocates nothing.
    spare: Vec<u8>,
    /// More was sent lately than the spare takes, so that the next frames begin a chunk of full size.
    /// They leave by one system call then, and not by one more for the spare.
    busy: bool,
}

/// Whole frames that are written together.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// How many of its frames want to be acknowledged.
    pub(super) acknowledge: u32,
}

impl Outbox {
    pub(super) fn new(pool: Arc<BufferPool>) -> Self {
        Self {
            pool,
            queue: VecDeque::new(),
            queued: 0,
            taken: 0,
            ending: false,
            spare: Vec::new(),
            busy: false,
        }
    }

    #[inline]
    pub(super) fn append(&mut self, frame: &Frame<'_>) {
        if self.ending {
            return;
        }
        let size = frame.payload.len() + MAX_HEADER;
        // A chunk is never reallocated: what does not fit begins another.
        let fits = |last: &Chunk| last.bytes.len() + size <= last.bytes.capacity();
        if !self.queue.back().is_some_and(fits) {
            let bytes = self.buffer(size);
            self.queue.push_back(Chunk {
                bytes,
                acknowledge: 0,
            });
        }
        let Some(last) = self.queue.back_mut() else {
            return;
        };
        let before = last.bytes.len();
        append_frame(
            &mut last.bytes,
            frame.fin,
            frame.opcode,
            frame.payload,
            frame.mask,
        );
        last.acknowledge += u32::from(frame.acknowledge);
        self.queued += last.bytes.len() - before;
    }

    /// Memory for a chunk that begins with `size` bytes: a little for the first of a turn, more
    /// when that is full.
    fn buffer(&mut self, size: usize) -> Vec<u8> {
        if size > CHUNK {
            return self.pool.take(size);
        }
        if size > SPARE || self.busy || !self.queue.is_empty() {
            return self.pool.take(CHUNK);
        }
        let mut bytes = mem::take(&mut self.spare);
        bytes.reserve_exact(SPARE);
        bytes
    }

    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// The next chunk to be written; `written` accounts for it.
    pub(super) fn take(&mut self) -> Option<Chunk> {
        let chunk = self.queue.pop_front()?;
        self.queued -= chunk.bytes.len();
        self.taken += chunk.bytes.len();
        Some(chunk)
    }

    /// Accounts for bytes of a taken chunk that have been written.
    pub(super) fn written(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_sub(bytes);
    }

    /// Gives a written chunk's memory back.
    pub(super) fn recycle(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= SPARE {
            bytes.clear();
            self.spare = bytes;
        } else {
            self.busy = bytes.len() > SPARE;
            self.pool.give(bytes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending
    }

    /// Bytes that nobody has taken yet.
    pub(super) fn len(&self) -> usize {
        self.queued
    }

    /// Bytes that are not written yet, taken or not.
    pub(super) fn unwritten(&self) -> usize {
        self.queued + self.taken
    }
}

/// Room for a frame's header: 2 bytes, 8 of length, 4 of masking key, and 2 that the encoder needs
/// while it writes.
const MAX_HEADER: usize = 16;

/// Small frames are gathered in chunks of this size, which is one system call. Four frames of 16 KiB, the
/// size of the pieces in which Node's streams read, fit with their headers: with 64 KiB three did.
pub(super) const CHUNK: usize = 4 * (16 * 1024 + MAX_HEADER);

/// What an idle connection may keep for its next frames; thousands of them are idle together.
const SPARE: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use hyco_websocket::OpCode;

    use super::*;

    fn frame(payload: &[u8], acknowledge: bool) -> Frame<'_> {
        let mask = Some([1, 2, 3, 4]);
        Frame {
            fin: true,
            opcode: OpCode::Binary,
            payload,
            mask,
            acknowledge,
        }
    }

    #[test]
    fn small_frames_share_a_chunk_and_count_their_acknowledgements() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.append(&frame(b"one", true));
        outbox.append(&frame(b"two", false));
        outbox.append(&frame(b"three", true));
        let chunk = outbox.take().unwrap();
        assert_eq!(chunk.acknowledge, 2);
        assert_eq!(chunk.bytes.len(), 6 * 3 + 11);
        assert!(outbox.take().is_none());
    }

    #[test]
    fn four_frames_of_16_kib_share_a_chunk() {
        let mut outbox = Outbox::new(Arc::default());
        for _ in 0..8 {
            outbox.append(&frame(&[0; 16 * 1024], false));
        }
        for _ in 0..2 {
            assert_eq!(outbox.take().unwrap().bytes.len(), 4 * (16 * 1024 + 8));
        }
        assert!(outbox.take().is_none());
    }

    #[test]
    fn a_large_frame_has_a_chunk_of_its_own() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.append(&frame(b"small", false));
        outbox.append(&frame(&vec![0; CHUNK], false));
        outbox.append(&frame(b"small", false));
        assert_eq!(outbox.take().unwrap().bytes.len(), 11);
        assert_eq!(outbox.take().unwrap().bytes.len(), CHUNK + 14);
        assert_eq!(outbox.take().unwrap().bytes.len(), 11);
    }

    /// Appends as many small frames as fill `bytes`, and writes them; returns how long their chunks are.
    fn turn(outbox: &mut Outbox, bytes: usize) -> Vec<usize> {
        for _ in 0..bytes / 70 {
            outbox.append(&frame(&[0; 64], false));
        }
        let mut lengths = Vec::new();
        while let Some(chunk) = outbox.take() {
            lengths.push(chunk.bytes.len());
            outbox.written(chunk.bytes.len());
            outbox.recycle(chunk.bytes);
        }
        lengths
    }

    #[test]
    fn bursts_share_a_chunk_from_the_second_one_on_until_little_is_sent_again() {
        let burst = 18 * 1024 / 70 * 70;
        let mut outbox = Outbox::new(Arc::default());
        assert_eq!(turn(&mut outbox, burst).len(), 2);
        for _ in 0..2 {
            assert_eq!(turn(&mut outbox, burst), [burst]);
        }
        // The chunk that is not worth it is the last one.
        assert_eq!(turn(&mut outbox, 70), [70]);
        assert!(!outbox.busy);
        assert_eq!(turn(&mut outbox, burst).len(), 2);
    }

    #[test]
    fn what_is_unwritten_counts_until_it_is_written() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.append(&frame(b"12345", false));
        assert_eq!((outbox.len(), outbox.unwritten()), (11, 11));
        let chunk = outbox.take().unwrap();
        assert_eq!((outbox.len(), outbox.unwritten()), (0, 11));
        outbox.written(chunk.bytes.len());
        assert_eq!(outbox.unwritten(), 0);
    }

    #[test]
    fn nothing_is_appended_after_the_end() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.end();
        outbox.append(&frame(b"late", true));
        assert!(outbox.is_empty());
    }
}
