//! Answering relayed HTTP requests, which this listener does not serve, with 501.
//!
//! Without an answer the HTTP sender would wait for 60 s (docs/protocol.md, 5.7).

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyco_protocol::{
    Command, FullRequest, Headers, Reply, Request, Response,
    status::{CLOSE_NORMAL, clean_reason},
};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::{CloseFrame, Role},
    },
};

use crate::{
    control_channel::config,
    dial::{Dial, Dialer},
    stream::Stream,
};

/// The reply to a request, and the body that goes with it.
pub(crate) fn reply(request: &FullRequest) -> (Reply, Option<String>) {
    let body = (request.method != "HEAD").then(|| TEXT.to_owned());
    let content_type = (
        "content-type".to_owned(),
        "text/plain; charset=utf-8".to_owned(),
    );
    let phrase = format!("Not Implemented. TrackingId:{}", request.id);
    let response = Response {
        request_id: request.id.clone(),
        status_code: 501,
        status_description: Some(clean_reason(&phrase).into_owned()),
        response_headers: Headers(vec![content_type]),
        body: body.is_some(),
    };
    (Reply::Response(response), body)
}

/// Fetches a request whose body is too large for the control channel, and answers it where it lies.
pub(crate) async fn answer_at(dialer: Dialer, address: String, deadline: Duration) {
    let dial = Dial {
        address,
        headers: Vec::new(),
        protocols: Vec::new(),
        timeout: deadline,
    };
    let upgraded = match dialer.dial(dial).await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "request not fetched");
            return;
        }
    };
    let (stream, rest) = (upgraded.stream, upgraded.rest);
    let mut socket =
        WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config())).await;
    match timeout(deadline, answer(&mut socket)).await {
        Ok(Ok(())) => drain(socket.into_inner()).await,
        Ok(Err(error)) => tracing::debug!(%error, "request not answered"),
        Err(_) => tracing::debug!("request not answered in time"),
    }
}

async fn answer(socket: &mut WebSocketStream<Stream>) -> Result<(), tungstenite::Error> {
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        if let Ok(Command::Request(Request::Full(request))) = Command::parse(&text) {
            let (reply, body) = reply(&request);
            socket.feed(Message::text(reply.to_json())).await?;
            if let Some(body) = body {
                socket.feed(Message::binary(body.into_bytes())).await?;
            }
            break;
        }
    }
    let frame = CloseFrame {
        code: CLOSE_NORMAL.into(),
        reason: "Normal Closure".into(),
    };
    socket.close(Some(frame)).await
}

/// Takes the request's body off the connection: closing with unread bytes would destroy the answer.
async fn drain(mut stream: Stream) {
    let mut buffer = vec![0; 16 * 1024];
    let reading =
        async { while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {} };
    drop(timeout(DRAIN_TIMEOUT, reading).await);
}

const TEXT: &str = "This listener relays WebSockets and does not serve HTTP requests.\n";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> FullRequest {
        FullRequest {
            address: "ws://localhost/".to_owned(),
            id: "c126fddd_G12".to_owned(),
            request_target: "/hyco".to_owned(),
            method: method.to_owned(),
            remote_endpoint: None,
            request_headers: Headers::default(),
            body: false,
        }
    }

    #[test]
    fn a_request_is_answered_501_with_a_tracking_id_c50() {
        let (reply, body) = reply(&request("GET"));
        assert_eq!(
            reply.to_json(),
            r#"{"response":{"requestId":"c126fddd_G12","statusCode":501,"statusDescription":"Not Implemented. TrackingId:c126fddd_G12","responseHeaders":{"content-type":"text/plain; charset=utf-8"},"body":true}}"#
        );
        assert_eq!(body.as_deref(), Some(TEXT));
    }

    #[test]
    fn head_gets_no_body_c45() {
        let (reply, body) = reply(&request("HEAD"));
        assert!(reply.to_json().contains(r#""body":false"#));
        assert_eq!(body, None);
    }
}
