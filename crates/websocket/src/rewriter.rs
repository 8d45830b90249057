//! Passing frames on, from one client to another.

use crate::{
    Violation,
    header::{Header, Rules},
    mask::{mask_in_place, move_masked, rotate},
    utf8,
};

/// How a [`Rewriter`] reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct RewriterConfig {
    /// Whether the two clients agreed on an extension, which may use the reserved bits.
    pub allow_rsv: bool,
    /// The longest frame that is passed on whole; a longer one is cut into fragments of this length.
    /// Zero cuts none.
    pub max_frame: u64,
}

/// Receives the control frames that a [`Rewriter`] takes out.
pub trait ControlSink {
    /// A ping; answer it on the side it came from.
    fn ping(&mut self, payload: &[u8]);
    /// A pong.
    fn pong(&mut self, payload: &[u8]);
    /// A close frame; it ends this direction.
    fn close(&mut self, code: Option<u16>, reason: &[u8]);
    /// A data frame begins: FIN, the reserved bits and the opcode; its length as the client sent it;
    /// and where in the output the payload begins. This is for those who record what passes.
    fn data(&mut self, _first: u8, _length: u64, _payload_at: usize) {}
}

/// What one call of [`Rewriter::rewrite`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// How many bytes of the input are used up. The others are to be shown again: at most 130 of an
    /// unfinished header or control frame with more behind them, and all that is left when there was
    /// no [`room`](Self::no_room).
    pub used: usize,
    /// How many bytes of output lie at the front of the buffer.
    pub written: usize,
    /// The last place in the output, if any, where a frame of the caller's own may go in between.
    pub boundary: Option<usize>,
    /// Whether a fragment's header found no room in front of the input. The output has to be taken
    /// away, and the rest shown again with at least [`ROOM`] bytes in front.
    pub no_room: bool,
}

/// How much room in front of the input lets every call get on.
pub const ROOM: usize = 64;

/// One direction of a relay: the masked frames of a client become, in place, the unmasked frames that
/// a server sends.
///
/// Payloads pass as they come, so that a frame of any size needs no memory; they are not looked at.
/// Data frames and fragments stay what they were, except that long ones are cut. Control frames are taken out and reported.
#[derive(Debug)]
pub struct Rewriter {
    rules: Rules,
    max_frame: u64,
    /// Bytes still to come of the current payload.
    missing: u64,
    /// Bytes of the client's frame behind the fragment that is being written.
    uncut: u64,
    /// The FIN bit of that frame, for its last fragment.
    fin: u8,
    /// The mask as it applies to the next byte of it.
    mask: [u8; 4],
    /// Whether the message goes on in another frame.
    fragmented: bool,
    concluded: bool,
    salvaged: usize,
    messages: u64,
    payload: u64,
}

impl Rewriter {
    /// A rewriter at the start of a connection.
    pub fn new(config: RewriterConfig) -> Self {
        Self {
            rules: Rules {
                masked: true,
                allow_rsv: config.allow_rsv,
            },
            max_frame: longest(config.max_frame),
            missing: 0,
            uncut: 0,
            fin: 0,
            mask: [0; 4],
            fragmented: false,
            concluded: false,
            salvaged: 0,
            messages: 0,
            payload: 0,
        }
    }

    /// Passes on frames of another length whole, from the next fragment on.
    pub fn set_max_frame(&mut self, max_frame: u64) {
        self.max_frame = longest(max_frame);
    }

