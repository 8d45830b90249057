//! The task of one connection: everything that needs the I/O thread.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use tokio::net::tcp::OwnedReadHalf;

use super::{
    Connection, Inbox, Pumped, Signal,
    reader::{Reader, Step},
};

/// Owns the reading side; shares the writing side with the connection's owner.
pub(super) struct Task<I: Inbox> {
    id: u32,
    read: OwnedReadHalf,
    reader: Reader,
    report: Report<I>,
    ended: bool,
    finished: bool,
}

/// Reports [`Signal::Closed`] however the task ends, be it by a panic.
struct Report<I: Inbox> {
    id: u32,
    connection: Arc<Connection>,
    inbox: Arc<I>,
}

impl<I: Inbox> Drop for Report<I> {
    fn drop(&mut self) {
        // Nothing is acknowledged after this.
        self.connection.destroyed.store(true, Ordering::Release);
        self.inbox.signal(self.id, Signal::Closed);
    }
}

// By hand, since an async block would hold the task twice.
impl<I: Inbox> Future for Task<I> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // An error of the socket ends it like its close: the owner sees 1006, as with `ws`.
        self.turn(cx).map(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(connection = self.id, %error, "the connection was lost");
            }
        })
    }
}

impl<I: Inbox> Task<I> {
    pub(super) fn new(
        id: u32,
        connection: Arc<Connection>,
        read: OwnedReadHalf,
        reader: Reader,
        inbox: Arc<I>,
    ) -> Self {
        let report = Report {
            id,
            connection,
            inbox,
        };
        Self {
            id,
            read,
            reader,
            report,
            ended: false,
            finished: false,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.report.connection.task.register(cx.waker());
        if self.report.connection.destroyed.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        self.write(cx)?;
        for _ in 0..STEPS_A_TURN {
            if self.ended || self.report.connection.paused.load(Ordering::Acquire) {
                return self.rest();
            }
            let step = self.reader.poll_step(
                cx,
                self.id,
                &mut self.read,
                &self.report.connection,
                self.report.inbox.as_ref(),
            );
            match step {
                Poll::Ready(Ok(step)) => {
                    // Only this task writes it.
                    let count = &self.report.connection.read_count;
                    count.store(
                        count.load(Ordering::Relaxed).wrapping_add(1),
                        Ordering::Relaxed,
                    );
                    self.ended = step == Step::Ended;
                }
                Poll::Ready(Err(error)) => {
                    // An alert tells the peer what was wrong with its record.
                    self.write(cx)?;
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    // What TLS had to answer may have been encrypted while reading.
                    self.write(cx)?;
                    return self.rest();
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn rest(&self) -> Poll<io::Result<()>> {
        if self.ended && self.finished {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Writes until the outbox is empty or the socket is full, which wakes the task later.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.finished {
            return Ok(());
        }
        let connection = &self.report.connection;
        let mut writer = connection.writer()?;
        loop {
            if writer.is_blocked() {
                match connection.write.as_ref().poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return Ok(()),
                }
                writer.unblock();
            }
            let (outcome, acknowledged) = writer.pump(&connection.write, &connection.outbox);
            if acknowledged > 0 {
                self.report
                    .inbox
                    .signal(self.id, Signal::Acknowledged(acknowledged));
            }
            match outcome? {
                Pumped::Idle => return Ok(()),
                Pumped::Blocked => {}
                Pumped::Finished => {
                    self.finished = true;
                    self.report.inbox.signal(self.id, Signal::Finished);
                    return Ok(());
                }
            }
        }
    }
}

/// How many reads one turn may take before other connections have theirs.
const STEPS_A_TURN: usize = 16;

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        sync::{Mutex, PoisonError},
        task::Waker,
    };

    use hyco_websocket::{Assembled, OpCode, Sink, Violation, append_frame};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        connection::{Batch, BufferPool, ConnectionOptions},
        dial::Upgraded,
        stream::Stream,
    };

    /// Notes whose messages come, in order.
    #[derive(Debug, Default)]
    struct Order(Mutex<Vec<u32>>);

    #[derive(Debug, Default)]
    struct Messages(usize);

    impl Sink for Messages {
        fn buffer(&mut self, capacity: usize) -> Vec<u8> {
            Vec::with_capacity(capacity)
        }
        fn message(&mut self, _text: bool, _at: std::ops::Range<usize>) {
            self.0 += 1;
        }
        fn large(&mut self, _text: bool, _message: Assembled) {
            self.0 += 1;
        }
        fn ping(&mut self, _at: std::ops::Range<usize>) {}
        fn pong(&mut self, _at: std::ops::Range<usize>) {}
        fn close(&mut self, _code: Option<u16>, _reason: std::ops::Range<usize>) {}
    }

    impl Batch for Messages {
        fn violation(&mut self, _violation: Violation) {}
        fn ended(&mut self) {}
    }

    impl Inbox for Order {
        type Batch = Messages;

        fn poll_lend<R>(
            &self,
            _waker: &Waker,
            connection: u32,
            need: usize,
            step: impl FnOnce(&mut [u8], &mut Messages) -> Poll<R>,
        ) -> Poll<R> {
            let mut batch = Messages::default();
            let outcome = step(&mut vec![0; need], &mut batch);
            let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            order.extend(std::iter::repeat_n(connection, batch.0));
            outcome
        }

        fn signal(&self, _connection: u32, _signal: Signal) {}
    }

    /// A connection whose peer sends so many messages of 1,000 bytes.
    async fn connection(
        id: u32,
        messages: usize,
        inbox: &Arc<Order>,
    ) -> impl Future<Output = ()> + use<> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = std::net::TcpStream::connect(address).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut frames = Vec::new();
        for _ in 0..messages {
            append_frame(&mut frames, true, OpCode::Binary, &[0; 1000], None);
        }
        // Its buffers may not hold all of it at once.
        std::thread::spawn(move || {
            let _ = peer.write_all(&frames);
            std::thread::park();
        });
        let upgraded = Upgraded {
            stream: Stream::Plain(stream),
            rest: Vec::new(),
            protocol: None,
            tracking_id: None,
            answer: None,
        };
        let options = ConnectionOptions {
            max_payload: 0,
            max_fragments: 0,
            validate_utf8: false,
        };
        let pool = Arc::<BufferPool>::default();
        Connection::new(id, upgraded, options, Arc::clone(inbox), pool).1
    }

    #[tokio::test]
    async fn a_busy_connection_lets_the_others_have_their_turn() {
        let inbox = Arc::<Order>::default();
        // 17 KiB a step and 16 steps a turn: less than a third of what the busy one has.
        let flood = connection(1, 1000, &inbox).await;
        let single = connection(2, 1, &inbox).await;
        tokio::spawn(flood);
        tokio::spawn(single);
        let all = || inbox.0.lock().unwrap().len() == 1001;
        while !all() {
            tokio::task::yield_now().await;
        }
        let order = inbox.0.lock().unwrap();
        let place = order.iter().position(|&id| id == 2).unwrap();
        assert!(place < 400, "after {place} messages of the busy one");
    }
}
