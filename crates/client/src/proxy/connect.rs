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

    let head = read_head(stream).await?;
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse().ok());
    match status {
        _ if !version.starts_with("HTTP/1.") => Err(ProxyFailure::NotOne),
        Some(200..=299) => Ok(()),
        Some(status) => Err(ProxyFailure::Refused {
            status,
            reason: clean_reason(&secrets.hide(words.next().unwrap_or_default())).into_owned(),
        }),
        None => Err(ProxyFailure::NotOne),
    }
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
    }
    Ok(head)
}

/// As much as Node takes of a response's head.
const LONGEST_HEAD: usize = 16 * 1024;
