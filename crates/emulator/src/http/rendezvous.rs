//! A listener dials the address of a request: to fetch it, to answer it, or both.
//!
//! | the listener sends | the relay |
//! |---|---|
//! | `response`, then the body as one binary message | answers the sender |
//! | a close with 1000 within a body | takes the body for whole: Java's client never ends the message |
//! | the end of the connection, or another close, within a body | breaks the sender's answer off |
//! | a close before its answer | close 1002 `Premature shutdown: WebSocket closed.` |
//! | anything else before its answer | close 1002 with the reason |
//! | nothing for 60 s within a body | breaks off |
//!
//! A request that was fetched there can be answered nowhere else: if the rendezvous ends before, its
//! sender gets 502. A sender whose own body breaks off gets 400, and one whose body does not go on 408; then
//! the rendezvous is dropped.
//!
//! After its answer it is closed with 1000, or kept for the sender's next request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyco_protocol::{
    Reply,
    status::{CLOSE_NORMAL, UNKNOWN_CONNECTION},
};
use hyco_websocket::OpCode;
use tokio::{
    io::split,
    sync::{Mutex, mpsc, watch},
    time::timeout,
};
use tracing::debug;

use super::{
    Answered, Body, Given,
    body::Piece,
    broken_off,
    exchanges::{Found, Upload},
    not_come,
    socket::{Reader, Said, Writer},
    unanswered,
};
use crate::{
    answer::{Answer, Failure, switching_protocols},
    bridge::Joined,
    handshake::Handshake,
    hybrid_connection::HybridConnection,
    linger::LINGER,
    relay::Relay,
    visit::{Next, Visit},
};

/// A rendezvous that is being opened.
pub(crate) struct Rendezvous {
    connection: Arc<HybridConnection>,
    id: String,
    found: Found,
}

/// Answers a listener's dial. Its credential is the id in the address.
pub(crate) fn dial(visit: &Visit, handshake: &Handshake) -> Result<Answer, Failure> {
    let gone = || Failure::new(403, UNKNOWN_CONNECTION);
    let id = handshake.target.id.as_deref().ok_or_else(gone)?;
    let connection = visit.relay.find(&handshake.target.path).ok_or_else(gone)?;
    let found = visit
        .relay
        .exchanges
        .find(id, &connection)
        .ok_or_else(gone)?;
    let id = id.to_owned();
    let answer = switching_protocols(&handshake.accept_key, &id, None, None);
    visit.becomes(Next::Request(Box::new(Rendezvous {
        connection,
        id,
        found,
    })));
    Ok(answer)
}

/// Why a rendezvous ends.
enum End {
    /// With that close frame.
    Close(u16, &'static str),
    /// Without one: the sender has left, or the listener.
    Lost,
}

impl Rendezvous {
    /// Serves the rendezvous to its end.
    pub(crate) async fn serve(self, relay: Arc<Relay>, joined: Joined) {
        let Self {
            connection,
            id,
            found,
        } = self;
        let _place = joined.place;
        let (read, write) = split(joined.stream);
        let mut reader = Reader::new(read, &joined.rest);
        let writer = Mutex::new(Writer::new(write, relay.timing().send));
        let line = Line {
            relay: &relay,
            connection: &connection,
            id: &id,
            writer: &writer,
        };
        let end = tokio::select! {
            () = relay.stopped() => End::Close(1001, "The relay is shutting down."),
            end = line.serve(&mut reader, found) => end,
        };
        if let End::Close(code, reason) = end {
            debug!(id, code, reason, "closing the rendezvous of a request");
            writer.lock().await.close(code, reason).await;
            let _ = timeout(LINGER, reader.rest()).await;
        }
    }
}

/// An open rendezvous.
struct Line<'a> {
    relay: &'a Relay,
    connection: &'a Arc<HybridConnection>,
    id: &'a str,
    writer: &'a Mutex<Writer>,
}

