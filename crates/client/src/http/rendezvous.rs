//! What is done on the rendezvous of a request beside moving its body.

use std::{future::poll_fn, mem, time::Duration};

use hyco_protocol::{Command, FullRequest, Request};
use hyco_websocket::Part;
use tokio::time::timeout;

use super::channel::Channel;
use crate::error::{Error, Result};

/// The next request on a rendezvous; none when the relay has closed it.
pub(super) async fn next_request(channel: &mut Channel) -> Result<Option<FullRequest>> {
    let mut text = Vec::new();
    loop {
        let pong = match channel.next() {
            Err(broken) => return Err(Error::Protocol(broken.to_string())),
            Ok(Some(Part::Close(_))) => return Ok(None),
            Ok(Some(Part::Text { bytes, last })) => {
                text.extend_from_slice(bytes);
                if text.len() > LONGEST_COMMAND {
                    return Err(Error::BadRequest("its message is longer than 1 MiB"));
                }
                if last {
                    return read_request(&mem::take(&mut text)).map(Some);
                }
                None
            }
            Ok(Some(Part::Ping(payload))) => Some(payload.to_vec()),
            Ok(Some(Part::Binary { .. } | Part::Pong)) => None,
            Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                Ok(count) if count > 0 => None,
                _ => return Ok(None),
            },
        };
        if let Some(payload) = pong {
            channel.queue_pong(&payload);
            if poll_fn(|cx| channel.poll_send(cx)).await.is_err() {
                return Ok(None);
            }
        }
    }
}

fn read_request(text: &[u8]) -> Result<FullRequest> {
    const MALFORMED: Error = Error::BadRequest("its message is not as it should be");
    let text = std::str::from_utf8(text).map_err(|_| MALFORMED)?;
    match Command::parse(text) {
        Ok(Command::Request(Request::Full(request))) => Ok(request),
        _ => Err(MALFORMED),
    }
}

/// Closes a rendezvous with 1000 and waits for the relay's close.
pub(super) async fn close(mut channel: Box<Channel>) {
    channel.queue_close();
    let closing = async {
        while poll_fn(|cx| channel.poll_send(cx)).await.is_ok() && !channel.has_sent() {}
        loop {
            match channel.next() {
                Err(_) | Ok(Some(Part::Close(_))) => return,
                Ok(Some(_)) => {}
                Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                    Ok(count) if count > 0 => {}
                    _ => return,
                },
            }
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

/// Takes the rest of a body that nobody reads; false when the relay has gone.
pub(super) async fn drain(channel: &mut Channel) -> bool {
    let draining = async {
        loop {
            if !channel.has_sent() && poll_fn(|cx| channel.poll_send(cx)).await.is_err() {
                return false;
            }
            match channel.next() {
                Ok(Some(Part::Binary { last: true, .. })) => return true,
                Ok(Some(Part::Close(_))) | Err(_) => return false,
                Ok(Some(_)) => {}
                Ok(None) => match poll_fn(|cx| channel.poll_fill(cx)).await {
                    Ok(count) if count > 0 => {}
                    _ => return false,
                },
            }
        }
    };
    timeout(DRAIN_TIMEOUT, draining).await.unwrap_or(false)
}

/// Sends what is queued.
pub(super) async fn flush(mut channel: Box<Channel>) -> Option<Box<Channel>> {
    let sending = async {
        while !channel.has_sent() {
            poll_fn(|cx| channel.poll_send(cx)).await?;
        }
        std::io::Result::Ok(())
    };
    match timeout(ANSWER_TIMEOUT, sending).await {
        Ok(Ok(())) => Some(channel),
        _ => None,
    }
}

/// A relay waits for an answer no longer than this.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A relay answers a close at once; beyond this the connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the rest of a body is taken that nobody reads.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A relay sends 64 KiB at the most.
const LONGEST_COMMAND: usize = 1024 * 1024;
