//! Reading the answer to a WebSocket handshake byte-exactly.
//!
//! tungstenite reads the answer in large pieces and keeps what follows it. [`UpgradeReader`] stands
//! between it and the stream: it hands out the head of the answer, whole and up to the blank line that
//! ends it, and keeps the bytes behind it for the data plane. It also remembers the head, because the
//! reason phrase, in which the relay explains itself, is lost in [`http::Response`].

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of which only the head of an HTTP response can be read.
#[derive(Debug)]
pub struct UpgradeReader<S> {
    stream: S,
    /// What was read so far: the head, then `rest`.
    bytes: Vec<u8>,
    /// How far the search for the end of the head has come.
    searched: usize,
    /// Where the head ends; bytes behind it belong to the WebSocket.
    head_end: Option<usize>,
    /// The head as it is handed out, where that is not as it came.
    shown: Option<Vec<u8>>,
    /// How much of the head was handed out.
    given: usize,
}

impl<S> UpgradeReader<S> {
    /// Wraps a stream on which nothing has been read.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            bytes: Vec::new(),
            searched: 0,
            head_end: None,
            shown: None,
            given: 0,
        }
    }

    /// The reason phrase of the status line, each byte one character; empty when there is none.
    pub fn reason(&self) -> String {
        let line = self
            .bytes
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let phrase = line
            .splitn(3, |&byte| byte == b' ')
            .nth(2)
            .unwrap_or_default();
        phrase
            .iter()
            .map(|&byte| char::from(byte))
            .collect::<String>()
            .trim()
            .to_owned()
    }

    /// The headers as they came, each byte one character.
    pub fn headers(&self) -> Vec<(String, String)> {
        let head = &self.bytes[..self.head_end.unwrap_or_default()];
        let text: String = head.iter().map(|&byte| char::from(byte)).collect();
        let lines = text.lines().skip(1);
        let pairs = lines.filter_map(|line| line.split_once(':'));
        pairs
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// The stream, and the bytes that came behind the head.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        let mut bytes = self.bytes;
        let rest = bytes.split_off(self.head_end.unwrap_or(bytes.len()));
        (self.stream, rest)
    }

    /// Looks for the blank line; drops interim answers (1xx other than 101), which may come first.
    fn search(&mut self) {
        while let Some(offset) = self.bytes[self.searched..].iter().position(|&b| b == b'\n') {
            let after = self.searched + offset + 1;
            let next = &self.bytes[after..];
            let blank = match next {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                [] | [b'\r'] => return,
                _ => 0,
            };
            self.searched = after;
            if blank == 0 {
                continue;
            }
            let end = after + blank;
            if !is_interim(&self.bytes) {
                self.head_end = Some(end);
                self.shown = with_lone_upgrade(&self.bytes[..end]);
                return;
            }
            self.bytes.drain(..end);
            self.searched = 0;
        }
        self.searched = self.bytes.len();
    }
}

impl<S: AsyncRead + Unpin> UpgradeReader<S> {
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            if let Some(end) = self.head_end {
                return Poll::Ready(Ok(end));
            }
            if self.bytes.len() >= MAX_HEAD {
                let error = "the head of the response is larger than 64 KiB";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut buffer = ReadBuf::uninit(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                let error = "socket hang up";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)));
            }
            self.bytes.extend_from_slice(buffer.filled());
            self.search();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for UpgradeReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The head is given only when it is whole: tungstenite takes many small reads for an attack.
        let end = ready!(this.poll_head(context))?;
        let head = this.shown.as_deref().unwrap_or(&this.bytes[..end]);
        let until = head.len().min(this.given + buffer.remaining());
        buffer.put_slice(&head[this.given..until]);
        this.given = until;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for UpgradeReader<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn is_interim(head: &[u8]) -> bool {
    let status = head
        .splitn(3, |&byte| byte == b' ')
        .nth(1)
        .unwrap_or_default();
    status.starts_with(b"1") && !status.starts_with(b"101")
}

