//! Connecting to a listener.
//!
//! The address is sent as it was written, so that a WebSocket server that is no relay sees the same;
//! the token goes into a header, because addresses end up in logs.

use std::time::Duration;

use hyco_protocol::{
    names::{AUTHORIZATION_HEADER, ID},
    query::parameter,
};

use crate::{
    dial::{Dial, Dialer, Upgraded},
    error::{Error, Result},
};

/// Whom to connect to, and how.
#[derive(Clone)]
pub struct ConnectOptions {
    /// The address of the hybrid connection, with any suffix and query for the listener.
    pub address: String,
    /// A token with the right to send; none for hybrid connections open to everybody.
    pub token: Option<String>,
    /// The tracking id, added unless the address has one.
    pub id: Option<String>,
    /// Further headers, which the relay hands to the listener.
    pub headers: Vec<(String, String)>,
    /// The sub-protocols to offer.
    pub protocols: Vec<String>,
    /// How long connecting may take; the relay itself gives up after 30 s without a listener's answer.
    pub timeout: Duration,
}

impl ConnectOptions {
    /// Connecting to that address with the defaults of docs/protocol.md, 7.1.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            token: None,
            id: None,
            headers: Vec::new(),
            protocols: Vec::new(),
            timeout: Duration::from_secs(70),
        }
    }
}

impl std::fmt::Debug for ConnectOptions {
    /// Leaves out secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("address", &hyco_protocol::redact(&self.address))
            .field("id", &self.id)
            .field("protocols", &self.protocols)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Connects to a listener; resolves when the listener has taken the connection.
pub async fn connect(dialer: &Dialer, options: ConnectOptions) -> Result<Upgraded> {
    let ConnectOptions {
        address,
        token,
        id,
        mut headers,
        protocols,
        timeout,
    } = options;
    let is_given = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION_HEADER));
    if let Some(token) = token.filter(|token| !is_given && !token.is_empty()) {
        headers.push((AUTHORIZATION_HEADER.to_owned(), token));
    }
    let address = match id {
        Some(id) => with_id(&address, &id),
        None => address,
    };
    dialer
        .dial_for_answer(Dial {
            address,
            headers,
            protocols,
            timeout,
        })
        .await
        .map_err(Error::of_sender)
}

/// Adds the id at the end, so that the rest stays as it was written.
fn with_id(address: &str, id: &str) -> String {
    let address = address.split('#').next().unwrap_or_default();
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    match address.split_once('?') {
        Some((_, query)) if parameter(query, ID).is_some() => address.to_owned(),
        Some((_, query)) if query.is_empty() || query.ends_with('&') => {
            format!("{address}{ID}={id}")
        }
        Some(_) => format!("{address}&{ID}={id}"),
        None => format!("{address}?{ID}={id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_added_only_where_there_is_none() {
        assert_eq!(with_id("ws://h/$hc/e", "1"), "ws://h/$hc/e?sb-hc-id=1");
        assert_eq!(
            with_id("ws://h/e?a=%2f&b", "1 2"),
            "ws://h/e?a=%2f&b&sb-hc-id=1+2"
        );
        assert_eq!(with_id("ws://h/e?a&", "1"), "ws://h/e?a&sb-hc-id=1");
        assert_eq!(with_id("ws://h/e?SB-HC-ID=2", "1"), "ws://h/e?SB-HC-ID=2");
    }

    #[test]
    fn connecting_may_take_longer_than_the_relay_waits_for_a_listener_c58() {
        let options = ConnectOptions::new("ws://h/e");
        assert_eq!(options.timeout, Duration::from_secs(70));
    }

    #[test]
    fn debugging_shows_no_token_c9() {
        let mut options = ConnectOptions::new("ws://h/e?sb-hc-token=secret");
        options.token = Some("secret".to_owned());
        assert!(!format!("{options:?}").contains("secret"));
    }
}
