//! The head of a relayed request, as an HTTP server reads it.

use std::borrow::Cow;

use super::headers::{BAD_NAME, BAD_VALUE, append_value, contains, is_token, without_hop_by_hop};
use crate::{
    command::{FullRequest, Headers},
    encoding::encode_illegal,
};

/// How the end of a request's body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// The body has so many bytes.
    Length(usize),
    /// The body comes in chunks, since its length is not known yet.
    Chunked,
}

/// A request that must not reach a server, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relayed request cannot be served: {reason}")]
pub struct BadRequest {
    /// The status of the answer.
    pub status: u16,
    /// What is wrong with the request.
    pub reason: &'static str,
}

/// How a request is shown to a server.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// How the end of the body is known.
    pub framing: Framing,
    /// The `Host` of a request that has none, because the relay took it away.
    pub host: &'a str,
    /// Whether that host replaces the one of the request.
    pub replace_host: bool,
    /// What `Connection` says.
    pub connection: &'static str,
    /// A path that is cut off the target, and told in `X-Forwarded-Prefix` instead; empty cuts nothing.
    pub strip: &'a str,
}

impl RequestHead<'_> {
    /// Writes the head: request line, headers, blank line.
    pub fn write(&self, request: &FullRequest) -> Result<Vec<u8>, BadRequest> {
        let method = request.method.as_str();
        if !is_token(method) {
            return Err(bad(400, "its method is not a token"));
        }
        if method.eq_ignore_ascii_case("CONNECT") {
            return Err(bad(501, "CONNECT cannot be relayed"));
        }
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        let headers = without_hop_by_hop(&request.request_headers);
        self.start(&mut out, method, &request.request_target, headers)?;
        match self.framing {
            Framing::Empty => {}
            Framing::Length(length) => {
                out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        line(&mut out, "Connection", self.connection)?;
        out.extend_from_slice(b"\r\n");
        Ok(out)
    }

    /// Target and headers.
    fn start<'h>(
        &self,
        out: &mut Vec<u8>,
        method: &str,
        target: &str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
    ) -> Result<(), BadRequest> {
        let target = target_of(method, target);
        let (target, prefix) = cut(&target, self.strip);
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let start = out.len();
        let mut has_host = false;
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("host") {
                // A second one would leave it to the reader which of them counts.
                if has_host || self.replace_host || value.trim().is_empty() {
                    continue;
                }
                has_host = true;
            }
            if contains(&ANSWERED_BY_THE_RELAY, name) {
                continue;
            }
            line(out, name, value)?;
        }
        if !has_host {
            line(out, "Host", self.host)?;
        }
        if let Some(prefix) = prefix {
            line(out, "X-Forwarded-Prefix", prefix)?;
        }
        match out.len() - start {
            ..=MOST_HEADERS => Ok(()),
            _ => Err(bad(431, "its headers are longer than 64 KiB")),
        }
    }
}

/// The head of a WebSocket sender's handshake, for a server that answers upgrades.
///
/// `Sec-WebSocket-Extensions` is left out: the relay joins the two ends by frames, in which an extension
/// that only one of them knows would be garbage.
pub fn upgrade_head(
    target: &str,
    headers: &Headers,
    shown: &RequestHead<'_>,
) -> Result<Vec<u8>, BadRequest> {
    let mut out = b"GET ".to_vec();
    let kept = without_hop_by_hop(headers)
        .filter(|(name, _)| !name.eq_ignore_ascii_case("sec-websocket-extensions"));
    shown.start(&mut out, "GET", target, kept)?;
    out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    Ok(out)
}

/// The target as it may stand in a request line. Escapes stay; they are never decoded (C51).
fn target_of<'t>(method: &str, target: &'t str) -> Cow<'t, str> {
    if target == "*" && method.eq_ignore_ascii_case("OPTIONS") {
        return target.into();
    }
    let escaped = encode_illegal(target);
    match escaped.starts_with('/') && !escaped.contains('#') {
        true => escaped,
        false => {
            let slash = if escaped.starts_with('/') { "" } else { "/" };
            // A fragment is never sent, so this was an escape that the relay decoded.
            format!("{slash}{}", escaped.replace('#', "%23")).into()
        }
    }
}

/// Cuts a prefix of whole segments off a target, in any case; gives what was cut as it stood there.
fn cut<'t>(target: &'t str, prefix: &str) -> (Cow<'t, str>, Option<&'t str>) {
    let whole = (Cow::Borrowed(target), None);
    let (Some(start), Some(rest)) = (target.get(..prefix.len()), target.get(prefix.len()..)) else {
        return whole;
    };
    if prefix.is_empty() || !start.eq_ignore_ascii_case(prefix) {
        return whole;
    }
    match rest.as_bytes().first() {
        Some(b'/') => (rest.into(), Some(start)),
        None | Some(b'?') => (format!("/{rest}").into(), Some(start)),
        Some(_) => whole,
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) -> Result<(), BadRequest> {
    if !is_token(name) {
        return Err(BAD_NAME);
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if !append_value(out, value) {
        return Err(BAD_VALUE);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn bad(status: u16, reason: &'static str) -> BadRequest {
    BadRequest { status, reason }
}

/// The relay has answered `Expect: 100-continue`; a server that saw it would answer again.
const ANSWERED_BY_THE_RELAY: [&str; 1] = ["expect"];
/// The relay passes 32 KiB; servers take some 16 KiB and answer longer ones themselves.
const MOST_HEADERS: usize = 64 * 1024;
