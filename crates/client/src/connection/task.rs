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
