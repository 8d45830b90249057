//! What reads a connection and finishes its writes. It lives in one home at a time.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use super::{
    Connection, Inbox, Pumped, Signal,
    reader::{Reader, Step},
    registration::{Readiness, Registration},
};

/// Owns the reading side of a connection; shares the writing side with its owner.
pub struct Driver<I: Inbox> {
    id: u32,
    reader: Reader,
    report: Report<I>,
    ended: bool,
    finished: bool,
}

/// Reports [`Signal::Closed`] however the driver ends, be it by a panic.
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

impl<I: Inbox> fmt::Debug for Driver<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("id", &self.id)
            .field("ended", &self.ended)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

impl<I: Inbox> Driver<I> {
    pub(super) fn new(id: u32, connection: Arc<Connection>, reader: Reader, inbox: Arc<I>) -> Self {
        let report = Report {
            id,
            connection,
            inbox,
        };
        Self {
            id,
            reader,
            report,
            ended: false,
            finished: false,
        }
    }

    /// Drives the connection on the I/O thread until the socket is gone.
    pub fn on_thread(self) -> OnThread<I> {
        OnThread {
            driver: Some(self),
            registration: None,
        }
    }

    fn turn<R: Readiness>(
        &mut self,
        cx: &mut Context<'_>,
        readiness: &mut R,
    ) -> Poll<io::Result<()>> {
        self.report.connection.driver.register(cx.waker());
        if self.report.connection.destroyed.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        self.write(cx, readiness)?;
        for _ in 0..R::STEPS {
            if self.ended || self.report.connection.paused.load(Ordering::Acquire) {
                return self.rest();
            }
            let step = self.reader.poll_step(
                cx,
                self.id,
                readiness,
                &self.report.connection,
                self.report.inbox.as_ref(),
            );
            match step {
                Poll::Ready(Ok(step)) => {
                    // Only this driver writes it.
                    let count = &self.report.connection.read_count;
                    count.store(
                        count.load(Ordering::Relaxed).wrapping_add(1),
                        Ordering::Relaxed,
                    );
                    self.ended = step == Step::Ended;
                }
                Poll::Ready(Err(error)) => {
                    // An alert tells the peer what was wrong with its record.
                    self.write(cx, readiness)?;
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    // What TLS had to answer may have been encrypted while reading.
                    self.write(cx, readiness)?;
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

    /// Writes until the outbox is empty or the socket is full, which wakes the driver later.
    fn write(&mut self, cx: &mut Context<'_>, readiness: &mut impl Readiness) -> io::Result<()> {
        if self.finished {
            return Ok(());
        }
        let connection = &self.report.connection;
        let mut writer = connection.writer()?;
        let blocked = writer.is_blocked();
        let mut pump = || {
            let (outcome, acknowledged) = writer.pump(&connection.socket, &connection.outbox);
            if acknowledged > 0 {
                self.report
                    .inbox
                    .signal(self.id, Signal::Acknowledged(acknowledged));
            }
            outcome
        };
        let mut pumped = if blocked { Pumped::Blocked } else { pump()? };
        if pumped == Pumped::Blocked {
            match readiness.poll_write(cx, pump) {
                Poll::Ready(outcome) => pumped = outcome?,
                Poll::Pending => return Ok(()),
            }
        }
        if pumped == Pumped::Finished {
            self.finished = true;
            self.report.inbox.signal(self.id, Signal::Finished);
        }
        Ok(())
    }
}

/// A driver at home on the I/O thread.
#[derive(Debug)]
pub struct OnThread<I: Inbox> {
    driver: Option<Driver<I>>,
    /// None before the first turn, since only the I/O thread can register.
    registration: Option<Registration>,
}

// By hand, since an async block would hold the driver twice.
impl<I: Inbox> Future for OnThread<I> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // An error of the socket ends it like its close: the owner sees 1006, as with `ws`.
        if let Err(error) = ready!(self.turn(cx)) {
            tracing::debug!(%error, "a connection was lost");
        }
        self.driver = None;
        Poll::Ready(())
    }
}

impl<I: Inbox> OnThread<I> {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(Ok(()));
        };
        let registration = match &mut self.registration {
            Some(registration) => registration,
            none => none.insert(Registration::new(&driver.report.connection)?),
        };
        driver.turn(cx, registration)
    }
}
