//! Reading frames.

use std::ops::Range;

use crate::{
    Violation,
    assembly::{Assembled, Assembly, Direct},
    header::{Header, Rules},
    mask::mask_in_place,
    utf8,
};

/// How a [`Decoder`] reads.
#[derive(Clone, Copy, Debug)]
pub struct DecoderConfig {
    /// Longest message, counted over all its fragments; 0 for no limit.
    pub max_payload: u64,
    /// Most fragments of a message; 0 for no limit.
    pub max_fragments: u32,
    /// Whether text messages and close reasons must be UTF-8.
    pub validate_utf8: bool,
    /// Whether frames must be masked, as those of a client are, or must not.
    pub masked: bool,
    /// Payloads from this size on, and all fragmented messages, are put together in a buffer of
    /// their own. Smaller frames have to lie whole in the input.
    pub large: usize,
}

/// Receives what a [`Decoder`] finds; ranges refer to the bytes given to [`Decoder::decode`].
pub trait Sink {
    /// An empty buffer for a message that will be put together; the capacity is a hint.
    fn buffer(&mut self, capacity: usize) -> Vec<u8>;
    /// A message that lies whole in the input.
    fn message(&mut self, text: bool, at: Range<usize>);
    /// A message that was put together in a buffer.
    fn large(&mut self, text: bool, message: Assembled);
    /// A ping and its payload.
    fn ping(&mut self, at: Range<usize>);
    /// A pong and its payload.
    fn pong(&mut self, at: Range<usize>);
    /// A close frame; nothing comes after it.
    fn close(&mut self, code: Option<u16>, reason: Range<usize>);
}

/// Reads the frames of one direction of a connection.
///
/// However the input is cut into pieces, the sink sees the same.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    /// The message being put together, if any.
    assembly: Option<Assembly>,
    concluded: bool,
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new(config: DecoderConfig) -> Self {
        Self {
            config,
            assembly: None,
            concluded: false,
        }
    }

    /// Reads the frames that lie whole in `buf`, and of large and fragmented ones whatever is there;
    /// returns how many bytes are used up. The caller shows the others again with more behind them.
    ///
    /// Payloads of masked frames are unmasked in place. After a close frame or a violation all input
    /// is used up and ignored.
    ///
    /// # Errors
    ///
    /// The first frame that breaks the protocol; what came before it has been given to the sink.
    pub fn decode(&mut self, buf: &mut [u8], sink: &mut impl Sink) -> Result<usize, Violation> {
        if self.concluded {
            return Ok(buf.len());
        }
        let outcome = self.frames(buf, sink);
        if outcome.is_err() {
            self.conclude();
        }
        outcome
    }

    /// Where to read the rest of a large frame to; `None` outside such a frame, and when frames are
    /// masked. Call [`filled`](Self::filled) after having appended to the buffer.
    pub fn direct(&mut self) -> Option<Direct<'_>> {
        if self.config.masked {
            return None;
        }
        self.assembly
            .as_mut()
            .filter(|assembly| !assembly.is_frame_whole())
            .map(Assembly::direct)
    }

    /// Takes account of what was appended to the buffer of [`direct`](Self::direct), and gives the
    /// message to the sink when that made it whole.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`] when the message is a text that is not UTF-8.
    pub fn filled(&mut self, sink: &mut impl Sink) -> Result<(), Violation> {
        let Some(assembly) = &mut self.assembly else {
            return Ok(());
        };
        assembly.count();
        let outcome = self.deliver(sink);
        if outcome.is_err() {
            self.conclude();
        }
        outcome
    }

    /// Whether a close frame or a violation has ended the input.
    pub fn concluded(&self) -> bool {
        self.concluded
    }

    fn conclude(&mut self) {
        self.concluded = true;
        self.assembly = None;
    }

    fn frames(&mut self, buf: &mut [u8], sink: &mut impl Sink) -> Result<usize, Violation> {
        let mut at = 0;
        loop {
            if let Some(assembly) = &mut self.assembly
                && !assembly.is_frame_whole()
            {
                at += assembly.take(&buf[at..], self.config.masked);
                if !assembly.is_frame_whole() {
                    return Ok(at);
                }
                self.deliver(sink)?;
            }
            let rules = Rules {
                masked: self.config.masked,
                allow_rsv: false,
            };
            let Some(header) = Header::read(&buf[at..], rules, self.assembly.is_some())? else {
                return Ok(at);
            };
            let start = at + header.size;
            if header.is_control() {
                let end = start + header.length as usize;
                if end > buf.len() {
                    return Ok(at);
                }
                if self.control(&header, buf, start..end, sink)? {
                    return Ok(buf.len());
                }
                at = end;
                continue;
            }
            self.check_limits(&header)?;
            if let Some(assembly) = &mut self.assembly {
                assembly.next_frame(&header);
            } else if header.fin() && header.length < self.config.large as u64 {
                let end = start + header.length as usize;
                if end > buf.len() {
                    return Ok(at);
                }
                let text = header.opcode() == 1;
                self.unmask(&mut buf[start..end], &header);
                if text && self.config.validate_utf8 {
                    utf8::check(&buf[start..end])?;
                }
                sink.message(text, start..end);
                at = end;
                continue;
            } else {
                self.assembly = Some(Assembly::new(&header, |capacity| sink.buffer(capacity)));
            }
            at = start;
            if header.length == 0 {
                self.deliver(sink)?;
            }
        }
    }

    /// Reports a control frame; returns whether it was a close frame.
    fn control(
        &mut self,
        header: &Header,
        buf: &mut [u8],
        at: Range<usize>,
        sink: &mut impl Sink,
    ) -> Result<bool, Violation> {
        let payload = &mut buf[at.clone()];
        self.unmask(payload, header);
        match header.opcode() {
            9 => sink.ping(at),
            10 => sink.pong(at),
            _ => {
                let (code, reason) = utf8::close_payload(payload, self.config.validate_utf8)?;
                self.conclude();
                sink.close(code, at.start + reason.start..at.start + reason.end);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks how long a message becomes by a frame.
    fn check_limits(&self, header: &Header) -> Result<(), Violation> {
        let (frames, announced) = self
            .assembly
            .as_ref()
            .map_or((0, 0), |assembly| (assembly.frames(), assembly.announced()));
        let DecoderConfig {
            max_payload,
            max_fragments,
            ..
        } = self.config;
        if max_payload > 0
            && header.length > 0
            && announced.saturating_add(header.length) > max_payload
        {
            return Err(Violation::MessageTooLong);
        }
        if max_fragments > 0 && frames >= max_fragments {
            return Err(Violation::TooManyFragments);
        }
        Ok(())
    }

    /// Gives a message that was put together to the sink, once it is whole.
    fn deliver(&mut self, sink: &mut impl Sink) -> Result<(), Violation> {
        let Some(assembly) = self.assembly.take_if(|assembly| assembly.is_whole()) else {
            return Ok(());
        };
        let text = assembly.text;
        let message = assembly.finish();
        if text && self.config.validate_utf8 {
            utf8::check(&message.bytes)?;
        }
        sink.large(text, message);
        Ok(())
    }

    fn unmask(&self, payload: &mut [u8], header: &Header) {
        if self.config.masked {
            mask_in_place(payload, header.mask, 0);
        }
    }
}
