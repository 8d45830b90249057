//! One open WebSocket: reads in passing, writes in large pieces.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::{
    frame::{self, Batch, Found, Parser},
    group::{Group, Mode, Order},
};

/// A TCP stream, plain or encrypted.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}
/// See [`Io`].
pub type Stream = Box<dyn Io>;

/// Serves a socket after its handshake until it ends; `rest` is what came behind the head.
pub async fn run(mut stream: Stream, rest: Vec<u8>, client: bool, group: Rc<Group>) {
    let (orders, inbox) = unbounded_channel();
    let id = group.join(orders, client);
    let session = Session {
        client,
        group: Rc::clone(&group),
        parser: Parser::default(),
        out: Vec::new(),
        started: VecDeque::new(),
        closed: false,
    };
    // A socket that breaks has ended; whoever waits for its messages has a deadline.
    let _ = serve(&mut stream, rest, inbox, session).await;
    group.leave(id);
}

async fn serve(
    stream: &mut Stream,
    rest: Vec<u8>,
    mut inbox: UnboundedReceiver<Order>,
    mut session: Session,
) -> io::Result<()> {
    session.take(&rest);
    drop(rest);
    loop {
        if !session.out.is_empty() {
            stream.write_all(&session.out).await?;
            stream.flush().await?;
            session.out.clear();
        }
        if session.closed {
            return stream.shutdown().await;
        }
        let step = poll_fn(|context| {
            if let Poll::Ready(Some(order)) = inbox.poll_recv(context) {
                return Poll::Ready(Ok(Step::Order(order)));
            }
            READ.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut read))?;
                if read.filled().is_empty() {
                    return Poll::Ready(Ok(Step::End));
                }
                session.take(read.filled());
                Poll::Ready(io::Result::Ok(Step::Read))
            })
        });
        match step.await? {
            Step::End => return Ok(()),
            Step::Read => {}
            Step::Order(Order::Flood(batch, count)) => flood(stream, &batch, count).await?,
            Step::Order(order) => session.obey(order),
        }
    }
}

enum Step {
    End,
    Order(Order),
    Read,
}

async fn flood(stream: &mut Stream, batch: &Batch, mut count: u64) -> io::Result<()> {
    while count > 0 {
        let (bytes, frames) = batch.take(count);
        stream.write_all(bytes).await?;
        count -= frames;
    }
    stream.flush().await
}

struct Session {
    client: bool,
    group: Rc<Group>,
    parser: Parser,
    out: Vec<u8>,
    started: VecDeque<Instant>,
    closed: bool,
}

impl Session {
    /// Handles what was read; answers are left in `out`.
    fn take(&mut self, bytes: &[u8]) {
        let Self {
            client,
            group,
            parser,
            out,
            started,
            closed,
        } = self;
        let mask = client.then_some(MASK);
        let mode = group.mode();
        let text = group.reads_text();
        let mut messages = 0;
        parser.feed(bytes, mode == Mode::Echo || text, |found| match found {
            Found::Message(kind, payload) => {
                messages += 1;
                if mode == Mode::Echo {
                    frame::append(out, kind, payload, mask);
                } else if text && kind == frame::TEXT {
                    group.text(payload);
                }
            }
            Found::Control(frame::PING, payload) => {
                frame::append(out, frame::PONG, payload, mask);
            }
            Found::Control(frame::CLOSE, payload) if !*closed => {
                frame::append(out, frame::CLOSE, payload, mask);
                *closed = true;
            }
            Found::Control(..) => {}
        });
        if messages == 0 {
            return;
        }
        if mode == Mode::Drive {
            for sent in started.drain(..started.len().min(messages as usize)) {
                group.latency(sent.elapsed().as_nanos() as u32);
            }
            let next = group.permit(messages);
            self.start(next);
        }
        self.group.count(messages);
    }

    fn obey(&mut self, order: Order) {
        let mask = self.client.then_some(MASK);
        match order {
            Order::Kick(count) => self.start(count),
            Order::Text(text) => frame::append(&mut self.out, frame::TEXT, text.as_bytes(), mask),
            Order::Close => {
                frame::append(&mut self.out, frame::CLOSE, &1000_u16.to_be_bytes(), mask);
                self.closed = true;
            }
            Order::Flood(..) => unreachable!("written by the caller, without a copy"),
        }
    }

    /// Puts further messages of a drive into `out`.
    fn start(&mut self, mut count: u64) {
        let Some(batch) = self.group.drive_batch(self.client) else {
            return;
        };
        let now = Instant::now();
        self.started.extend((0..count).map(|_| now));
        while count > 0 {
            let (bytes, frames) = batch.take(count);
            self.out.extend_from_slice(bytes);
            count -= frames;
        }
    }
}

/// Any key will do on a loopback; it must only not be zero, which costs nothing to apply.
const MASK: [u8; 4] = [0x5a, 0x13, 0xc4, 0x77];

thread_local! {
    /// One read buffer for all sockets: what is read is used up at once.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}
