//! Relayed HTTP requests that a server answers: docs/protocol.md, 5 and 8.1.

mod answers;
mod channels;
mod failures;
mod stalls;
mod waits;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyco_client::{
    ListenerEvent,
    http::{HandlerFailed, HttpOptions, Opening, Outcome, RequestInfo, Service, Transport},
};
use hyco_protocol::{Reply, Response};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Observed, PATIENCE, Relay, Visit};

/// Gives the far end of every stream to the test, which is the server.
struct Streams(mpsc::UnboundedSender<Exchange>);

/// A request as the server sees it.
struct Exchange {
    info: RequestInfo,
    stream: Option<DuplexStream>,
    throws: mpsc::UnboundedSender<()>,
    outcome: mpsc::UnboundedReceiver<Outcome>,
}

struct Pipe {
    stream: DuplexStream,
    thrown: mpsc::UnboundedReceiver<()>,
    outcome: mpsc::UnboundedSender<Outcome>,
}

impl Service for Streams {
    fn open(&self, info: RequestInfo) -> Opening {
        let (near, far) = duplex(16 * 1024);
        let (throws, thrown) = mpsc::unbounded_channel();
        let (told, outcome) = mpsc::unbounded_channel();
        let exchange = Exchange {
            info,
            stream: Some(far),
            throws,
            outcome,
        };
        let sent = self.0.send(exchange);
        Box::pin(async move {
            sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(Pipe {
                stream: near,
                thrown,
                outcome: told,
            }) as Box<dyn Transport>)
        })
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Some(())) = self.thrown.poll_recv(cx) {
            return Poll::Ready(Err(io::Error::other(HandlerFailed)));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Transport for Pipe {
    fn finish(self: Box<Self>, outcome: Outcome) {
        let _ = self.outcome.send(outcome);
    }
}

impl Exchange {
    fn stream(&mut self) -> &mut DuplexStream {
        self.stream.as_mut().unwrap()
    }

    /// Reads up to the blank line.
    async fn head(&mut self) -> String {
        self.until(b"\r\n\r\n").await
    }

    async fn until(&mut self, end: &[u8]) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            let byte = timeout(PATIENCE, self.stream().read_u8())
                .await
                .expect("nothing comes");
            bytes.push(byte.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.stream().write_all(text.as_bytes()).await.unwrap();
    }

    async fn outcome(&mut self) -> Outcome {
        timeout(PATIENCE, self.outcome.recv())
            .await
            .expect("no outcome")
            .unwrap()
    }
}

/// A listener that serves, the relay it listens at, and its control channel.
struct Setting {
    relay: Relay,
    observed: Observed,
    control: Visit,
    exchanges: mpsc::UnboundedReceiver<Exchange>,
}

impl Setting {
    async fn new(change: impl FnOnce(&mut HttpOptions)) -> Self {
        let relay = Relay::bind().await;
        let mut observed = Observed::listen(&relay.address("/$hc/hyco"), |_| ());
        let (sender, exchanges) = mpsc::unbounded_channel();
        let mut options = HttpOptions::default();
        change(&mut options);
        observed
            .listener
            .serve(Some((Arc::new(Streams(sender)), options)));
        let control = observed.come_online(&relay).await;
        Self {
            relay,
            observed,
            control,
            exchanges,
        }
    }

    fn request(&self, id: &str, method: &str, body: bool) -> String {
        let address = self
            .relay
            .address(&format!("/$hc/hyco?sb-hc-action=request&sb-hc-id={id}"));
        format!(
            r#"{{"request":{{"address":"{address}","id":"{id}","requestTarget":"/hyco/x?y","method":"{method}","remoteEndpoint":{{"address":"1.2.3.4","port":5}},"requestHeaders":{{"X-A":"1"}},"body":{body}}}}}"#
        )
    }

    /// Sends a request without a body.
    async fn ask(&mut self, id: &str, method: &str) -> Exchange {
        let text = self.request(id, method, false);
        self.control.say(text).await;
        self.exchange().await
    }

    /// Lets the listener fetch a request.
    async fn point(&mut self, id: &str) -> Visit {
        let address = self
            .relay
            .address(&format!("/$hc/hyco?sb-hc-action=request&sb-hc-id={id}"));
        self.control
            .say(format!(r#"{{"request":{{"address":"{address}"}}}}"#))
            .await;
        self.relay.open().await
    }

    async fn exchange(&mut self) -> Exchange {
        timeout(PATIENCE, self.exchanges.recv())
            .await
            .expect("no request")
            .unwrap()
    }

    async fn failure(&mut self) -> (RequestInfo, &'static str) {
        match self.observed.event().await {
            Some(ListenerEvent::RequestFailed { info, error }) => (info, error.code()),
            other => panic!("no failure: {other:?}"),
        }
    }
}

async fn response(visit: &mut Visit) -> Response {
    let text = visit.hear_text().await;
    match Reply::parse(&text) {
        Ok(Reply::Response(response)) => response,
        other => panic!("no response: {other:?}"),
    }
}

async fn closes_with_1000(visit: &mut Visit) {
    loop {
        match visit.hear().await {
            Message::Close(Some(frame)) => return assert_eq!(u16::from(frame.code), 1000),
            Message::Close(None) => panic!("no code"),
            _ => {}
        }
    }
}

fn binary(bytes: &[u8]) -> Message {
    Message::binary(bytes.to_vec())
}