impl Line<'_> {
    async fn serve(&self, reader: &mut Reader, found: Found) -> End {
        let Found { mut upload, here } = found;
        let mut here = Some(here);
        loop {
            let (keep, mut jobs) = mpsc::channel(1);
            let fetched = upload.as_ref().map(|upload| upload.id.clone());
            let answering = self.answer(reader, keep, here.take());
            let outcome = match upload.take() {
                None => answering.await,
                Some(upload) => {
                    let uploading = self.upload(upload);
                    tokio::pin!(answering, uploading);
                    tokio::select! {
                        // An answer may come before the body has been taken; the rest is sent all the
                        // same, since nothing else can follow within a message.
                        outcome = &mut answering => match outcome {
                            // The sender has left, or the listener: nothing can follow within the message.
                            Err(_) => Err(End::Lost),
                            Ok(()) => match self.within_gap(uploading).await {
                                Some(Ok(())) => Ok(()),
                                _ => Err(End::Lost),
                            },
                        },
                        sent = &mut uploading => match sent {
                            Ok(()) => answering.await,
                            Err(()) => Err(End::Lost),
                        },
                    }
                }
            };
            match outcome {
                Err(end) => {
                    if let Some(id) = fetched {
                        let exchanges = &self.relay.exchanges;
                        exchanges.fail(&id, self.connection, unanswered());
                    }
                    return end;
                }
                Ok(()) if !self.relay.reuse_rendezvous => {
                    return End::Close(CLOSE_NORMAL, "Normal Closure");
                }
                Ok(()) => {}
            }
            upload = tokio::select! {
                biased;
                job = jobs.recv() => job,
                said = self.say_only_pings(reader) => return said,
            };
            if upload.is_none() {
                return End::Close(CLOSE_NORMAL, "Normal Closure");
            }
        }
    }

    /// Sends the request and its body: frames that do not end the message, then an empty one that does.
    async fn upload(&self, upload: Upload) -> Result<(), ()> {
        self.send(true, OpCode::Text, upload.json.as_bytes())
            .await?;
        let mut opcode = OpCode::Binary;
        match upload.body {
            Given::None => return Ok(()),
            Given::Whole(bytes) => {
                upload.record.sent(bytes.len());
                self.send(false, opcode, &bytes).await?;
                opcode = OpCode::Continuation;
            }
            Given::Streamed(mut body) => loop {
                let frame = self.within_gap(body.frame()).await;
                let frame = frame.ok_or_else(|| {
                    let exchanges = &self.relay.exchanges;
                    exchanges.fail(&upload.id, self.connection, not_come());
                })?;
                let Some(frame) = frame else {
                    break;
                };
                let frame = frame.map_err(|error| {
                    debug!(id = self.id, %error, "the sender's body breaks off");
                    let exchanges = &self.relay.exchanges;
                    exchanges.fail(&upload.id, self.connection, broken_off());
                })?;
                if let Ok(bytes) = frame.into_data() {
                    upload.record.sent(bytes.len());
                    self.send(false, opcode, &bytes).await?;
                    opcode = OpCode::Continuation;
                }
            },
        }
        self.send(true, opcode, b"").await
    }

    /// Waits for the next piece of a body, or for the room for it.
    async fn within_gap<T>(&self, piece: impl Future<Output = T>) -> Option<T> {
        self.relay.within(|times| times.gap, piece).await
    }

    async fn send(&self, fin: bool, opcode: OpCode, payload: &[u8]) -> Result<(), ()> {
        self.writer
            .lock()
            .await
            .send(fin, opcode, payload)
            .await
            .map_err(|error| {
                debug!(id = self.id, %error, "a listener does not take its request");
            })
    }

    /// Takes one answer from the listener to its sender.
    async fn answer(
        &self,
        reader: &mut Reader,
        keep: mpsc::Sender<Upload>,
        here: Option<watch::Receiver<()>>,
    ) -> Result<(), End> {
        let text = match here {
            None => self.command(reader).await?,
            Some(mut here) => tokio::select! {
                text = self.command(reader) => text?,
                // The sender is gone, or was answered by a control channel.
                _ = here.changed() => return Err(End::Close(CLOSE_NORMAL, "Normal Closure")),
            },
        };
        let response = match Reply::parse(&text) {
            Ok(Reply::Response(response)) => response,
            Ok(_) => return Err(End::Close(1002, "The message has no response.")),
            Err(error) => {
                debug!(id = self.id, %error, "no response");
                return Err(End::Close(
                    1002,
                    "The message is not a response with a requestId.",
                ));
            }
        };
        let claimed = self
            .relay
            .exchanges
            .claim(&response.request_id, self.connection);
        let Some(sender) = claimed else {
            return Err(End::Close(CLOSE_NORMAL, "The request no longer waits."));
        };
        let kept = self.relay.reuse_rendezvous.then_some(keep);
        if !response.body {
            let answered = Answered {
                response,
                body: Body::Empty,
                kept,
            };
            return sender.send(Ok(answered)).map_err(|_| End::Lost);
        }
        let (pieces, streamed) = mpsc::channel(PIECES);
        let answered = Answered {
            response,
            body: Body::Streamed(streamed),
            kept,
        };
        sender.send(Ok(answered)).map_err(|_| End::Lost)?;
        self.stream(reader, pieces).await
    }

    async fn stream(&self, reader: &mut Reader, pieces: mpsc::Sender<Piece>) -> Result<(), End> {
        loop {
            let said = tokio::select! {
                said = self.within_gap(reader.next()) => said,
                () = pieces.closed() => return Err(End::Lost),
            };
            let (bytes, last) = match said {
                Some(Ok(Said::Binary { bytes, last })) => (bytes, last),
                Some(Ok(Said::Ping(payload))) => {
                    self.send(true, OpCode::Pong, &payload)
                        .await
                        .map_err(|()| End::Lost)?;
                    continue;
                }
                Some(Ok(Said::Close(CLOSE_NORMAL))) => (Bytes::new(), true),
                _ => return Err(End::Lost),
            };
            if !bytes.is_empty() {
                let sending = pieces.send(Piece::Data(bytes));
                let sent = self.within_gap(sending).await;
                if !matches!(sent, Some(Ok(()))) {
                    return Err(End::Lost);
                }
            }
            if last {
                return pieces.send(Piece::End).await.map_err(|_| End::Lost);
            }
        }
    }

    /// The first message, which has to be a text.
    async fn command(&self, reader: &mut Reader) -> Result<String, End> {
        let mut text = Vec::new();
        loop {
            match reader.next().await {
                Ok(Said::Text { bytes, last }) => {
                    text.extend_from_slice(&bytes);
                    if text.len() > LONGEST_COMMAND {
                        return Err(End::Close(1009, "The message is too long."));
                    }
                    if last {
                        let text = String::from_utf8(text);
                        return text.map_err(|_| End::Close(1007, "The text is not UTF-8."));
                    }
                }
                Ok(Said::Ping(payload)) => {
                    self.send(true, OpCode::Pong, &payload)
                        .await
                        .map_err(|()| End::Lost)?;
                }
                Ok(Said::Binary { .. }) => {
                    return Err(End::Close(1002, "The first message is not a text."));
                }
                Ok(Said::Close(_)) => {
                    return Err(End::Close(1002, "Premature shutdown: WebSocket closed."));
                }
                Ok(Said::End) => return Err(End::Lost),
                Err(broken) => {
                    debug!(id = self.id, %broken, "a rendezvous breaks the protocol");
                    return Err(End::Close(1002, "A frame breaks the WebSocket protocol."));
                }
            }
        }
    }

    /// Waits on a kept rendezvous until its listener ends it.
    async fn say_only_pings(&self, reader: &mut Reader) -> End {
        loop {
            match reader.next().await {
                Ok(Said::Ping(payload)) => {
                    if self.send(true, OpCode::Pong, &payload).await.is_err() {
                        return End::Lost;
                    }
                }
                Ok(Said::Binary { .. } | Said::Text { .. }) => {}
                Ok(Said::Close(_)) => return End::Close(CLOSE_NORMAL, "Normal Closure"),
                Ok(Said::End) | Err(_) => return End::Lost,
            }
        }
    }
}

/// Pieces of at most 32 KiB between a listener and a sender that is slower.
const PIECES: usize = 4;
const LONGEST_COMMAND: usize = 1024 * 1024;
