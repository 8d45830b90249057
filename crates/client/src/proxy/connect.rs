//! Asking an HTTP proxy for a tunnel (RFC 9110, 9.3.6).

use base64::{Engine, engine::general_purpose::STANDARD};
use hyco_protocol::{Secrets, status::clean_reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Credentials;
use crate::{endpoint::Endpoint, error::ProxyFailure, tcp};

/// Asks for a tunnel; after that the stream is one to the endpoint.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFailure> {
    let target = tcp::peer(&endpoint.host, endpoint.port);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    let mut secrets = Secrets::default();
    if let Some(Credentials { user, password }) = credentials {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {basic}\r\n"));
        secrets.add(password);
        secrets.add(&basic);
    }
    request.push_str("\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(ProxyFailure::Broken)?;
    stream.flush().await.map_err(ProxyFailure::Broken)?;

    loop {
        let head = read_head(stream).await?;
        let head = String::from_utf8_lossy(&head);
        let mut words = head
            .lines()
            .next()
            .unwrap_or_default()
            .splitn(3, ' ')
            .skip(1);
        let status = words.next().and_then(|status| status.parse().ok());
        match status {
            // What comes before the answer.
            Some(100 | 102..=199) => {}
            Some(200..=299) => return Ok(()),
            Some(status) => {
                let mut reason = words.next().unwrap_or_default().to_owned();
                if let Some(schemes) = foreign_schemes(status, &head) {
                    reason.push_str(&format!(" ({schemes} is wanted, and only Basic is known)"));
                }
                let reason = clean_reason(&secrets.hide(&reason)).into_owned();
                return Err(ProxyFailure::Refused { status, reason });
            }
            None => return Err(ProxyFailure::NotOne),
        }
    }
}

/// The ways to authenticate that a proxy names, if the only one that is known here is not among them.
fn foreign_schemes(status: u16, head: &str) -> Option<String> {
    if status != PROXY_AUTHENTICATION_REQUIRED {
        return None;
    }
    let mut schemes: Vec<&str> = Vec::new();
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("proxy-authenticate")
            && let Some(scheme) = value.split_whitespace().next()
            && !schemes.contains(&scheme)
        {
            schemes.push(scheme);
        }
    }
    let is_known = schemes
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    (!is_known && !schemes.is_empty()).then(|| schemes.join(" or "))
}

/// Reads up to the blank line and not a byte further: what follows is the endpoint's. Byte by byte, since
/// a proxy's answer is short and comes once for a connection.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, ProxyFailure> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return Err(ProxyFailure::NotOne);
        }
        head.push(stream.read_u8().await.map_err(ProxyFailure::Broken)?);
        // Something else may greet with a line and then wait.
        if !BEGINNING.starts_with(&head[..head.len().min(BEGINNING.len())]) {
            return Err(ProxyFailure::NotOne);
        }
    }
    Ok(head)
}

const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;
/// Of any answer.
const BEGINNING: &[u8] = b"HTTP/1.";
/// As much as Node takes of a response's head.
const LONGEST_HEAD: usize = 16 * 1024;
