//! What reads a connection and finishes its writes. It lives in one home at a time.

use std::{
    fmt, io,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker, ready},
};

use tokio::task::yield_now;

use super::{
    Connection, Home, Inbox, Pumped, Signal,
    reader::{LARGEST_READ, Reader, Step},
    registration::{OnLoop, Progress, Readiness, Registration},
};

/// What a driver wants after a turn on an event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// To read when something has come.
    Readable,
    /// Nothing until its waker is woken.
    Held,
    /// To go to the I/O thread, which alone can do what is to be done.
    Thread,
    /// Nothing any more: the socket is gone.
    Gone,
}

/// How a turn went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// All is done that can be.
    Done,
    /// There may be more to read.
    More,
    /// The connection is over.
    Over,
}

/// Owns the reading side of a connection; shares the writing side with its owner.
pub struct Driver<I: Home> {
    id: u32,
    reader: Reader,
    report: Report<I>,
    stay: I::Stay,
    /// The registration of its dial, with which it begins on the I/O thread.
    dialled: Option<Registration>,
    ended: bool,
    finished: bool,
}

/// Reports [`Signal::Closed`] however the driver ends, even by a panic.
struct Report<I: Home> {
    id: u32,
    connection: Arc<Connection>,
    inbox: Arc<I>,
}

impl<I: Home> Drop for Report<I> {
    fn drop(&mut self) {
        // Nothing is acknowledged after this.
        self.connection.destroyed.store(true, Ordering::Release);
        self.inbox.signal(self.id, Signal::Closed);
    }
}

impl<I: Home> fmt::Debug for Driver<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("id", &self.id)
            .field("ended", &self.ended)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

impl<I: Home> Driver<I> {
    pub(super) fn new(
        id: u32,
        connection: Arc<Connection>,
        reader: Reader,
        inbox: Arc<I>,
        dialled: Option<Registration>,
    ) -> Self {
        let report = Report {
            id,
            connection,
            inbox,
        };
        Self {
            id,
            reader,
            report,
            stay: I::Stay::default(),
            dialled,
            ended: false,
            finished: false,
        }
    }

    /// The number of its connection.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The descriptor of its socket; -1 where only the I/O thread can watch one. It is good as long
    /// as the driver lives.
    #[must_use]
    pub fn descriptor(&self) -> i32 {
        self.report.connection.socket.descriptor()
    }

    /// What the home remembers of it.
    pub fn stay(&mut self) -> &mut I::Stay {
        &mut self.stay
    }

    /// Drives the connection on the I/O thread: gives the driver back when it leaves that, or `None`
    /// when the socket is gone.
    pub fn on_thread(mut self) -> OnThread<I> {
        OnThread {
            inbox: Arc::clone(&self.report.inbox),
            registration: self.dialled.take(),
            driver: Some(self),
        }
    }

    /// A turn on an event loop, which does what was asked of the connection and reads nothing. It is
    /// due when the driver has come and whenever `waker` was woken.
    pub fn tend_on_loop(&mut self, waker: &Waker, inbox: &impl Inbox) -> Rest {
        if self.report.connection.has_much_to_write() {
            return Rest::Thread;
        }
        let mut readiness = OnLoop::new(false);
        let turn = self.tend(&mut Context::from_waker(waker), &mut readiness, inbox);
        self.rest_on_loop(turn, *readiness.progress())
    }

    /// A turn on an event loop, which says that there is something to read. Returns how many bytes
    /// were read, too.
    pub fn read_on_loop(&mut self, waker: &Waker, inbox: &impl Inbox) -> (Rest, usize) {
        let mut readiness = OnLoop::new(true);
        let turn = self.read(&mut Context::from_waker(waker), &mut readiness, inbox);
        let progress = *readiness.progress();
        (self.rest_on_loop(turn, progress), progress.bytes)
    }

    fn rest_on_loop(&self, turn: io::Result<Turn>, progress: Progress) -> Rest {
        let held = self.ended || self.report.connection.paused.load(Ordering::Acquire);
        match turn {
            Ok(Turn::Over) => Rest::Gone,
            Err(error) => {
                tracing::debug!(%error, "a connection was lost");
                Rest::Gone
            }
            Ok(_) if progress.blocked => Rest::Thread,
            Ok(_) if held => Rest::Held,
            Ok(Turn::More) => Rest::Readable,
            Ok(Turn::Done) if progress.drained => Rest::Readable,
            // The inbox lends no space. Those that wait for it have their turns there.
            Ok(Turn::Done) => Rest::Thread,
        }
    }

    /// Does what was asked of the connection.
    fn tend(
        &mut self,
        cx: &mut Context<'_>,
        readiness: &mut impl Readiness,
        inbox: &impl Inbox,
    ) -> io::Result<Turn> {
        self.report.connection.driver.register(cx.waker());
        if self.report.connection.destroyed.load(Ordering::Acquire) {
            return Ok(Turn::Over);
        }
        self.write(cx, readiness, inbox)?;
        Ok(self.rest())
    }

