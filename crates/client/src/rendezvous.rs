//! Meeting a sender, or turning it away, at the address of an accept (docs/protocol.md, 4).
//!
//! ```text
//! listener → relay   GET {address}  [Sec-WebSocket-Protocol: p]      take the sender
//! relay → listener   101            [Sec-WebSocket-Protocol: p]
//!
//! listener → relay   GET {address}&sb-hc-statusCode=403&sb-hc-statusDescription=No    refuse it
//! relay → listener   410 Gone
//! ```
//!
//! No token is sent: the id in the address is the credential.

use std::time::Duration;

use hyco_protocol::{status::clean_reason, uri::reject_address};

use crate::{
    dial::{Dial, Dialer, Upgraded},
    error::{Error, Result},
};

/// Meets the sender. `protocol` must be one that the sender offered; `headers` are further ones of the
/// handshake, which the relay may look at and does not hand on.
pub async fn accept(
    dialer: &Dialer,
    address: String,
    protocol: Option<String>,
    headers: Vec<(String, String)>,
    timeout: Duration,
) -> Result<Upgraded> {
    let protocols = protocol.into_iter().collect();
    let dial = Dial {
        address,
        headers,
        protocols,
        timeout,
    };
    dialer.dial(dial).await.map_err(Error::of_rendezvous)
}

/// Has the relay answer the sender with a status from 100 to 999 and a reason phrase, in which
/// characters that a status line cannot hold are replaced.
pub async fn reject(
    dialer: &Dialer,
    address: &str,
    status: u16,
    description: Option<&str>,
    timeout: Duration,
) -> Result<()> {
    let description = description.map(clean_reason);
    let address = reject_address(address, status, description.as_deref())
        .map_err(|error| Error::InvalidRejection(error.to_string()))?;
    let dial = Dial {
        address,
        headers: Vec::new(),
        protocols: Vec::new(),
        timeout,
    };
    match dialer.dial(dial).await {
        // Only the relay's: a proxy may answer the same and mean something else.
        Err(error) if error.refusal().is_some_and(|it| it.status == GONE) => Ok(()),
        Err(error) => Err(error.of_rendezvous()),
        Ok(_) => Err(Error::Protocol(
            "the relay opened a rendezvous for a rejection".to_owned(),
        )),
    }
}

/// How the relay confirms a rejection.
const GONE: u16 = 410;
