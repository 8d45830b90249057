//! Asking the administration of a relay that runs.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{FAILED, Failure, WRONG_USE, print};

/// Asks the relay at a plain port of this machine, and prints its answer.
pub(crate) async fn ask(port: u16, method: &str, target: &str, body: &str) -> Result<u8, Failure> {
    let asked = timeout(PATIENCE, exchange(port, method, target, body)).await;
    let (status, answer) = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let message = format!("no relay answers at port {port}: {error}");
            return Err((message, FAILED));
        }
        Err(_) => return Err(("the relay does not answer".to_owned(), FAILED)),
    };
    if status == 200 {
        print(&answer);
        return Ok(0);
    }
    let reason = serde_json::from_str::<Value>(&answer)
        .ok()
        .and_then(|answer| Some(answer.get("error")?.as_str()?.to_owned()));
    Err((reason.unwrap_or(answer), WRONG_USE))
}

/// A request to the administration; gives status and body.
async fn exchange(
    port: u16,
    method: &str,
    target: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!(
        "{method} /$admin/{target} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MOST_READ).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    status
        .map(|status| (status, body.to_owned()))
        .ok_or_else(|| std::io::Error::other("this is not the relay"))
}

/// The administration answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_READ: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_does_not_answer_is_given_up_after_five_seconds() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = silent.local_addr().expect("an address").port();
        let started = Instant::now();
        let asked = ask(port, "GET", "listeners", "").await;
        assert_eq!(asked, Err(("the relay does not answer".to_owned(), FAILED)));
        assert_eq!(started.elapsed().as_secs(), 5);
    }
}
