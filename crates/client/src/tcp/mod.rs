//! From a host and port to a TCP connection.

mod stream;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::sleep;

#[cfg(unix)]
pub(crate) use self::stream::Shared;
pub use self::stream::Tcp;
use crate::{
    deadline::Deadline,
    error::{Error, Result},
    resolver::Resolver,
};

/// Connects to a host. Its addresses are raced, as Node does: a silent one costs 250 ms. If all fail, the
/// error is that of the first.
pub(crate) async fn connect(
    resolver: &Resolver,
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Tcp> {
    let addresses = resolve(resolver, host, port, deadline).await?;
    let outcome = match addresses[..] {
        // As for every rendezvous at a literal address: there is nothing to race.
        [address] => {
            let connecting = Tcp::connect(address);
            let outcome = deadline.limit("connection attempt", connecting).await?;
            outcome.inspect_err(|error| tell_failure(address, error))
        }
        _ => {
            // Boxed: it is several times the other, which would be as large.
            let racing = Box::pin(race(in_turns(addresses), Tcp::connect));
            deadline.limit("connection attempt", racing).await?
        }
    };
    let stream = match outcome {
        Ok(stream) => stream,
        Err(source) => {
            let peer = peer(host, port);
            return Err(Error::Connect { peer, source });
        }
    };
    // Frames are gathered before they are written; waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    Ok(stream)
}

/// Host and port, for messages.
pub(crate) fn peer(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Literal addresses and `localhost` need no look-up.
async fn resolve(
    resolver: &Resolver,
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if host == "localhost" {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        return Ok(vec![(v4, port).into(), (v6, port).into()]);
    }
    let looking = resolver.look_up(host, port);
    let found = match deadline.limit("name look-up", looking).await? {
        Ok(found) if found.is_empty() => Err(io::ErrorKind::NotFound.into()),
        outcome => outcome,
    };
    let host = host.to_owned();
    found.map_err(|source| Error::Lookup { host, source })
}

/// The addresses of both families alternating, the family of the first one first.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|it| it.is_ipv4() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = (one.next(), other.next());
        if pair == (None, None) {
            return mixed;
        }
        mixed.extend(pair.0);
        mixed.extend(pair.1);
    }
}

/// Starts with the next address whenever one has failed or 250 ms are over; the first to connect wins.
async fn race<S, F: Future<Output = io::Result<S>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<S> {
    let connect = &connect;
    let mut waiting = addresses.into_iter().enumerate();
    let mut racing = FuturesUnordered::new();
    let mut first: Option<(usize, io::Error)> = None;
    loop {
        if let Some((place, address)) = waiting.next() {
            racing.push(async move { (place, address, connect(address).await) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            biased;
            Some((place, address, outcome)) = racing.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    tell_failure(address, &error);
                    if first.as_ref().is_none_or(|(before, _)| place < *before) {
                        first = Some((place, error));
                    }
                }
            },
            () = sleep(STAGGER), if more => {}
            else => {
                let none = || io::ErrorKind::NotFound.into();
                return Err(first.map_or_else(none, |(_, error)| error));
            }
        }
    }
}

fn tell_failure(address: SocketAddr, error: &io::Error) {
    tracing::debug!(%address, %error, "address failed");
}

/// As Node's `autoSelectFamilyAttemptTimeout`.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        (1..=count).map(address).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_250_ms() {
        let started = Instant::now();
        let connected = race(addresses(3), |address| async move {
            match address.port() {
                1 => pending().await,
                port => Ok(port),
            }
        });
        assert_eq!(connected.await.unwrap(), 2);
        assert_eq!(started.elapsed(), STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_may_still_win() {
        let connected = race(addresses(2), |address| async move {
            let delay = if address.port() == 1 { 300 } else { 100_000 };
            sleep(Duration::from_millis(delay)).await;
            Ok(address.port())
        });
        assert_eq!(connected.await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once_and_the_first_error_is_shown() {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable};

        let started = Instant::now();
        let failed = race(addresses(2), |address| {
            let kind = [ConnectionRefused, HostUnreachable][usize::from(address.port()) - 1];
            ready(Err::<(), _>(io::Error::from(kind)))
        });
        assert_eq!(failed.await.unwrap_err().kind(), ConnectionRefused);
        assert_eq!(started.elapsed(), Duration::ZERO);
        // Also where the first address fails last.
        let failed = race(addresses(2), |address| async move {
            let first = address.port() == 1;
            sleep(Duration::from_secs(if first { 2 } else { 1 })).await;
            let kind = if first {
                ConnectionRefused
            } else {
                HostUnreachable
            };
            Err::<(), _>(io::Error::from(kind))
        });
        assert_eq!(failed.await.unwrap_err().kind(), ConnectionRefused);
    }

    #[test]
    fn families_take_turns() {
        let v4 = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let mixed = in_turns(vec![v6(1), v6(2), v6(3), v4(4)]);
        assert_eq!(mixed, [v6(1), v4(4), v6(2), v6(3)]);
    }
}
