//! What relaying costs, beside a plain TCP proxy in the same run.
//!
//! `cargo bench -p hyco-emulator` prints, for each workload, messages and bytes per second and the CPU
//! time of the relaying thread per message. Clients are bare threads that write prepared frames.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for the terminal, which fails by panicking"
)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use hyco_emulator::{Emulator, EmulatorOptions};
use hyco_protocol::token::sign_canonical;
use tokio::{io::copy_bidirectional, net, runtime::Builder};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

fn main() {
    println!(
        "{:<26} {:>6} {:>12} {:>8} {:>12}",
        "workload", "peer", "messages/s", "MB/s", "ns/message"
    );
    measure("64 B, written by 64 KiB", 4_000_000, 64, |pair, count| {
        flood(pair, 64, 64 * 1024, count)
    });
    measure("64 B, written one by one", 300_000, 64, |pair, count| {
        flood(pair, 64, 1, count)
    });
    measure("64 B, there and back", 50_000, 64, echo);
    measure("16 KiB", 100_000, 16 * 1024, |pair, count| {
        flood(pair, 16 * 1024, 1, count)
    });
    measure("1 MiB", 2_000, 1024 * 1024, |pair, count| {
        flood(pair, 1024 * 1024, 1, count)
    });
}

/// Runs a workload with both peers by turns, and prints the medians.
fn measure(workload: &str, count: usize, size: usize, run: impl Fn(Pair, usize) -> Run) {
    let peers = [("proxy", proxy as fn() -> Pair), ("relay", relay)];
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((_, start), runs) in peers.iter().zip(&mut runs) {
            runs.push(run(start(), count));
        }
    }
    for ((peer, _), runs) in peers.iter().zip(&mut runs) {
        runs.sort_by_key(|run| run.elapsed);
        let elapsed = runs[ROUNDS / 2].elapsed.as_secs_f64();
        runs.sort_by_key(|run| run.cpu);
        println!(
            "{workload:<26} {peer:>6} {:>12.0} {:>8.0} {:>12.0}",
            count as f64 / elapsed,
            (count * size) as f64 / elapsed / 1e6,
            runs[ROUNDS / 2].cpu.as_nanos() as f64 / count as f64,
        );
    }
}

/// Two connections that something joins, and the thread that does.
struct Pair {
    sender: TcpStream,
    listener: TcpStream,
    /// What a message of the listener's adds; a proxy changes nothing.
    rewrites: bool,
    /// Where the joining thread's times stand.
    schedstat: String,
    _stop: mpsc::Sender<()>,
}

struct Run {
    elapsed: Duration,
    cpu: Duration,
}

/// Messages from the sender to the listener, as fast as they go.
fn flood(pair: Pair, size: usize, batch: usize, count: usize) -> Run {
    let frame = frame(size);
    let per_write = (batch / frame.len()).max(1);
    let writes = count / per_write;
    let chunk = frame.repeat(per_write);
    let expected = writes * per_write * (frame.len() - if pair.rewrites { 4 } else { 0 });
    let before = cpu(&pair.schedstat);
    let started = Instant::now();
    let Pair {
        mut sender,
        mut listener,
        schedstat,
        _stop,
        ..
    } = pair;
    let writer = thread::spawn(move || {
        for _ in 0..writes {
            sender.write_all(&chunk).unwrap();
        }
        sender
    });
    let mut buffer = vec![0; 256 * 1024];
    let mut received = 0;
    while received < expected {
        received += listener.read(&mut buffer).unwrap();
    }
    let elapsed = started.elapsed();
    let cpu = cpu(&schedstat) - before;
    drop(writer.join());
    Run { elapsed, cpu }
}

