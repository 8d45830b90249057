//! Accepting connections, and carrying each to what it becomes.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::{
    bridge::Joined,
    gate::Gate,
    linger::linger,
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
            accepted = accept(&listener, &relay.places) => accepted,
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
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, place))
}

/// Serves HTTP on a new connection until a request turns it into something else.
async fn handshake(
    stream: TcpStream,
    remote: SocketAddr,
    place: OwnedSemaphorePermit,
    relay: &Arc<Relay>,
    tls: Option<TlsAcceptor>,
) -> Option<(Next, Joined)> {
    let deadline = relay.timing().handshake;
    let local = stream.local_addr().ok()?;
    stream.set_nodelay(true).ok()?;
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match timeout(deadline, tls.accept(ReadAhead::new(stream))).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
            Ok(Err(error)) => {
                debug!(%remote, %error, "no TLS handshake");
                return None;
            }
            Err(_) => return None,
        },
    };
    let secure = matches!(stream, Stream::Tls(_));
    let visit = Arc::new(Visit::new(Arc::clone(relay), remote, local, secure));
    let service = service_fn(|request| {
        let visit = Arc::clone(&visit);
        Box::pin(async move { Ok::<_, Infallible>(route::answer(&visit, request).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadline)
        .max_buf_size(MAX_HEAD)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Gate::new(stream)), service);
    let parts = match connection.without_shutdown().await {
        Ok(parts) => parts,
        Err(error) => {
            debug!(%remote, %error, "the connection ended before its answer");
            return None;
        }
    };
    let (stream, held) = parts.io.into_inner().into_parts();
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

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
