//! The measure for a relay: a TCP proxy that only copies.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// Copies between every connection and one of its own to `target`.
pub async fn run(listener: TcpListener, target: u16) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else {
            continue;
        };
        spawn_local(async move {
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else {
                return;
            };
            let _ = near.set_nodelay(true);
            let _ = far.set_nodelay(true);
            // Either end may break a connection off when its run is over.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        });
    }
}
