//! Accepting connections, and carrying each to what it becomes.

use std::{convert::Infallible, future::poll_fn, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::{
    bridge::Joined,
    events::EventKind,
    gate::Gate,
    linger::linger,
    places::Place,
    read_ahead::ReadAhead,
    relay::Relay,
    route,
    stream::Stream,
    visit::{Next, Visit},
};

/// Accepts connections until the relay stops. When as many as allowed are open, the next one waits.
pub(crate) async fn serve(listener: TcpListener, relay: Arc<Relay>, tls: Option<TlsAcceptor>) {
    loop {
        let accepted = tokio::select! {
            () = relay.stopped() => return,
            accepted = accept(&listener, &relay) => accepted,
        };
        match accepted {
            Ok((stream, remote, place)) => {
                let (relay, tls) = (Arc::clone(&relay), tls.clone());
                tokio::spawn(async move {
                    // A control channel says goodbye, so it looks at the signal itself.
                    let next = tokio::select! {
                        () = relay.stopped() => None,
                        next = handshake(stream, remote, place, &relay, tls) => next,
                    };
                    match next {
                        Some((Next::Control(channel), joined)) => channel.serve(joined).await,
                        Some((Next::Sender(listener), joined)) => drop(listener.send(joined)),
                        Some((Next::Listener(rendezvous), joined)) => {
                            rendezvous.join(relay, joined).await;
                        }
                        Some((Next::Request(rendezvous), joined)) => {
                            rendezvous.serve(relay, joined).await;
                        }
                        None => {}
                    }
                });
            }
            Err(error) => {
                // Too many open files, most likely; others will close theirs.
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    relay: &Relay,
) -> std::io::Result<(TcpStream, SocketAddr, Place)> {
    let place = relay.places.take().await;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, relay.places.settle(place)))
}

/// Serves HTTP on a new connection until a request turns it into something else.
async fn handshake(
    stream: TcpStream,
    remote: SocketAddr,
    place: Place,
    relay: &Arc<Relay>,
    tls: Option<TlsAcceptor>,
) -> Option<(Next, Joined)> {
    let mut deadline = relay.timing().handshake;
    if place.for_dial {
        deadline = deadline.min(DIAL_PATIENCE);
    }
    let local = stream.local_addr().ok()?;
    stream.set_nodelay(true).ok()?;
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match timeout(deadline, tls.accept(ReadAhead::new(stream))).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
            Ok(Err(error)) => {
                warn_of(relay, remote, &format!("no TLS handshake: {error}"));
                return None;
            }
            Err(_) => {
                warn_of(relay, remote, "its TLS handshake took too long");
                return None;
            }
        },
    };
    let secure = matches!(stream, Stream::Tls(_));
    let visit = Arc::new(Visit::new(
        Arc::clone(relay),
        remote,
        local,
        secure,
        place.for_dial,
    ));
    let service = service_fn(|request| {
        let visit = Arc::clone(&visit);
        Box::pin(async move { Ok::<_, Infallible>(route::answer(&visit, request).await) })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadline)
        .max_buf_size(MAX_HEAD)
        .max_headers(MOST_HEADERS)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Gate::new(stream)), service);
    let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let parts = connection.into_parts();
    let (stream, held) = parts.io.into_inner().into_parts();
    if let Err(error) = served {
        debug!(%remote, %error, "the connection ended before its answer");
        if error.is_timeout() {
            warn_of(relay, remote, "its request took too long to come");
        } else if error.is_parse() {
            warn_of(
                relay,
                remote,
                &format!("what it sent is no request: {error}"),
            );
        }
        // hyper has said what is wrong with it.
        linger(stream).await;
        return None;
    }
    let mut rest = parts.read_buf.to_vec();
    rest.extend_from_slice(&held);
    match visit.take_next() {
        Some(next) => Some((
            next,
            Joined {
                stream,
                rest: rest.into(),
                remote,
                place,
            },
        )),
        None => {
            linger(stream).await;
            None
        }
    }
}

/// Tells of a client that never made a request. Events are limited, so a flood of them is only counted.
fn warn_of(relay: &Relay, remote: SocketAddr, what: &str) {
    relay.events.tell(EventKind::Warning {
        message: format!("a connection from {remote} was given up: {what}"),
        tracking_id: None,
    });
}

/// How long a connection may take to say that it is a listener's dial, when only those are let in.
const DIAL_PATIENCE: Duration = Duration::from_secs(2);
/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// The limit of the service counts bytes, not lines; hyper takes 100 by default.
const MOST_HEADERS: usize = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
