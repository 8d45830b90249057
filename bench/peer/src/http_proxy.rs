//! The measure for relaying HTTP: a plain reverse proxy on hyper, with kept connections on both sides.

use http_body_util::combinators::BoxBody;
use hyper::{Request, Response, Uri, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::spawn_local};

/// Passes every request on to `target`.
pub async fn run(listener: TcpListener, target: u16) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, hyper::body::Incoming>(connector);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let client = client.clone();
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            let client = client.clone();
            async move {
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
                let uri = format!("http://127.0.0.1:{target}{path}");
                *request.uri_mut() = uri.parse::<Uri>().unwrap_or_default();
                let answer = client.request(request).await.map_err(std::io::Error::other)?;
                Ok::<Response<BoxBody<Bytes, hyper::Error>>, std::io::Error>(
                    answer.map(BoxBody::new),
                )
            }
        });
        spawn_local(async move {
            // Either end may break a connection off when its run is over.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
