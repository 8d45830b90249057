//! The answer to a sender's handshake, as the program may want to see it.

use std::time::Duration;

use hyco_protocol::Secrets;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};

use crate::upgrade::UpgradeReader;

/// An HTTP response: all of its head, and the beginning of its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The reason phrase, each byte one character; may be empty.
    pub reason: String,
    /// The headers as they came, each byte one character.
    pub headers: Vec<(String, String)>,
    /// The body, at most 64 KiB of it.
    pub body: Vec<u8>,
    /// Whether that is all of the body.
    pub complete: bool,
}

impl Answer {
    /// Takes out what the peer echoes of the secrets it was sent.
    pub(crate) fn hide(&mut self, secrets: &Secrets) {
        self.reason = secrets.hide(&self.reason);
        for (_, value) in &mut self.headers {
            *value = secrets.hide(value);
        }
        if let Ok(body) = std::str::from_utf8(&self.body) {
            self.body = secrets.hide(body).into_bytes();
        }
    }

    /// The head of an answer; its body is to be read.
    pub(crate) fn head<S>(status: u16, reader: &UpgradeReader<S>) -> Self {
        Self {
            status,
            reason: reader.reason(),
            headers: reader.headers(),
            body: Vec::new(),
            complete: true,
        }
    }

    /// The answer with its body, as far as that comes in time.
    pub(crate) async fn read<S: AsyncRead + Unpin>(
        status: u16,
        reader: UpgradeReader<S>,
        deadline: Instant,
    ) -> Self {
        let head = Self::head(status, &reader);
        let (mut stream, mut raw) = reader.into_parts();
        let framing = Framing::of(status, &head.headers);
        let deadline = deadline.min(Instant::now() + TIME);
        loop {
            let (body, complete) = framing.body(&raw);
            // Twice the bytes: those of chunked coding are not body.
            if complete || body.len() >= MOST || raw.len() >= 2 * MOST {
                return head.with(body, complete);
            }
            let read = timeout_at(deadline, stream.read_buf(&mut raw)).await;
            if !matches!(read, Ok(Ok(1..))) {
                let ended = matches!(read, Ok(Ok(0))) && framing == Framing::UntilEnd;
                let (body, _) = framing.body(&raw);
                return head.with(body, ended);
            }
        }
    }

    fn with(self, mut body: Vec<u8>, complete: bool) -> Self {
        let complete = complete && body.len() <= MOST;
        body.truncate(MOST);
        Self {
            body,
            complete,
            ..self
        }
    }
}

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

impl Framing {
    fn of(status: u16, headers: &[(String, String)]) -> Self {
        let value = |wanted: &str| {
            let found = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim())
        };
        if matches!(status, 100..=199 | 204 | 304) {
            return Self::Length(0);
        }
        match (value("transfer-encoding"), value("content-length")) {
            (Some(coding), _) if coding.to_ascii_lowercase().ends_with("chunked") => Self::Chunked,
            (None, Some(length)) => length.parse().map_or(Self::UntilEnd, Self::Length),
            _ => Self::UntilEnd,
        }
    }

    /// The body in what has come so far, and whether it is whole.
    fn body(self, raw: &[u8]) -> (Vec<u8>, bool) {
        match self {
            Self::Length(length) => (raw[..length.min(raw.len())].to_vec(), raw.len() >= length),
            Self::Chunked => chunks(raw),
            Self::UntilEnd => (raw.to_vec(), false),
        }
    }
}

/// What chunked coding has carried so far, and whether the last chunk was among it.
fn chunks(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = raw.iter().position(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(&raw[..end]);
        let size = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        if size == 0 {
            return (body, true);
        }
        raw = &raw[end + 1..];
        body.extend_from_slice(&raw[..size.min(raw.len())]);
        let Some(next) = size.checked_add(2).and_then(|next| raw.get(next..)) else {
            break;
        };
        raw = next;
    }
    (body, false)
}

/// How much of a body is kept: it explains a refusal, and is no download.
const MOST: usize = 64 * 1024;
/// How long a body may keep the error of a refusal waiting.
const TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    async fn answer(text: &[u8], ends: bool) -> (Answer, Duration) {
        let (near, mut far) = duplex(512 * 1024);
        far.write_all(text).await.unwrap();
        let kept = (!ends).then_some(far);
        let mut reader = UpgradeReader::new(near);
        let mut head = [0; 1024];
        assert!(reader.read(&mut head).await.unwrap() > 0);
        let start = Instant::now();
        let deadline = start + Duration::from_secs(60);
        let answer = Answer::read(401, reader, deadline).await;
        drop(kept);
        (answer, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_as_its_head_says() {
        let known = b"HTTP/1.1 401 No\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabcdef";
        let chunked = b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        for text in [&known[..], chunked] {
            let (answer, took) = answer(text, false).await;
            assert_eq!((&answer.body[..], answer.complete), (&b"abc"[..], true));
            assert_eq!(took, Duration::ZERO);
        }
        let (answer, _) = answer(b"HTTP/1.1 401 No\r\nX-A: b \r\n\r\nabc", true).await;
        assert_eq!((&answer.body[..], answer.complete), (&b"abc"[..], true));
        assert_eq!(answer.headers, [("X-A".to_owned(), "b".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up() {
        let text = b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nabc";
        let (unended, took) = answer(text, false).await;
        assert_eq!((&unended.body[..], unended.complete), (&b"abc"[..], false));
        assert_eq!(took, TIME);
        let (cut, took) = answer(text, true).await;
        assert_eq!((&cut.body[..], cut.complete), (&b"abc"[..], false));
        assert_eq!(took, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_cut_at_its_bound() {
        let mut text = b"HTTP/1.1 401 No\r\nContent-Length: 200000\r\n\r\n".to_vec();
        text.resize(text.len() + 200_000, b'x');
        let (answer, _) = answer(&text, false).await;
        assert_eq!((answer.body.len(), answer.complete), (MOST, false));
    }

    #[test]
    fn chunk_sizes_that_are_none_end_the_body() {
        assert_eq!(chunks(b"2\r\nab\r\nzz\r\n"), (b"ab".to_vec(), false));
        assert_eq!(chunks(b"ffffffffffffffff\r\nab"), (b"ab".to_vec(), false));
        assert_eq!(chunks(b"5\r\nab"), (b"ab".to_vec(), false));
    }
}
