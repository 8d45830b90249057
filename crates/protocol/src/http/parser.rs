//! Reading what an HTTP server writes, as it comes and without I/O.
//!
//! | state | read | next |
//! |---|---|---|
//! | Head | 1xx other than 101 | Head |
//! | Head | 101 | Upgraded |
//! | Head | HEAD was asked, 204, 304, a length of 0 | Done |
//! | Head | `Transfer-Encoding: chunked` | Size |
//! | Head | `Content-Length` | Length |
//! | Head | neither | UntilEnd |
//! | Size | a size, 0 | Chunk, Trailer |
//! | Chunk | its bytes and a line break | Size |
//! | Trailer | lines, an empty line | Trailer, Done |
//! | Length | its bytes | Done |
//! | UntilEnd | the end of the stream | Done |
//!
//! Trailers and interim answers are dropped, since the relay has no place for them.

use std::mem::MaybeUninit;

use super::response::{ResponseHead, has_no_body};
use crate::command::Headers;

/// Takes what a server says, in order.
pub trait AnswerSink {
    /// The head is whole.
    fn head(&mut self, head: ResponseHead);
    /// Bytes of the body.
    fn data(&mut self, bytes: &[u8]);
}

/// What a server wrote is no HTTP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer is not HTTP: {0}")]
pub struct Malformed(pub &'static str);

/// Reads one answer.
#[derive(Debug)]
pub struct AnswerParser {
    /// The answer to a HEAD has no body, whatever it says.
    answers_head: bool,
    state: State,
    /// The start of a head or of a line that is not whole yet.
    partial: Vec<u8>,
    is_untouched: bool,
    keeps_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilEnd,
    Done,
    Upgraded,
}

impl AnswerParser {
    /// Reads the answer to a request of that method.
    pub fn new(method: &str) -> Self {
        Self {
            answers_head: method.eq_ignore_ascii_case("HEAD"),
            state: State::Head,
            partial: Vec::new(),
            is_untouched: true,
            keeps_alive: false,
        }
    }

    /// Nothing of an answer has come, not even an interim one.
    pub fn is_untouched(&self) -> bool {
        self.is_untouched
    }

    /// The answer is whole.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// A 101 was answered: what follows is no longer HTTP.
    pub fn is_upgraded(&self) -> bool {
        self.state == State::Upgraded
    }

    /// How much of the body is still to come, where its length was told.
    pub fn body_left(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether the server's connection can serve another request once the answer is done.
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive && self.is_done()
    }

    /// Reads further bytes. Gives what lies behind the answer, or behind a 101.
    pub fn feed<'b>(
        &mut self,
        mut bytes: &'b [u8],
        sink: &mut impl AnswerSink,
    ) -> Result<&'b [u8], Malformed> {
        self.is_untouched &= bytes.is_empty();
        loop {
            match self.state {
                State::Done | State::Upgraded => {
                    // Whose answer that would be is not known.
                    self.keeps_alive &= bytes.is_empty();
                    return Ok(bytes);
                }
                _ if bytes.is_empty() => return Ok(bytes),
                State::Head => bytes = self.read_head(bytes, sink)?,
                State::UntilEnd => {
                    sink.data(bytes);
                    return Ok(&[]);
                }
                State::Length(left) | State::Chunk(left) => {
                    let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (data, rest) = bytes.split_at(count);
                    sink.data(data);
                    bytes = rest;
                    self.state = match (self.state, left - count as u64) {
                        (State::Length(_), 0) => State::Done,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::ChunkEnd,
                        (_, left) => State::Chunk(left),
                    };
                }
                State::Size | State::ChunkEnd | State::Trailer => bytes = self.read_line(bytes)?,
            }
        }
    }

    /// Passes over the next `count` bytes if all of them are of the body, and the answer's or the chunk's
    /// length is not exceeded. Whoever has them knows them already.
    pub fn pass_over(&mut self, count: u64) -> bool {
        self.state = match self.state {
            State::UntilEnd => State::UntilEnd,
            State::Length(left) if left > count => State::Length(left - count),
            State::Length(left) if left == count => State::Done,
            State::Chunk(left) if left > count => State::Chunk(left - count),
            State::Chunk(left) if left == count => State::ChunkEnd,
            _ => return false,
        };
        true
    }

    /// The server has ended its stream.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::UntilEnd | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            State::Upgraded => Ok(()),
            State::Head => Err(Malformed("the connection ended before the answer")),
            _ => Err(Malformed("the connection ended within the answer")),
        }
    }

    fn read_head<'b>(
        &mut self,
        bytes: &'b [u8],
        sink: &mut impl AnswerSink,
    ) -> Result<&'b [u8], Malformed> {
        let before = self.partial.len();
        let read = match before {
            0 => parse_head(bytes)?,
            _ => {
                self.partial.extend_from_slice(bytes);
                parse_head(&self.partial)?
            }
        };
        let Some(Head {
            head,
            is_http_10,
            length,
        }) = read
        else {
            if before == 0 {
                self.partial.extend_from_slice(bytes);
            }
            return match self.partial.len() {
                ..=LONGEST_HEAD => Ok(&[]),
                _ => Err(Malformed("its head is too long")),
            };
        };
        self.partial = Vec::new();
        match head.status {
            0..=99 => return Err(Malformed("its status")),
            100 | 102..=199 => return Ok(&bytes[length - before..]),
            _ => {}
        }
        self.state = self.body_of(&head, is_http_10)?;
        sink.head(head);
        Ok(&bytes[length - before..])
    }

    /// How the body behind that head ends.
    fn body_of(&mut self, head: &ResponseHead, is_http_10: bool) -> Result<State, Malformed> {
        let says = |name: &str, word: &str| {
            let mut values = head
                .headers
                .0
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.any(|(_, value)| {
                value
                    .split(',')
                    .any(|one| one.trim().eq_ignore_ascii_case(word))
            })
        };
        self.keeps_alive =
            !says("connection", "close") && (!is_http_10 || says("connection", "keep-alive"));
        if head.status == 101 {
            return Ok(State::Upgraded);
        }
        if self.answers_head || has_no_body("", head.status) {
            return Ok(State::Done);
        }
        if says("transfer-encoding", "chunked") {
            return Ok(State::Size);
        }
        let mut lengths = head
            .headers
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, value)| value.trim());
        let Some(length) = lengths.next() else {
            self.keeps_alive = false;
            return Ok(State::UntilEnd);
        };
        if lengths.any(|other| other != length) {
            return Err(Malformed("it has two lengths"));
        }
        // Digits and nothing else: a sign would parse as well.
        let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
        match length.parse() {
            Ok(0) if is_number => Ok(State::Done),
            Ok(length) if is_number => Ok(State::Length(length)),
            _ => Err(Malformed("its length is not a number")),
        }
    }

    fn read_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Malformed> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.partial.extend_from_slice(bytes);
            return match self.partial.len() {
                ..=LONGEST_LINE => Ok(&[]),
                _ => Err(Malformed("a line between chunks is too long")),
            };
        };
        self.partial.extend_from_slice(&bytes[..end]);
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        self.state = match self.state {
            State::Size => match chunk_size(line)? {
                0 => State::Trailer,
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::Size,
            State::ChunkEnd => return Err(Malformed("a chunk is longer than it says")),
            _ if line.is_empty() => State::Done,
            _ => State::Trailer,
        };
        Ok(&bytes[end + 1..])
    }
}