/// One message at a time, there and back.
fn echo(pair: Pair, count: usize) -> Run {
    let frame = frame(64);
    let returned = frame.len() - if pair.rewrites { 4 } else { 0 };
    let Pair {
        mut sender,
        mut listener,
        schedstat,
        _stop,
        ..
    } = pair;
    let before = cpu(&schedstat);
    let started = Instant::now();
    let answered = frame.clone();
    let echo = thread::spawn(move || {
        let mut buffer = vec![0; returned];
        for _ in 0..count {
            listener.read_exact(&mut buffer).unwrap();
            listener.write_all(&answered).unwrap();
        }
        listener
    });
    let mut buffer = vec![0; returned];
    for _ in 0..count {
        sender.write_all(&frame).unwrap();
        sender.read_exact(&mut buffer).unwrap();
    }
    let run = Run {
        elapsed: started.elapsed(),
        cpu: cpu(&schedstat) - before,
    };
    drop(echo.join());
    run
}

/// A masked binary message.
fn frame(size: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let payload = vec![7; size];
    let mask = Some([1, 2, 3, 4]);
    hyco_websocket::append_frame(
        &mut frame,
        true,
        hyco_websocket::OpCode::Binary,
        &payload,
        mask,
    );
    frame
}

/// A pair that the emulator joins.
fn relay() -> Pair {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel();
    thread::spawn(move || {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let emulator = Emulator::bind(EmulatorOptions::default()).await.unwrap();
                let rule = emulator.rule();
                let uri = format!("{}/hyco", emulator.namespace());
                let end = 4_000_000_000;
                let token = sign_canonical(&uri, rule.name(), rule.primary_key(), end).unwrap();
                let address = emulator.local_addr();
                started
                    .send((address, emulator.namespace(), token, schedstat()))
                    .unwrap();
                wait(stopped).await;
                emulator.close().await;
            });
    });
    let (address, namespace, token, schedstat) = start.recv().unwrap();
    let (sender, listener) = Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let open = async |url: String| {
                let mut request = url.into_client_request().unwrap();
                let token = token.parse().unwrap();
                request
                    .headers_mut()
                    .insert("servicebusauthorization", token);
                let stream = net::TcpStream::connect(address).await.unwrap();
                client_async(request, stream).await.unwrap().0
            };
            let url = format!("{namespace}/$hc/hyco?sb-hc-action=");
            let mut control = open(format!("{url}listen")).await;
            let (sender, listener) = tokio::join!(open(format!("{url}connect")), async {
                let accept = control.next().await.unwrap().unwrap();
                let text = accept.to_text().unwrap();
                let accept: serde_json::Value = serde_json::from_str(text).unwrap();
                open(accept["accept"]["address"].as_str().unwrap().to_owned()).await
            });
            (
                blocking(sender.into_inner()),
                blocking(listener.into_inner()),
            )
        });
    Pair {
        sender,
        listener,
        rewrites: true,
        schedstat,
        _stop: stop,
    }
}

/// A pair that a plain TCP proxy joins.
fn proxy() -> Pair {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel::<(SocketAddr, String)>();
    thread::spawn(move || {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let server = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started
                    .send((server.local_addr().unwrap(), schedstat()))
                    .unwrap();
                let (mut one, _) = server.accept().await.unwrap();
                let (mut other, _) = server.accept().await.unwrap();
                one.set_nodelay(true).unwrap();
                other.set_nodelay(true).unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut one, &mut other).await });
                wait(stopped).await;
            });
    });
    let (address, schedstat) = start.recv().unwrap();
    let sender = TcpStream::connect(address).unwrap();
    let listener = TcpStream::connect(address).unwrap();
    sender.set_nodelay(true).unwrap();
    listener.set_nodelay(true).unwrap();
    Pair {
        sender,
        listener,
        rewrites: false,
        schedstat,
        _stop: stop,
    }
}

/// Waits until the other end of the channel is gone.
async fn wait(stopped: mpsc::Receiver<()>) {
    let waiting = tokio::task::spawn_blocking(move || stopped.recv());
    let _ = waiting.await;
}

fn blocking(stream: net::TcpStream) -> TcpStream {
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Where the times of the calling thread stand.
fn schedstat() -> String {
    let thread = fs::read_link("/proc/thread-self").unwrap();
    format!("/proc/{}/schedstat", thread.display())
}

fn cpu(schedstat: &str) -> Duration {
    let text = fs::read_to_string(schedstat).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

const ROUNDS: usize = 7;
