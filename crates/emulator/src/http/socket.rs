//! A rendezvous for requests, seen from the relay: frames that come and go without being gathered.

use std::{io, time::Duration};

use bytes::Bytes;
use hyco_websocket::{Broken, OpCode, Part, PartReader, append_frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    time::timeout,
};

use crate::stream::Stream;

/// The reading half.
pub(super) struct Reader {
    stream: ReadHalf<Stream>,
    parts: PartReader,
    input: Vec<u8>,
    taken: usize,
}

/// What a listener says on a rendezvous.
#[derive(Debug)]
pub(super) enum Said {
    Text {
        bytes: Bytes,
        last: bool,
    },
    Binary {
        bytes: Bytes,
        last: bool,
    },
    Ping(Bytes),
    Close(u16),
    /// The connection has ended.
    End,
}

impl Reader {
    pub(super) fn new(stream: ReadHalf<Stream>, rest: &[u8]) -> Self {
        Self {
            stream,
            parts: PartReader::new(true),
            input: rest.to_vec(),
            taken: 0,
        }
    }

    /// What the listener says next. May be dropped and called again without losing anything.
    pub(super) async fn next(&mut self) -> Result<Said, Broken> {
        loop {
            let (count, part) = self.parts.next(&mut self.input[self.taken..])?;
            self.taken += count;
            match part {
                Some(Part::Text { bytes, last }) => {
                    let bytes = Bytes::copy_from_slice(bytes);
                    return Ok(Said::Text { bytes, last });
                }
                Some(Part::Binary { bytes, last }) => {
                    let bytes = Bytes::copy_from_slice(bytes);
                    return Ok(Said::Binary { bytes, last });
                }
                Some(Part::Ping(payload)) => {
                    return Ok(Said::Ping(Bytes::copy_from_slice(payload)));
                }
                Some(Part::Close(code)) => return Ok(Said::Close(code)),
                Some(Part::Pong) => continue,
                None => {}
            }
            self.input.drain(..self.taken);
            self.taken = 0;
            self.input.reserve(READ);
            match self.stream.read_buf(&mut self.input).await {
                Ok(count) if count > 0 => {}
                _ => return Ok(Said::End),
            }
        }
    }

    /// Reads until the listener has ended the connection.
    pub(super) async fn rest(&mut self) {
        while !matches!(self.next().await, Ok(Said::End | Said::Close(_)) | Err(_)) {}
    }
}

/// The writing half.
pub(super) struct Writer {
    stream: WriteHalf<Stream>,
    output: Vec<u8>,
    /// How long a listener may take nothing.
    limit: Duration,
}

impl Writer {
    pub(super) fn new(stream: WriteHalf<Stream>, limit: Duration) -> Self {
        Self {
            stream,
            output: Vec::new(),
            limit,
        }
    }

    /// Sends one frame.
    pub(super) async fn send(
        &mut self,
        fin: bool,
        opcode: OpCode,
        payload: &[u8],
    ) -> io::Result<()> {
        self.output.clear();
        append_frame(&mut self.output, fin, opcode, payload, None);
        let sending = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match timeout(self.limit, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Sends a close frame.
    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        let _ = self.send(true, OpCode::Close, &payload).await;
        let _ = timeout(self.limit, self.stream.shutdown()).await;
    }
}

/// How much is read at once.
const READ: usize = 32 * 1024;