/// A head that is whole.
struct Head {
    head: ResponseHead,
    is_http_10: bool,
    /// In bytes.
    length: usize,
}

/// Reads a head; none when it is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut read = parse_head_into(bytes, &mut [const { MaybeUninit::uninit() }; USUAL_HEADERS]);
    let mut most = USUAL_HEADERS;
    while matches!(read, Err(httparse::Error::TooManyHeaders)) && most < MOST_HEADERS {
        most *= 4;
        read = parse_head_into(bytes, &mut vec![MaybeUninit::uninit(); most]);
    }
    read.map_err(|error| match error {
        httparse::Error::TooManyHeaders => Malformed("it has too many headers"),
        httparse::Error::Status => Malformed("its reason phrase"),
        httparse::Error::Version => Malformed("its version"),
        _ => Malformed("its head"),
    })
}

fn parse_head_into<'b>(
    bytes: &'b [u8],
    headers: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<Head>, httparse::Error> {
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let read = config.parse_response_with_uninit_headers(&mut response, bytes, headers)?;
    Ok(match read {
        httparse::Status::Complete(length) => Some(Head {
            head: owned(&response, &bytes[..length]),
            is_http_10: response.version == Some(0),
            length,
        }),
        httparse::Status::Partial => None,
    })
}

fn owned(response: &httparse::Response<'_, '_>, head: &[u8]) -> ResponseHead {
    let header = |header: &httparse::Header<'_>| (header.name.to_owned(), latin1(header.value));
    ResponseHead {
        status: response.code.unwrap_or_default(),
        reason: match response.reason.unwrap_or_default() {
            "" => reason(head),
            ascii => ascii.to_owned(),
        },
        headers: Headers(response.headers.iter().map(header).collect()),
    }
}

/// The reason phrase of a head that is known to be one; `httparse` leaves out what is beyond ASCII.
fn reason(head: &[u8]) -> String {
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.starts_with(b"HTTP/"));
    let phrase = line.and_then(|line| line.splitn(3, |&byte| byte == b' ').nth(2));
    latin1(phrase.unwrap_or_default().trim_ascii())
}

fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The size in front of a chunk; what follows a semicolon is an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default().trim();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u64::from_str_radix(text, 16) {
        Ok(size) if is_hex => Ok(size),
        _ => Err(Malformed("the size of a chunk")),
    }
}

/// The relay takes 64 KiB; what is a little longer is refused there with a better text.
const LONGEST_HEAD: usize = 256 * 1024;
const LONGEST_LINE: usize = 16 * 1024;
const MOST_HEADERS: usize = 2048;
/// Room for so many costs no allocation.
const USUAL_HEADERS: usize = 32;
