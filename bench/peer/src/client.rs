//! The client's side: senders, and a listener that answers every accept.

use std::{io, rc::Rc, time::Duration};

use serde_json::Value;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    connection::{self, Stream},
    group::{Group, World},
    http,
};

/// Opens one WebSocket and lets it join `group`.
pub async fn connect(url: &str, tls: Option<&TlsConnector>, group: Rc<Group>) -> io::Result<()> {
    let (stream, rest) = timeout(DEADLINE, open(url, tls)).await??;
    spawn_local(connection::run(stream, rest, true, group));
    Ok(())
}

/// Opens a control channel; rendezvous join the group `name`.
pub async fn listen(
    url: &str,
    tls: Option<TlsConnector>,
    world: &World,
    name: &str,
) -> io::Result<()> {
    let control = world.control(name);
    let group = world.group(name);
    let connector = tls.clone();
    control.on_text(move |text| {
        let Ok(command) = serde_json::from_slice::<Value>(text) else {
            return;
        };
        let Some(address) = command["accept"]["address"].as_str() else {
            return;
        };
        let (address, tls, group) = (address.to_owned(), connector.clone(), Rc::clone(&group));
        spawn_local(async move {
            // A sender whose rendezvous failed says so itself.
            let _ = connect(&address, tls.as_ref(), group).await;
        });
    });
    connect(url, tls.as_ref(), control).await
}

async fn open(url: &str, tls: Option<&TlsConnector>) -> io::Result<(Stream, Vec<u8>)> {
    let malformed = || io::Error::other(format!("not a WebSocket address: {url}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
    let (authority, path) = rest.split_once('/').ok_or_else(malformed)?;
    let host = authority
        .rsplit_once(':')
        .ok_or_else(malformed)?
        .0
        .to_owned();
    let tcp = TcpStream::connect(authority).await?;
    tcp.set_nodelay(true)?;
    let mut stream: Stream = if scheme == "wss" {
        let name = host.try_into().map_err(io::Error::other)?;
        let tls = tls.ok_or_else(|| io::Error::other("wss needs a ca"))?;
        Box::new(tls.connect(name, tcp).await?)
    } else {
        Box::new(tcp)
    };
    let rest = http::upgrade(&mut stream, authority, &format!("/{path}")).await?;
    Ok((stream, rest))
}

/// As long as senders of the real service wait.
const DEADLINE: Duration = Duration::from_secs(70);
