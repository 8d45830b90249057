//! A listener that echoes, and a sender, through a local relay: `cargo run -p hyco-client --example echo`.
//!
//! With Azure the address is `wss://NAMESPACE.servicebus.windows.net/$hc/PATH`, and rule and key are those
//! of the hybrid connection; nothing else differs.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::{error::Error, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use hyco_client::{
    ConnectOptions, Dialer, ListenOptions, Listener, ListenerEvent, Stream, TlsOptions,
    TokenSource, Upgraded, sender,
};
use hyco_emulator::{Emulator, EmulatorOptions};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let relay = Emulator::bind(EmulatorOptions::default()).await?;
    let address = format!("{}/$hc/hyco", relay.namespace());
    let (rule, key) = (relay.rule().name(), relay.rule().primary_key());
    let dialer = Dialer::new(&TlsOptions::default())?;

    let token = TokenSource::Key {
        uri: address.clone(),
        rule: rule.to_owned(),
        key: key.to_owned(),
    };
    let (events, mut told) = mpsc::unbounded_channel();
    let listener = Listener::spawn(
        &Handle::current(),
        dialer.clone(),
        ListenOptions::new(&address, token),
        Arc::new(move |event| {
            let _ = events.send(event); // nobody listens any more once main() has ended
        }),
    );
    while let Some(event) = told.recv().await {
        match event {
            ListenerEvent::Online { .. } => break,
            ListenerEvent::Offline {
                error,
                is_final: true,
                ..
            } => return Err(error.to_string().into()),
            _ => {}
        }
    }
    println!("listener  is online");

    let echoing = listener.clone();
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            if let ListenerEvent::Accept(asked) = event {
                println!("listener  accepts {}", asked.remote_address);
                tokio::spawn(echo(echoing.accept(asked.accept, None, Vec::new())));
            }
        }
    });

    let mut options = ConnectOptions::new(&address);
    options.token = Some(hyco_protocol::token::sign_canonical(
        &address,
        rule,
        key,
        in_an_hour()?,
    )?);
    let mut socket = websocket(sender::connect(&dialer, options).await?).await;
    socket.send(Message::text("hello")).await?;
    if let Some(answer) = socket.next().await {
        println!("sender    got back {}", answer?);
    }
    socket.close(None).await?;
    listener.close();
    relay.close().await;
    Ok(())
}

/// Sends back what comes, until the sender closes.
async fn echo(meeting: impl Future<Output = hyco_client::Result<Upgraded>>) {
    match meeting.await {
        Ok(upgraded) => {
            let (sink, stream) = websocket(upgraded).await.split();
            let messages = stream.filter(|message| {
                let is_data = message.as_ref().is_ok_and(|m| m.is_text() || m.is_binary());
                std::future::ready(is_data)
            });
            if let Err(error) = messages.forward(sink).await {
                println!("listener  lost a sender: {error}");
            }
        }
        Err(error) => println!("listener  did not meet a sender: {error}"),
    }
}

/// An upgraded stream carries the frames of a WebSocket client, at either end.
async fn websocket(Upgraded { stream, rest, .. }: Upgraded) -> WebSocketStream<Stream> {
    WebSocketStream::from_partially_read(stream, rest, Role::Client, None).await
}

fn in_an_hour() -> Result<u64, std::time::SystemTimeError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(now.as_secs() + 3600)
}
