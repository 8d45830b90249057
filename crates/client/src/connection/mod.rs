//! The data plane of one relayed WebSocket: frames in, frames out.
//!
//! A connection is a framed socket. It parses what arrives where it lies, hands records to an
//! [`Inbox`], and writes masked frames from its outbox. It knows nothing of the closing
//! handshake: the owner sends close frames, ends and destroys, as `ws` does with a TCP socket.
//!
//! | who | does |
//! |---|---|
//! | the connection's [`Driver`] | reads, decrypts, decodes; writes what could not be written at once |
//! | the owner (any thread) | appends frames; writes small ones at once while nothing is queued |
//!
//! Locks are taken in the order writer, outbox. The writer holds the TLS session, since records
//! must leave in the order in which they were encrypted.

mod driver;
mod outbox;
mod pool;
mod reader;
mod registration;
mod socket;
mod writer;

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Poll, Waker},
};

use atomic_waker::AtomicWaker;
use hyco_websocket::{DecoderConfig, OpCode, Sink, Violation};

pub use self::{
    driver::{Driver, OnThread, Rest},
    pool::BufferPool,
};
use self::{outbox::Outbox, reader::Reader, socket::Socket, writer::Writer};
use crate::{dial::Upgraded, stream::Stream};

/// Where connections put what they receive. One serves all connections of an I/O thread.
pub trait Inbox: Send + Sync + 'static {
    /// What one read step collects.
    type Batch: Batch;

    /// Lends at least `need` bytes of space for one read step of `connection` and takes what the
    /// step collected; the bytes in which records lie stay as they are.
    ///
    /// `Pending` when the step is, or when the owner has not yet taken what was delivered before:
    /// then `waker` is woken when there is space again. This is the back pressure of receiving.
    fn poll_lend<R>(
        &self,
        waker: &Waker,
        connection: u32,
        need: usize,
        step: impl FnOnce(&mut [u8], &mut Self::Batch) -> Poll<R>,
    ) -> Poll<R>;

    /// Reports something that carries no bytes.
    fn signal(&self, connection: u32, signal: Signal);
}

/// Where drivers live on the I/O thread, and who decides when they leave it.
pub trait Home: Inbox {
    /// What is remembered of one connection for that.
    type Stay: fmt::Debug + Default + Send + Unpin;

    /// Whether a driver leaves the I/O thread, after a turn that has read all that had come: `bytes`.
    fn leaves_thread(&self, stay: &mut Self::Stay, bytes: usize) -> bool;
}

/// What a read step collects: the decoder's records, and how the stream ended.
pub trait Batch: Sink {
    /// The peer broke the protocol; nothing further is read from it.
    fn violation(&mut self, violation: Violation);

    /// The peer has finished sending.
    fn ended(&mut self);
}

/// What a connection reports beside the records it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// So many frames that wanted to be acknowledged were written.
    Acknowledged(u32),
    /// Everything was written and the sending side is shut: the answer to [`Connection::end`].
    Finished,
    /// The socket is gone. The last thing that a connection reports.
    Closed,
}

/// How a connection reads.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    /// The largest message in bytes; 0 means no limit.
    pub max_payload: u64,
    /// The most fragments that one message may have; 0 means no limit.
    pub max_fragments: u32,
    /// Text messages and close reasons are checked to be UTF-8.
    pub validate_utf8: bool,
}

impl Default for ConnectionOptions {
    /// Messages of any length and number of fragments, whose text is checked.
    fn default() -> Self {
        Self {
            max_payload: 0,
            max_fragments: 0,
            validate_utf8: true,
        }
    }
}

/// The owner's handle of one open socket.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    writer: Mutex<Writer>,
    outbox: Mutex<Outbox>,
    driver: AtomicWaker,
    paused: AtomicBool,
    destroyed: AtomicBool,
    /// A close frame was appended.
    closing: AtomicBool,
    /// Read steps that brought bytes.
    read_count: AtomicU32,
    /// How often the socket took more after it had been full. Whoever holds the writer counts.
    drain_count: AtomicU32,
}

impl Connection {
    /// Takes over a stream after its handshake. The driver reads and writes until the socket is
    /// gone, then reports [`Signal::Closed`].
    pub fn new<I: Home>(
        id: u32,
        upgraded: Upgraded,
        options: ConnectionOptions,
        inbox: Arc<I>,
        pool: Arc<BufferPool>,
    ) -> (Arc<Self>, Driver<I>) {
        let config = DecoderConfig {
            max_payload: options.max_payload,
            max_fragments: options.max_fragments,
            validate_utf8: options.validate_utf8,
            masked: false,
            large: LARGE_MESSAGE,
        };
        let (tcp, writer, reader) = match upgraded.stream {
            Stream::Plain(tcp) => (
                tcp,
                Writer::plain(),
                Reader::new(config, false, upgraded.rest, &[]),
            ),
            Stream::Tls(tls) => {
                let parts = tls.into_parts();
                let mut plain = upgraded.rest;
                plain.extend_from_slice(&parts.plain);
                (
                    parts.tcp,
                    Writer::tls(parts.session, parts.outgoing, Arc::clone(&pool)),
                    Reader::new(config, true, plain, &parts.cipher),
                )
            }
        };
        let (socket, dialled) = Socket::new(tcp);
        let connection = Arc::new(Self {
            socket,
            writer: Mutex::new(writer),
            outbox: Mutex::new(Outbox::new(pool)),
            driver: AtomicWaker::new(),
            paused: AtomicBool::new(false),
            destroyed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            read_count: AtomicU32::new(0),
            drain_count: AtomicU32::new(0),
        });
        let driver = Driver::new(id, Arc::clone(&connection), reader, inbox, dialled);
        (connection, driver)
    }