    fn read<R: Readiness>(
        &mut self,
        cx: &mut Context<'_>,
        readiness: &mut R,
        inbox: &impl Inbox,
    ) -> io::Result<Turn> {
        for _ in 0..R::STEPS {
            if self.ended || self.report.connection.paused.load(Ordering::Acquire) {
                return Ok(self.rest());
            }
            let step = if readiness.is_drained() {
                Poll::Pending
            } else {
                let connection = &self.report.connection;
                self.reader
                    .poll_step(cx, self.id, readiness, connection, inbox)
            };
            match step {
                Poll::Ready(Ok(step)) => {
                    // Only this driver writes it.
                    let count = &self.report.connection.read_count;
                    count.store(
                        count.load(Ordering::Relaxed).wrapping_add(1),
                        Ordering::Relaxed,
                    );
                    self.ended = step == Step::Ended;
                    if readiness.progress().bytes >= BYTES_A_TURN {
                        return Ok(Turn::More);
                    }
                }
                Poll::Ready(Err(error)) => {
                    // An alert tells the peer what was wrong with its record.
                    self.write(cx, readiness, inbox)?;
                    return Err(error);
                }
                Poll::Pending => {
                    // TLS may have had to answer.
                    if self.reader.is_secure() {
                        self.write(cx, readiness, inbox)?;
                    }
                    return Ok(self.rest());
                }
            }
        }
        Ok(Turn::More)
    }

    fn rest(&self) -> Turn {
        if self.ended && self.finished {
            Turn::Over
        } else {
            Turn::Done
        }
    }

    /// Writes until the outbox is empty or the socket is full, which wakes the driver later.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        readiness: &mut impl Readiness,
        inbox: &impl Inbox,
    ) -> io::Result<()> {
        if self.finished {
            return Ok(());
        }
        let connection = &self.report.connection;
        let mut writer = connection.writer()?;
        let blocked = writer.is_blocked();
        let mut pump = || {
            let (outcome, acknowledged) = connection.pump(&mut writer);
            if acknowledged > 0 {
                inbox.signal(self.id, Signal::Acknowledged(acknowledged));
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
            inbox.signal(self.id, Signal::Finished);
        }
        Ok(())
    }
}

/// A driver at home on the I/O thread.
#[derive(Debug)]
pub struct OnThread<I: Home> {
    driver: Option<Driver<I>>,
    inbox: Arc<I>,
    /// None before the first turn of one that comes from elsewhere, since only the I/O thread can
    /// register.
    registration: Option<Registration>,
}

// By hand, since an async block would hold the driver twice.
impl<I: Home> Future for OnThread<I> {
    type Output = Option<Driver<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Driver<I>>> {
        match ready!(self.turn(cx)) {
            Ok(Leave::Loop) => {
                // Taken off the poller before it lives elsewhere.
                self.registration = None;
                return Poll::Ready(self.driver.take());
            }
            Ok(Leave::Over) => {}
            // An error of the socket ends it like its close: the owner sees 1006, as with `ws`.
            Err(error) => tracing::debug!(%error, "a connection was lost"),
        }
        self.driver = None;
        Poll::Ready(None)
    }
}

enum Leave {
    Loop,
    Over,
}

impl<I: Home> OnThread<I> {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Leave>> {
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(Ok(Leave::Over));
        };
        let registration = match &mut self.registration {
            Some(registration) => registration,
            none => none.insert(Registration::new(&driver.report.connection)?),
        };
        *registration.progress() = Progress::default();
        let inbox = self.inbox.as_ref();
        let mut turn = driver.tend(cx, registration, inbox)?;
        if turn == Turn::Done {
            turn = driver.read(cx, registration, inbox)?;
        }
        match turn {
            Turn::Over => return Poll::Ready(Ok(Leave::Over)),
            Turn::More => wake_after_others(cx),
            Turn::Done => {
                let progress = *registration.progress();
                let calm = progress.bytes > 0 && progress.drained && !progress.blocked;
                if calm && inbox.leaves_thread(&mut driver.stay, progress.bytes) {
                    return Poll::Ready(Ok(Leave::Loop));
                }
            }
        }
        Poll::Pending
    }
}

/// Gives a task its next turn when all that is ready has had one, and all that has become ready meanwhile.
/// tokio prefers a task that wakes itself to those that another thread has woken, 30 times to one: when
/// connections wait for JavaScript to make room, those with more to read filled it again and again.
fn wake_after_others(cx: &mut Context<'_>) {
    // It is ready at once only where no runtime is.
    if pin!(yield_now()).poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}

/// From so many bytes on, other connections have their turns. The kernel holds several MiB for a peer
/// that sends much, and a tenth of that for one whose messages have found little room so far. Turns
/// counted in reads alone gave the bytes to the first: pings of the others waited behind their own
/// messages for a minute.
const BYTES_A_TURN: usize = LARGEST_READ;
