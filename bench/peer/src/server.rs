//! The server's side: plain WebSockets, and a relay that ends every rendezvous right here.
//!
//! - `/NAME`: a WebSocket of group NAME;
//! - `/$hc/NAME?sb-hc-action=listen`: a listener's control channel;
//! - `/$hc/NAME?sb-hc-action=accept&sb-hc-id=ID`: a rendezvous, which joins group NAME.

use std::{io, rc::Rc};

use tokio::{net::TcpListener, task::spawn_local};
use tokio_rustls::TlsAcceptor;

use crate::{
    connection::{self, Stream},
    group::World,
    http::{self, Head},
};

/// Accepts connections for ever.
pub async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, world: Rc<World>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let _ = tcp.set_nodelay(true);
        let tls = tls.clone();
        let world = Rc::clone(&world);
        spawn_local(async move {
            let stream: Stream = match tls {
                None => Box::new(tcp),
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            // A client that breaks off its handshake is the caller's to notice.
            let _ = serve(stream, world).await;
        });
    }
}

async fn serve(mut stream: Stream, world: Rc<World>) -> io::Result<()> {
    let mut head = Head::read(&mut stream).await?;
    http::switch_protocols(&mut stream, &head).await?;
    let (path, query) = head.target();
    let group = match path.strip_prefix("/$hc/") {
        Some(name) if query.contains("sb-hc-action=listen") => world.control(name),
        Some(name) => {
            let id = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("sb-hc-id="));
            if let Some(found) = id.and_then(|id| world.pending.borrow_mut().remove(id)) {
                let _ = found.send(());
            }
            world.group(name)
        }
        None => world.group(&path[1..]),
    };
    let rest = std::mem::take(&mut head.rest);
    connection::run(stream, rest, false, group).await;
    Ok(())
}
