//! The commands of a benchmark: one JSON object a line, answered by one line when it is done.
//!
//! | do | members | done when |
//! | --- | --- | --- |
//! | `wait` | group, sockets | so many sockets are in the group |
//! | `reset` | group, mode (`count`, `echo`) | at once |
//! | `flood` | group, size, count | at once; the sockets write their shares |
//! | `count` | group, count | so many messages came since the reset |
//! | `drive` | group, size, count, flight | all messages came back; gives latencies |
//! | `accept` | group, count, concurrency, secure | so many rendezvous are open; gives latencies |
//! | `connect` | group, url, count, concurrency, ca | so many sockets are open |
//! | `listen` | group, url, ca | the control channel is open |
//! | `request` | host, target, size, count, connections | all requests are answered; gives latencies |
//! | `open` | host, target, connections | so many answers have begun, and are held until the program ends |
//! | `close` | group | all sockets of the group have ended |
//! | `usage` | | at once; gives the nanoseconds this program has used |

use std::{io, rc::Rc, time::Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    task::{JoinSet, spawn_local},
};
use tokio_rustls::TlsConnector;

use crate::{
    client,
    group::{Group, Mode, Order, World},
    load::Load,
    tls,
};

/// Serves everybody who gives commands.
pub async fn accept(listener: TcpListener, world: Rc<World>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let world = Rc::clone(&world);
        spawn_local(async move {
            // A benchmark that goes away in the middle of a command needs no answer.
            let _ = serve(stream, world).await;
        });
    }
}

async fn serve(stream: TcpStream, world: Rc<World>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let command: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
        let started = Instant::now();
        let mut answer = match obey(&command, &world).await {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error.to_string() }),
        };
        answer["seconds"] = json!(started.elapsed().as_secs_f64());
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn obey(command: &Value, world: &Rc<World>) -> io::Result<Value> {
    let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| command[name].as_u64().unwrap_or(1);
    let name = text("group");
    let group = world.group(&name);
    match command["do"].as_str().unwrap_or_default() {
        "wait" => {
            group
                .wait_members(|members| members as u64 >= number("sockets"))
                .await
        }
        "reset" if text("mode") == "echo" => group.reset(Mode::Echo),
        "reset" => group.reset(Mode::Count),
        "flood" => group.flood(number("size") as usize, number("count")),
        "count" => group.wait_received(number("count")).await,
        "drive" => {
            group
                .drive(number("size") as usize, number("count"), number("flight"))
                .await;
            return Ok(percentiles(&group.sorted_latencies()));
        }
        "accept" => {
            let secure = command["secure"].as_bool().unwrap_or_default();
            world
                .control(&name)
                .wait_members(|members| members > 0)
                .await;
            let times = senders(world, &name, secure, number("count"), number("concurrency")).await;
            return Ok(percentiles(&times));
        }
        "connect" => {
            let tls = connector(&text("ca"))?;
            dial(
                &text("url"),
                tls,
                &group,
                number("count"),
                number("concurrency"),
            )
            .await?;
        }
        "listen" => client::listen(&text("url"), connector(&text("ca"))?, world, &name).await?,
        "close" => {
            group.close();
            group.wait_members(|members| members == 0).await;
        }
        "request" => return Ok(percentiles(&load(command).run().await?)),
        "open" => world.held.borrow_mut().extend(load(command).open().await?),
        "usage" => {}
        other => return Err(io::Error::other(format!("unknown command: {other}"))),
    }
    Ok(json!({ "sockets": group.len(), "usage": usage() }))
}

/// Announces senders on the control channel and waits for the listener's rendezvous.
async fn senders(
    world: &Rc<World>,
    name: &str,
    secure: bool,
    count: u64,
    concurrency: u64,
) -> Vec<u32> {
    let free = Rc::new(Semaphore::new(concurrency as usize));
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (world, free, name) = (Rc::clone(world), Rc::clone(&free), name.to_owned());
        tasks.spawn_local(async move {
            let _permit = free.acquire().await;
            let started = Instant::now();
            let (found, answered) = oneshot::channel();
            let id = format!("00000000-0000-4000-8000-{index:012x}");
            let base = world.addresses[usize::from(secure)].borrow().clone();
            let address = format!("{base}/$hc/{name}?sb-hc-action=accept&sb-hc-id={id}");
            world.pending.borrow_mut().insert(id.clone(), found);
            let host = base.rsplit('/').next().unwrap_or_default();
            let accept = json!({ "accept": {
                "address": address,
                "id": id,
                "connectHeaders": {
                    "Host": host,
                    "Upgrade": "websocket",
                    "Connection": "Upgrade",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Version": "13",
                },
                "remoteEndpoint": { "address": "127.0.0.1", "port": 40_000 },
            } });
            world
                .control(&name)
                .tell_first(Order::Text(accept.to_string()));
            let _ = answered.await;
            started.elapsed().as_nanos() as u32
        });
    }
    let mut times = tasks.join_all().await;
    times.sort_unstable();
    times
}

/// Opens `count` sockets, at most `concurrency` at a time.
async fn dial(
    url: &str,
    tls: Option<TlsConnector>,
    group: &Rc<Group>,
    count: u64,
    concurrency: u64,
) -> io::Result<()> {
    let free = Rc::new(Semaphore::new(concurrency as usize));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (url, tls, group) = (url.to_owned(), tls.clone(), Rc::clone(group));
        let free = Rc::clone(&free);
        tasks.spawn_local(async move {
            let _permit = free.acquire().await;
            client::connect(&url, tls.as_ref(), group).await
        });
    }
    tasks.join_all().await.into_iter().collect()
}

/// What an order says about HTTP requests.
fn load(command: &Value) -> Load {
    let number = |name: &str| command[name].as_u64().unwrap_or_default();
    Load {
        host: command["host"].as_str().unwrap_or_default().to_owned(),
        target: command["target"].as_str().unwrap_or("/").to_owned(),
        size: number("size") as usize,
        count: number("count"),
        connections: number("connections"),
    }
}

fn connector(ca: &str) -> io::Result<Option<TlsConnector>> {
    (!ca.is_empty()).then(|| tls::connector(ca)).transpose()
}

fn percentiles(sorted: &[u32]) -> Value {
    let at = |part: f64| {
        let index = (sorted.len() as f64 * part) as usize;
        sorted
            .get(index.min(sorted.len().saturating_sub(1)))
            .map_or(0.0, |t| f64::from(*t) / 1e3)
    };
    json!({ "p50": at(0.5), "p99": at(0.99), "usage": usage() })
}

/// Nanoseconds of processor time of this thread, which is the whole program.
fn usage() -> u64 {
    let read = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    read.split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or_default()
}
