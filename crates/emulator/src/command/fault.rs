//! `fault`: lets something go wrong in a relay that runs.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{FAILED, Failure, WRONG_USE, args::FaultArgs, print};
use crate::faults::Fault;

/// Asks the relay for it.
pub(crate) async fn run(args: &FaultArgs) -> Result<u8, Failure> {
    let (method, target, body) = match (&args.kind, args.remove, args.clear) {
        (Some(kind), ..) => ("POST", "faults".to_owned(), fault(kind, &args.members)?),
        (None, Some(number), _) => ("DELETE", format!("faults/{number}"), String::new()),
        (None, None, true) => ("DELETE", "faults".to_owned(), String::new()),
        (None, None, false) => ("GET", "faults".to_owned(), String::new()),
    };
    let asked = timeout(PATIENCE, ask(args.port, method, &target, &body)).await;
    let (status, answer) = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let message = format!("no relay answers at port {}: {error}", args.port);
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

/// The fault as JSON, checked here, so that a mistake is named whether a relay runs or not. What reads as
/// a number is one.
fn fault(kind: &str, members: &[String]) -> Result<String, Failure> {
    let mut fault = Map::new();
    if let Some((name, _)) = kind.split_once('=') {
        let message =
            format!("the kind comes first, and '{name}=…' is a member: fault KIND {kind}");
        return Err((message, WRONG_USE));
    }
    fault.insert("kind".to_owned(), kind.into());
    for member in members {
        let Some((name, text)) = member.split_once('=') else {
            return Err((format!("'{member}' must be NAME=VALUE"), WRONG_USE));
        };
        let is_text = ["reason", "hybridConnection"].contains(&name);
        let number = serde_json::from_str(text).ok().filter(Value::is_number);
        let value = number.filter(|_| !is_text).unwrap_or_else(|| text.into());
        if fault.insert(name.to_owned(), value).is_some() {
            return Err((format!("'{name}' is given twice"), WRONG_USE));
        }
    }
    let fault = Value::Object(fault);
    match Fault::parse(fault.clone()) {
        Ok(_) => Ok(fault.to_string()),
        Err(message) => Err((format!("{message}\n{SEE}"), WRONG_USE)),
    }
}

/// A request to the administration; gives status and body.
async fn ask(port: u16, method: &str, target: &str, body: &str) -> std::io::Result<(u16, String)> {
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

const SEE: &str =
    "'fault --help' lists the kinds, and docs/emulator.md says which members each has.";
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_READ: u64 = 1024 * 1024;