/// The head with `Connection: Upgrade` in place of its `Connection` lines, where these list more than
/// that. tungstenite wants the one word, and RFC 6455 (4.1) a list that has it: what stands before a relay
/// may answer `keep-alive, Upgrade`.
fn with_lone_upgrade(head: &[u8]) -> Option<Vec<u8>> {
    let is_connection = |line: &[u8]| {
        let name = line.split(|&byte| byte == b':').next();
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"connection"))
    };
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let status = lines.next()?;
    let (listed, others): (Vec<&[u8]>, Vec<&[u8]>) = lines.partition(|line| is_connection(line));
    let mut words = listed
        .iter()
        .filter_map(|line| line.get("connection:".len()..))
        .flat_map(|list| list.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii);
    let upgrades = words
        .clone()
        .any(|word| word.eq_ignore_ascii_case(b"upgrade"));
    if !upgrades || words.nth(1).is_none() {
        return None;
    }
    let first: [&[u8]; 2] = [status, b"Connection: Upgrade\r\n"];
    Some([&first, &others[..]].concat().concat())
}

/// A reason phrase of the service has some 200 bytes; 64 KiB is what tungstenite allows, too.
const MAX_HEAD: usize = 64 * 1024;
/// An answer of the relay fits; what lies behind it must be carried over anyway.
const CHUNK: usize = 2048;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn read(
        pieces: &[&[u8]],
    ) -> (io::Result<Vec<u8>>, UpgradeReader<tokio::io::DuplexStream>) {
        let (near, mut far) = duplex(256 * 1024);
        for piece in pieces {
            far.write_all(piece).await.unwrap();
        }
        drop(far);
        let mut reader = UpgradeReader::new(near);
        let mut head = vec![0; 128 * 1024];
        let count = reader.read(&mut head).await;
        (count.map(|count| head[..count].to_vec()), reader)
    }

    #[tokio::test]
    async fn bytes_behind_the_head_are_kept() {
        let (head, reader) =
            read(&[b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x81\x01x"]).await;
        assert!(head.unwrap().ends_with(b"A: b\r\n\r\n"));
        assert_eq!(reader.reason(), "Switching Protocols");
        assert_eq!(reader.into_parts().1, b"\x81\x01x");
    }

    #[tokio::test]
    async fn the_head_may_end_anywhere_in_a_read() {
        let whole = b"HTTP/1.1 404 Endpoint does not exist.\r\nA: b\r\n\r\nrest";
        for size in [1, 2, 3, 7] {
            let pieces: Vec<&[u8]> = whole.chunks(size).collect();
            let (head, reader) = read(&pieces).await;
            assert_eq!(head.unwrap().len(), whole.len() - 4);
            assert_eq!(reader.reason(), "Endpoint does not exist.");
            assert_eq!(reader.into_parts().1, b"rest");
        }
    }

    #[tokio::test]
    async fn interim_answers_are_skipped() {
        let (head, reader) =
            read(&[b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\n\nbody"]).await;
        assert_eq!(head.unwrap(), b"HTTP/1.1 200\n\n");
        assert_eq!(reader.reason(), "");
        assert_eq!(reader.into_parts().1, b"body");
    }

    #[tokio::test]
    async fn a_list_of_connection_options_is_handed_out_as_the_one_that_counts() {
        for lines in [
            "connection: keep-alive, upgrade\r\nA: b\r\n",
            "A: b\r\nConnection:Upgrade,Keep-Alive\r\n",
            "Connection: close\r\nA: b\r\nConnection: Upgrade\r\n",
        ] {
            let whole = format!("HTTP/1.1 101 Yes\r\n{lines}\r\nrest");
            let (head, reader) = read(&[whole.as_bytes()]).await;
            let shown = b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nA: b\r\n\r\n";
            assert_eq!(head.unwrap(), shown, "{lines}");
            let told = reader.headers();
            assert_eq!(told.len(), lines.lines().count(), "as they came: {told:?}");
            assert_eq!(reader.into_parts().1, b"rest");
        }
        for lines in [
            "Connection: upgrade\r\n",
            "Connection: close, x-upgrade\r\n",
            "Connection\r\n",
            "Connections: a, upgrade\r\n",
        ] {
            let whole = format!("HTTP/1.1 101 Yes\r\n{lines}\r\n");
            let (head, _) = read(&[whole.as_bytes()]).await;
            assert_eq!(head.unwrap(), whole.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_head_without_end_is_an_error() {
        let (head, _) = read(&[&[b'x'; 80 * 1024]]).await;
        assert_eq!(head.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let (head, _) = read(&[b"HTTP/1.1 101 Swi"]).await;
        assert_eq!(head.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
