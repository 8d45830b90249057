//! Asking a SOCKS5 proxy for a connection (RFC 1928, RFC 1929).

use std::net::IpAddr;

use tokio_socks::{Error as SocksError, TargetAddr, tcp::Socks5Stream};

use super::Credentials;
use crate::{endpoint::Endpoint, error::ProxyFailure, tcp::Tcp};

/// Asks for a connection; names are resolved by the proxy.
pub(super) async fn ask(
    stream: Tcp,
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
) -> Result<Tcp, ProxyFailure> {
    let target = match endpoint.host.parse::<IpAddr>() {
        Ok(address) => TargetAddr::Ip((address, endpoint.port).into()),
        Err(_) => TargetAddr::Domain(endpoint.host.as_str().into(), endpoint.port),
    };
    let connected = match credentials {
        Some(Credentials { user, password }) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    connected.map(Socks5Stream::into_inner).map_err(failure)
}

fn failure(error: SocksError) -> ProxyFailure {
    match error {
        SocksError::Io(error) => ProxyFailure::Broken(error),
        SocksError::InvalidResponseVersion | SocksError::InvalidReservedByte => {
            ProxyFailure::NotOne
        }
        error => ProxyFailure::Socks(error.to_string()),
    }
}
