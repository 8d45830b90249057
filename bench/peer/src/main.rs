//! The other end of every benchmark.
//!
//! One thread, no code shared with hyco-rs, frames made ahead of time and moved in large pieces:
//! it shall never be what limits a measurement, and it says how much of a core it used.
//!
//! `bench-peer` serves WebSockets (see [`server`]) and obeys [`control`];
//! `bench-peer proxy PORT` copies bytes to a port of this machine, `bench-peer http-proxy PORT` passes
//! HTTP requests on to it.
//! Both print one line of JSON with their ports and end when their standard input does.

mod client;
mod connection;
mod control;
mod frame;
mod group;
mod http;
mod http_proxy;
mod load;
mod proxy;
mod server;
mod tls;

use std::{io, rc::Rc};

use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpSocket},
    task::{LocalSet, spawn_local},
};

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    LocalSet::new().block_on(&runtime, async {
        match arguments.as_slice() {
            [] => start().await?,
            [mode, port] if mode == "proxy" => {
                let port = port.parse().map_err(io::Error::other)?;
                let listener = bind()?;
                announce(&json!({ "tcp": listener.local_addr()?.port() }));
                spawn_local(proxy::run(listener, port));
            }
            [mode, port] if mode == "http-proxy" => {
                let port = port.parse().map_err(io::Error::other)?;
                let listener = bind()?;
                announce(&json!({ "tcp": listener.local_addr()?.port() }));
                spawn_local(http_proxy::run(listener, port));
            }
            _ => return Err(io::Error::other("usage: bench-peer [proxy PORT | http-proxy PORT]")),
        }
        let mut stdin = tokio::io::stdin();
        while stdin.read(&mut [0; 64]).await? > 0 {}
        Ok(())
    })
}

async fn start() -> io::Result<()> {
    let world = Rc::new(group::World::default());
    let (ca, key, acceptor) = tls::acceptor()?;
    let (plain, secure, commands) = (bind()?, bind()?, bind()?);
    let ports = [&plain, &secure, &commands].map(|l| l.local_addr().map(|a| a.port()));
    let [plain_port, secure_port, command_port] = ports;
    let (plain_port, secure_port) = (plain_port?, secure_port?);
    *world.addresses[0].borrow_mut() = format!("ws://127.0.0.1:{plain_port}");
    *world.addresses[1].borrow_mut() = format!("wss://localhost:{secure_port}");
    let ready =
        json!({ "tcp": plain_port, "tls": secure_port, "control": command_port?, "ca": ca, "key": key });
    spawn_local(server::accept(plain, None, Rc::clone(&world)));
    spawn_local(server::accept(secure, Some(acceptor), Rc::clone(&world)));
    spawn_local(control::accept(commands, world));
    announce(&ready);
    Ok(())
}

fn bind() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    // A burst of a thousand senders must not overflow the queue of the kernel.
    socket.listen(4096)
}

fn announce(line: &serde_json::Value) {
    println!("{line}");
}
