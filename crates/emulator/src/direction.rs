//! One direction of a relayed connection: the frames of one side, on their way to the other.
//!
//! Bytes are read into one buffer, rewritten where they lie (masked client frames become unmasked
//! server frames), written, and only then is read again: a slow reader stops its writer, and memory
//! stays at one buffer (docs/protocol.md, 4.6).

use std::{
    io,
    ops::Range,
    task::{Context, Poll, ready},
};

use hyco_websocket::{
    ControlSink, OpCode, ROOM, Rewriter, RewriterConfig, Rewritten, Violation, append_frame,
};
use tokio::{io::ReadBuf, time::Instant};

use crate::{
    buffer::Buffer,
    recorded::{self, Recorded},
    side::Side,
};

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The source sent a close frame, and it has been passed on.
    Closed,
    /// The source's connection ended without a close frame.
    SourceLost,
    /// Nothing can be written any more.
    SinkLost,
    /// The source broke the WebSocket protocol.
    Violated(Violation),
}

/// What is on its way from one side to the other.
pub(crate) struct Direction {
    rewriter: Rewriter,
    buffer: Option<Buffer>,
    /// Where in the buffer the bytes lie that are to be written.
    output: Range<usize>,
    /// The place in it where a frame of the relay's own may go in between.
    boundary: Option<usize>,
    /// Where in the buffer the bytes lie that are not rewritten yet.
    input: Range<usize>,
    /// More of them can be rewritten once the output is written.
    unrewritten: bool,
    /// Frames of the relay's own that are being written.
    inserted: Vec<u8>,
    inserted_from: usize,
    /// The close frame to be written behind the output.
    close: Option<(Option<u16>, Vec<u8>)>,
    /// The verdict, once all that came before it is written.
    ending: Option<Verdict>,
    unflushed: bool,
    /// The longest frame that is passed on whole; zero cuts none.
    max_frame: u64,
    /// The frames that came since they were taken, if they are recorded.
    recorded: Option<Vec<Recorded>>,
    /// Since when the other side has taken nothing.
    pub(crate) stalled_since: Option<Instant>,
}

impl Direction {
    /// A direction whose first bytes, `rest`, came along with the handshake.
    pub(crate) fn new(config: RewriterConfig, rest: &[u8]) -> Self {
        let mut direction = Self {
            rewriter: Rewriter::new(config),
            buffer: None,
            output: 0..0,
            boundary: None,
            input: ROOM..ROOM + rest.len(),
            unrewritten: !rest.is_empty(),
            inserted: Vec::new(),
            inserted_from: 0,
            close: None,
            ending: None,
            unflushed: false,
            max_frame: config.max_frame,
            recorded: None,
            stalled_since: None,
        };
        if !rest.is_empty() {
            direction.buffer.insert(Buffer::take())[ROOM..][..rest.len()].copy_from_slice(rest);
        }
        direction
    }

    /// How many messages have passed.
    pub(crate) fn messages(&self) -> u64 {
        self.rewriter.messages()
    }

    /// How many bytes of payload have passed.
    pub(crate) fn payload(&self) -> u64 {
        self.rewriter.payload()
    }

    /// Keeps the frames that come for [`take_recorded`](Self::take_recorded), or no more.
    pub(crate) fn set_recorded(&mut self, recorded: bool) {
        match recorded {
            true => drop(self.recorded.get_or_insert_default()),
            false => self.recorded = None,
        }
    }

    /// The frames that came since the last call.
    pub(crate) fn take_recorded(&mut self) -> Vec<Recorded> {
        self.recorded.as_mut().map_or_else(Vec::new, std::mem::take)
    }

    /// Cuts the frames to come as a fault wants it, or else as usual.
    pub(crate) fn set_slice(&mut self, slice: Option<u64>, usual: u64) {
        self.max_frame = slice.unwrap_or(usual);
        self.rewriter.set_max_frame(self.max_frame);
    }

