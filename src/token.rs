//! Tokens, addresses and connection strings, synchronous.

use hyco_protocol::{ConnectionString, Credential, redact as redact_text, token, uri};
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use crate::error::{IntoJs, Result};

/// Signs a token as hyco-ws does, with the bytes of a key; `expires_at` is a Unix time in seconds.
#[napi(catch_unwind)]
pub fn create_relay_token(
    uri: String,
    rule: String,
    key: BufferSlice<'_>,
    expires_at: f64,
) -> Result<String> {
    token::sign_drop_in(&uri, &rule, &key, expires_at as u64).into_js()
}

/// Adds a token to the query of an address.
#[napi(catch_unwind)]
pub fn append_relay_token(uri: String, token: String) -> Result<String> {
    uri::append_token(&uri, &token).into_js()
}

/// The address of a hybrid connection.
#[napi(catch_unwind)]
pub fn create_relay_base_uri(namespace: String, path: String) -> String {
    uri::base_uri(&namespace, &path)
}

/// The address at which to listen.
#[napi(catch_unwind)]
pub fn create_relay_listen_uri(
    namespace: String,
    path: String,
    token: Option<String>,
    id: Option<String>,
) -> String {
    uri::listen_uri(&namespace, &path, token.as_deref(), id.as_deref())
}

/// The address to connect to.
#[napi(catch_unwind)]
pub fn create_relay_send_uri(
    namespace: String,
    path: String,
    token: Option<String>,
    id: Option<String>,
) -> String {
    uri::send_uri(&namespace, &path, token.as_deref(), id.as_deref())
}

/// When a token ends, as a Unix time in seconds; nothing if it cannot be read.
#[napi(catch_unwind)]
pub fn token_expiry(token: String) -> Option<f64> {
    token::expires_at(&token).map(|seconds| seconds as f64)
}

/// Whether a list such as NO_PROXY says that a host is reached without a proxy.
#[napi(catch_unwind)]
pub fn is_excepted(no_proxy: String, host: String, port: u16) -> bool {
    hyco_client::is_excepted(&no_proxy, &host, port)
}

/// A text without the secrets in it.
#[napi(catch_unwind)]
pub fn redact(text: String) -> String {
    redact_text(&text)
}

/// What a connection string says.
#[napi(object, object_from_js = false)]
pub struct ConnectionStringParts {
    /// The address of the hybrid connection, without a query.
    pub address: String,
    /// What `EntityPath` says.
    pub entity_path: Option<String>,
    /// The rule's name.
    pub key_name: Option<String>,
    /// The rule's key.
    pub key: Option<String>,
    /// A ready token.
    pub token: Option<String>,
    /// The mechanism that knows an identity, such as `Managed Identity`.
    pub authentication: Option<String>,
    /// How long opening may take, in milliseconds.
    pub operation_timeout: Option<f64>,
    /// Meant for the emulator.
    pub development_emulator: bool,
    /// Keys that mean nothing here.
    pub unknown_keys: Vec<String>,
}

/// Reads a connection string; `path` names the hybrid connection if the string does not.
#[napi(catch_unwind)]
pub fn parse_connection_string(
    text: String,
    path: Option<String>,
) -> Result<ConnectionStringParts> {
    let string = ConnectionString::parse(&text).into_js()?;
    let address = string.address(path.as_deref()).into_js()?.to_string();
    let mut parts = ConnectionStringParts {
        address,
        entity_path: string.entity_path().map(str::to_owned),
        key_name: None,
        key: None,
        token: None,
        authentication: None,
        operation_timeout: string
            .operation_timeout()
            .map(|timeout| timeout.as_secs_f64() * 1e3),
        development_emulator: string.development_emulator(),
        unknown_keys: string.unknown_keys().to_vec(),
    };
    match string.credential().clone() {
        Credential::None => {}
        Credential::Key { name, key } => (parts.key_name, parts.key) = (Some(name), Some(key)),
        Credential::Token(token) => parts.token = Some(token),
        Credential::Identity(mechanism) => parts.authentication = Some(mechanism),
    }
    Ok(parts)
}
