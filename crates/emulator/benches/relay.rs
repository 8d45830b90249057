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
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use hyco_emulator::{Emulator, EmulatorOptions, TlsOptions};
use hyco_protocol::token::sign_canonical;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{io::copy_bidirectional, net, runtime::Builder};
use tokio_tungstenite::tungstenite::{self, WebSocket, client::IntoClientRequest};

fn main() {
    println!(
        "{:<26} {:>10} {:>12} {:>8} {:>12}",
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
    let secure = || relay(Some(TlsOptions::Generated));
    let peers: [(&str, &dyn Fn() -> Pair); 3] = [
        ("proxy", &proxy),
        ("relay", &|| relay(None)),
        ("relay, TLS", &secure),
    ];
    let mut runs = [Vec::new(), Vec::new(), Vec::new()];
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
            "{workload:<26} {peer:>10} {:>12.0} {:>8.0} {:>12.0}",
            count as f64 / elapsed,
            (count * size) as f64 / elapsed / 1e6,
            runs[ROUNDS / 2].cpu.as_nanos() as f64 / count as f64,
        );
    }
}

/// Two connections that something joins, and the thread that does.
struct Pair {
    sender: Client,
    listener: Client,
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
fn relay(tls: Option<TlsOptions>) -> Pair {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel();
    thread::spawn(move || {
        run(async {
            let options = EmulatorOptions {
                tls,
                ..EmulatorOptions::default()
            };
            let emulator = Emulator::bind(options).await.unwrap();
            let rule = emulator.rule();
            let uri = format!("{}/hyco", emulator.namespace());
            let end = 4_000_000_000;
            let token = sign_canonical(&uri, rule.name(), rule.primary_key(), end).unwrap();
            let dialer = Dialer {
                address: emulator.local_addr(),
                tls: emulator.certificate().map(trust),
                token,
            };
            started
                .send((dialer, emulator.namespace(), schedstat()))
                .unwrap();
            wait(stopped).await;
            emulator.close().await;
        });
    });
    let (dialer, namespace, schedstat) = start.recv().unwrap();
    let url = format!("{namespace}/$hc/hyco?sb-hc-action=");
    let mut control = dialer.open(&format!("{url}listen"));
    let connecting = dialer.clone();
    let sender = thread::spawn(move || connecting.open(&format!("{url}connect")));
    let accept = control.read().unwrap();
    let accept: serde_json::Value = serde_json::from_str(accept.to_text().unwrap()).unwrap();
    let listener = dialer.open(accept["accept"]["address"].as_str().unwrap());
    let sender = sender.join().unwrap().into_inner();
    Pair {
        sender,
        listener: listener.into_inner(),
        rewrites: true,
        schedstat,
        _stop: stop,
    }
}

/// Opens WebSockets at an emulator.
#[derive(Clone)]
struct Dialer {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    token: String,
}

impl Dialer {
    fn open(&self, url: &str) -> WebSocket<Client> {
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("servicebusauthorization", self.token.parse().unwrap());
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = match &self.tls {
            None => Client::Plain(stream),
            Some(config) => {
                let name = "localhost".try_into().unwrap();
                let session = ClientConnection::new(Arc::clone(config), name).unwrap();
                Client::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        tungstenite::client(request, stream).unwrap().0
    }
}

/// A blocking connection.
enum Client {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Client {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn trust(certificate: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Runs the relaying thread's work, as an embedded emulator does.
fn run(work: impl Future<Output = ()>) {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}

/// A pair that a plain TCP proxy joins.
fn proxy() -> Pair {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel::<(SocketAddr, String)>();
    thread::spawn(move || {
        run(async {
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
        sender: Client::Plain(sender),
        listener: Client::Plain(listener),
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