    /// Appends frames; `flush` starts to write them. Payloads are copied.
    ///
    /// A frame that is to be acknowledged counts in [`Signal::Acknowledged`], or in what
    /// [`Self::flush`] returns, when it has been handed to the operating system.
    ///
    /// Returns whether nothing waited before: then nobody writes until `flush` or `write_out`.
    pub fn append<'a>(&self, frames: impl IntoIterator<Item = Frame<'a>>) -> bool {
        let mut outbox = self.outbox();
        let was_empty = outbox.is_empty();
        for frame in frames {
            if frame.opcode == OpCode::Close {
                self.closing.store(true, Ordering::Relaxed);
            }
            outbox.append(&frame);
        }
        was_empty
    }

    /// Starts to write what was appended: at once when little is queued and nothing waits before
    /// it, else by the connection's driver. Returns how many frames it has to acknowledge now.
    pub fn flush(&self) -> u32 {
        let small = {
            let outbox = self.outbox();
            if outbox.is_empty() {
                return 0;
            }
            outbox.len() <= INLINE_WRITE
        };
        if small {
            // A writer in use belongs to the driver, which goes on until the outbox is empty.
            match self.writer.try_lock() {
                Ok(mut writer) => {
                    if !writer.is_blocked() {
                        return self.flush_now(&mut writer);
                    }
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => self.destroy(),
            }
        }
        self.driver.wake();
        0
    }

    /// Writes what was appended, however much it is. For the I/O thread, which alone may call
    /// this; returns how many frames it has to acknowledge, or 0 when the connection is gone.
    pub fn write_out(&self) -> u32 {
        if self.destroyed.load(Ordering::Acquire) {
            return 0;
        }
        match self.writer.try_lock() {
            Ok(mut writer) if !writer.is_blocked() => self.flush_now(&mut writer),
            Ok(_) => 0,
            Err(_) => {
                self.driver.wake();
                0
            }
        }
    }

    /// As [`Self::write_out`], also where the socket took no more when it was tried last.
    pub fn write_on(&self) -> u32 {
        if self.destroyed.load(Ordering::Acquire) {
            return 0;
        }
        match self.writer.try_lock() {
            Ok(mut writer) if writer.is_blocked() => self.flush_now(&mut writer),
            _ => 0,
        }
    }

    fn flush_now(&self, writer: &mut Writer) -> u32 {
        let (outcome, acknowledged) = self.pump(writer);
        if !matches!(outcome, Ok(Pumped::Idle)) {
            self.driver.wake();
        }
        acknowledged
    }

    /// Writes as much as the socket takes; see [`Writer::pump`].
    fn pump(&self, writer: &mut Writer) -> (io::Result<Pumped>, u32) {
        let sent = writer.is_blocked().then(|| writer.sent());
        let pumped = writer.pump(&self.socket, &self.outbox);
        // Before a full socket takes more, the other end must have received something.
        if sent.is_some_and(|sent| sent != writer.sent()) {
            let count = &self.drain_count;
            count.store(
                count.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Relaxed,
            );
        }
        pumped
    }

    /// Bytes appended and not yet handed to the operating system, frame headers included.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbox().unwritten()
    }

    /// A number that grows with every sign of life of the other end: something was read, or a full
    /// socket took more.
    #[must_use]
    pub fn signs_of_life(&self) -> u32 {
        let [read, drained] =
            [&self.read_count, &self.drain_count].map(|count| count.load(Ordering::Relaxed));
        read.wrapping_add(drained)
    }

    /// Whether a close frame was appended, or the connection destroyed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed) || self.destroyed.load(Ordering::Acquire)
    }

    /// Whether bytes have arrived that were not read, because reading is paused or held up.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.socket.has_unread()
    }

    /// Stops reading. What was read before may still be delivered.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::Release);
    }

    /// Reads again.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::Release);
        self.driver.wake();
    }

    /// Writes what is queued, then shuts the sending side; reports [`Signal::Finished`]. The
    /// socket is gone when the peer has finished too.
    pub fn end(&self) {
        self.outbox().end();
        self.driver.wake();
    }

    /// Drops the socket and everything queued.
    pub fn destroy(&self) {
        self.destroyed.store(true, Ordering::Release);
        self.driver.wake();
    }

    /// Whether more waits than the owner's thread should encrypt and write.
    fn has_much_to_write(&self) -> bool {
        self.outbox().len() > INLINE_WRITE
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> io::Result<MutexGuard<'_, Writer>> {
        self.writer
            .lock()
            .map_err(|_| io::Error::other("writing panicked"))
    }
}

/// One frame to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The last frame of its message.
    pub fin: bool,
    /// What the frame carries.
    pub opcode: OpCode,
    /// Its bytes, unmasked.
    pub payload: &'a [u8],
    /// The masking key; `None` sends the frame unmasked, which a relay refuses.
    pub mask: Option<[u8; 4]>,
    /// The owner wants to know when it was written.
    pub acknowledge: bool,
}

/// How far a pump came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pumped {
    /// The outbox is empty and all of it was written.
    Idle,
    /// The operating system takes no more at the moment.
    Blocked,
    /// All was written and the sending side is shut.
    Finished,
}

/// Payloads from here on are assembled in a buffer of their own instead of the shared space:
/// below it copying costs less than the external buffer that carries them to JavaScript.
const LARGE_MESSAGE: usize = 32 * 1024;

/// Up to here a flush is written by the calling thread: it saves a hand-over to the I/O thread
/// (27 % of an echo), while above it the caller would wait for copying and encryption.
const INLINE_WRITE: usize = 16 * 1024;