    /// Moves bytes until one side has to wait, or the direction ends.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Side,
        sink: &mut Side,
    ) -> Poll<Verdict> {
        sink.note_replies();
        for _ in 0..ROUNDS {
            if ready!(self.poll_write_all(cx, sink)).is_err() {
                return Poll::Ready(Verdict::SinkLost);
            }
            if self.unrewritten {
                self.rewrite(source);
                continue;
            }
            if let Some(verdict) = self.ending {
                return self.poll_flush(cx, sink).map(|flushed| match flushed {
                    Ok(()) => verdict,
                    Err(_) => Verdict::SinkLost,
                });
            }
            match self.poll_read(cx, source) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                    self.ending = Some(Verdict::SourceLost);
                }
                Poll::Ready(Ok(_)) => self.rewrite(source),
                Poll::Pending => {
                    if self.input.is_empty() {
                        self.buffer = None;
                    }
                    return match self.poll_flush(cx, sink) {
                        Poll::Ready(Err(_)) => Poll::Ready(Verdict::SinkLost),
                        Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
        // Others on this thread have waited long enough.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tries to write a close frame of the relay's own; without success where it cannot stand.
    pub(crate) fn try_close(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Side,
        code: u16,
        reason: &str,
    ) {
        if self.output.is_empty() && self.rewriter.is_between_frames() && !sink.is_closed() {
            self.close = Some((Some(code), reason.as_bytes().to_vec()));
            sink.release();
            if let Poll::Ready(Ok(())) = self.poll_write_all(cx, sink) {
                let _ = self.poll_flush(cx, sink);
            }
        }
    }

    /// Reads what there is, up to half a buffer: a TLS connection gives one record at a time, and
    /// records that are passed on together cost less.
    fn poll_read(&mut self, cx: &mut Context<'_>, source: &mut Side) -> Poll<io::Result<usize>> {
        let buffer = self.buffer.get_or_insert_with(Buffer::take);
        buffer.copy_within(self.input.clone(), ROOM);
        self.input = ROOM..ROOM + self.input.len();
        let mut total = 0;
        while total < buffer.len() / 2 {
            let mut space = ReadBuf::new(&mut buffer[self.input.end..]);
            let count = match source.poll_read(cx, &mut space) {
                Poll::Ready(Ok(())) => space.filled().len(),
                // An end or a failure is found again by the next call.
                Poll::Ready(Err(_)) | Poll::Pending if total > 0 => 0,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if count == 0 {
                break;
            }
            self.input.end += count;
            total += count;
        }
        Poll::Ready(Ok(total))
    }

    fn rewrite(&mut self, source: &mut Side) {
        let Some(buffer) = &mut self.buffer else {
            return;
        };
        let mut controls = Controls {
            source,
            close: None,
            frames: self.recorded.as_mut().map(|_| Vec::new()),
        };
        let rewritten = match self.rewriter.rewrite(
            &mut buffer[..self.input.end],
            self.input.start,
            &mut controls,
        ) {
            Ok(rewritten) => rewritten,
            Err(violation) => {
                self.ending = Some(Verdict::Violated(violation));
                let written = self.rewriter.salvaged();
                Rewritten {
                    used: self.input.len(),
                    written,
                    boundary: None,
                    no_room: false,
                }
            }
        };
        if let (Some(recorded), Some(frames)) = (&mut self.recorded, controls.frames.take()) {
            recorded.extend(frames.into_iter().map(|(mut frame, payload_at)| {
                if let Some(at) = payload_at {
                    let output = &buffer[..rewritten.written];
                    frame.start = recorded::start(output, at, frame.length, self.max_frame);
                }
                frame
            }));
        }
        if controls.close.is_some() {
            self.ending = Some(Verdict::Closed);
            self.close = controls.close;
        }
        self.output = 0..rewritten.written;
        self.boundary = rewritten.boundary;
        self.input.start += rewritten.used;
        self.unrewritten = rewritten.no_room;
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>, sink: &mut Side) -> Poll<io::Result<()>> {
        loop {
            if !self.inserted.is_empty() {
                let bytes = &self.inserted[self.inserted_from..];
                let count = ready!(write(cx, sink, bytes, &mut self.stalled_since))?;
                self.inserted_from += count;
                if self.inserted_from == self.inserted.len() {
                    self.inserted = Vec::new();
                }
            } else if sink.is_owed_replies() && self.may_insert() {
                let replies = sink.take_replies();
                self.insert(replies);
            } else if !self.output.is_empty() {
                let end = match self.boundary {
                    Some(at) if sink.is_owed_replies() && at > self.output.start => at,
                    _ => self.output.end,
                };
                let Some(buffer) = &self.buffer else {
                    return Poll::Ready(Ok(()));
                };
                let bytes = &buffer[self.output.start..end];
                self.output.start += ready!(write(cx, sink, bytes, &mut self.stalled_since))?;
            } else if let Some((code, reason)) = self.close.take() {
                let mut payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
                payload.extend_from_slice(&reason);
                let mut frame = Vec::new();
                append_frame(&mut frame, true, OpCode::Close, &payload, None);
                sink.close();
                self.insert(frame);
            } else {
                return Poll::Ready(Ok(()));
            }
            self.unflushed = true;
        }
    }

    fn may_insert(&self) -> bool {
        self.boundary == Some(self.output.start)
            || self.output.is_empty() && self.rewriter.is_between_frames()
    }

    fn insert(&mut self, frames: Vec<u8>) {
        self.inserted = frames;
        self.inserted_from = 0;
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, sink: &mut Side) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(sink.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes what the other side takes, and notes whether it takes anything.
fn write(
    cx: &mut Context<'_>,
    sink: &mut Side,
    bytes: &[u8],
    stalled_since: &mut Option<Instant>,
) -> Poll<io::Result<usize>> {
    match sink.poll_write(cx, bytes) {
        Poll::Pending => {
            stalled_since.get_or_insert_with(Instant::now);
            Poll::Pending
        }
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        Poll::Ready(written) => {
            *stalled_since = None;
            Poll::Ready(written)
        }
    }
}

/// Takes the control frames of a source.
struct Controls<'a> {
    source: &'a mut Side,
    close: Option<(Option<u16>, Vec<u8>)>,
    /// Frames to be recorded, and where in the output their payload begins.
    frames: Option<Vec<(Recorded, Option<usize>)>>,
}

impl Controls<'_> {
    fn record(&mut self, first: u8, payload: &[u8]) {
        if let Some(frames) = &mut self.frames {
            let frame = Recorded {
                first,
                length: payload.len() as u64,
                start: payload.to_vec(),
            };
            frames.push((frame, None));
        }
    }
}

impl ControlSink for Controls<'_> {
    fn ping(&mut self, payload: &[u8]) {
        self.record(0x89, payload);
        self.source.owe_pong(payload);
    }

    fn pong(&mut self, payload: &[u8]) {
        self.record(0x8a, payload);
    }

    fn data(&mut self, first: u8, length: u64, payload_at: usize) {
        if let Some(frames) = &mut self.frames {
            let frame = Recorded {
                first,
                length,
                start: Vec::new(),
            };
            frames.push((frame, Some(payload_at)));
        }
    }

    fn close(&mut self, code: Option<u16>, reason: &[u8]) {
        let mut payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
        payload.extend_from_slice(reason);
        self.record(0x88, &payload);
        self.close = Some((code, reason.to_vec()));
    }
}

/// After so many reads in a row other connections get their turn.
const ROUNDS: usize = 16;