    /// Rewrites the input, which lies in `buf` from `from` on; the output lies at the front of `buf`.
    ///
    /// After a close frame or a violation all input is used up and nothing is written.
    ///
    /// # Errors
    ///
    /// The first frame that breaks the protocol; [`salvaged`](Self::salvaged) tells how much output
    /// lies in `buf` from before it.
    pub fn rewrite(
        &mut self,
        buf: &mut [u8],
        from: usize,
        controls: &mut impl ControlSink,
    ) -> Result<Rewritten, Violation> {
        self.salvaged = 0;
        if self.concluded {
            return Ok(Rewritten {
                used: buf.len() - from,
                written: 0,
                boundary: None,
                no_room: false,
            });
        }
        let (mut read, mut written, mut no_room) = (from, 0, false);
        let mut boundary = self.is_between_frames().then_some(0);
        loop {
            if self.missing > 0 {
                let count = self.missing.min((buf.len() - read) as u64) as usize;
                move_masked(buf, read, written, count, self.mask);
                self.mask = rotate(self.mask, count);
                self.missing -= count as u64;
                read += count;
                written += count;
                self.payload += count as u64;
                if self.missing > 0 {
                    break;
                }
                boundary = Some(written);
            }
            if self.uncut > 0 {
                // Not before there is something to put into it.
                if read == buf.len() {
                    break;
                }
                let length = self.uncut.min(self.max_frame);
                if written + header_size(length) > read {
                    no_room = true;
                    break;
                }
                self.uncut -= length;
                self.missing = length;
                let fin = if self.uncut == 0 { self.fin } else { 0 };
                written += write_header(&mut buf[written..], fin, length);
                continue;
            }
            let header = match Header::read(&buf[read..], self.rules, self.fragmented) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(violation) => return Err(self.fail(violation, written)),
            };
            let start = read + header.size;
            if header.is_control() {
                let end = start + header.length as usize;
                if end > buf.len() {
                    break;
                }
                let payload = &mut buf[start..end];
                mask_in_place(payload, header.mask, 0);
                match report(&header, payload, controls) {
                    Ok(false) => read = end,
                    Ok(true) => {
                        self.concluded = true;
                        read = buf.len();
                        break;
                    }
                    Err(violation) => return Err(self.fail(violation, written)),
                }
                continue;
            }
            read = start;
            self.missing = header.length.min(self.max_frame);
            self.uncut = header.length - self.missing;
            self.fin = header.first & 0x80;
            // At least four bytes shorter than what was read, since there is no mask.
            let first = if self.uncut == 0 {
                header.first
            } else {
                header.first & 0x7f
            };
            written += write_header(&mut buf[written..start], first, self.missing);
            controls.data(header.first, header.length, written);
            self.mask = header.mask;
            self.fragmented = !header.fin();
            self.messages += u64::from(header.fin());
            if header.length == 0 {
                boundary = Some(written);
            }
        }
        Ok(Rewritten {
            used: read - from,
            written,
            boundary,
            no_room,
        })
    }

    /// After a violation: how many bytes of output from before it lie at the front of the buffer.
    pub fn salvaged(&self) -> usize {
        self.salvaged
    }

    /// Whether the output so far ends between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.missing == 0
    }

    /// How many messages have passed, the one whose last frame is passing included.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// How many bytes of payload have passed.
    pub fn payload(&self) -> u64 {
        self.payload
    }

    /// Whether a close frame or a violation has ended this direction.
    pub fn concluded(&self) -> bool {
        self.concluded
    }

    #[cold]
    fn fail(&mut self, violation: Violation, written: usize) -> Violation {
        self.concluded = true;
        self.salvaged = written;
        violation
    }
}

/// Reports a control frame; returns whether it was a close frame.
fn report(
    header: &Header,
    payload: &[u8],
    controls: &mut impl ControlSink,
) -> Result<bool, Violation> {
    match header.opcode() {
        9 => controls.ping(payload),
        10 => controls.pong(payload),
        _ => {
            let (code, reason) = utf8::close_payload(payload, true)?;
            controls.close(code, &payload[reason]);
            return Ok(true);
        }
    }
    Ok(false)
}

fn longest(max_frame: u64) -> u64 {
    match max_frame {
        0 => u64::MAX,
        longest => longest,
    }
}

fn header_size(length: u64) -> usize {
    match length {
        ..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// Writes the header of a frame without a mask, with the length in its shortest form; returns its size.
#[inline]
fn write_header(out: &mut [u8], first: u8, length: u64) -> usize {
    out[0] = first;
    match length {
        ..=125 => out[1] = length as u8,
        126..=0xffff => {
            out[1] = 126;
            out[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out[1] = 127;
            out[2..10].copy_from_slice(&length.to_be_bytes());
        }
    }
    header_size(length)
}
