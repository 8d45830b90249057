//! The HTTP heads of WebSocket handshakes.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connection::Stream;

/// The head of a request or response, and the bytes that came behind it.
#[derive(Debug)]
pub struct Head {
    /// Its first line.
    pub start: String,
    /// Its other lines.
    headers: Vec<String>,
    /// What belongs to the WebSocket already.
    pub rest: Vec<u8>,
}

impl Head {
    /// Reads one head.
    pub async fn read(stream: &mut Stream) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(2048);
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let mut lines = text.split("\r\n").map(str::to_owned);
                let start = lines.next().unwrap_or_default();
                return Ok(Self {
                    start,
                    headers: lines.collect(),
                    rest,
                });
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Path and query of a request.
    pub fn target(&self) -> (&str, &str) {
        let target = self.start.split(' ').nth(1).unwrap_or("/");
        target.split_once('?').unwrap_or((target, ""))
    }
}

/// Answers a WebSocket request with 101.
pub async fn switch_protocols(stream: &mut Stream, head: &Head) -> io::Result<()> {
    let key = head.header("sec-websocket-key").unwrap_or_default();
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        STANDARD.encode(digest)
    );
    if let Some(protocol) = head.header("sec-websocket-protocol") {
        let first = protocol.split(',').next().unwrap_or_default().trim();
        answer.push_str(&format!("Sec-WebSocket-Protocol: {first}\r\n"));
    }
    answer.push_str("\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
}

/// Asks for a WebSocket; the answer must be 101.
pub async fn upgrade(stream: &mut Stream, host: &str, target: &str) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let head = Head::read(stream).await?;
    if head.start.split(' ').nth(1) != Some("101") {
        return Err(io::Error::other(format!("{target}: {}", head.start)));
    }
    Ok(head.rest)
}
