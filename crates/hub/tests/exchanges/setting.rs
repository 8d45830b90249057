//! Exchanges, their gateway, and what JavaScript says and is told.

use std::{
    io,
    sync::Arc,
    task::{Context, Waker},
};

use hyco_client::http::{RequestInfo, Service as _, Transport};
use hyco_hub::{Exchanges, Gateway, HubInbox, Queue, Slab, kind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    runtime::{Builder, Runtime},
    task::yield_now,
};

pub(crate) const LINK: u32 = 7;

pub(crate) const WRITE: u32 = 1;
pub(crate) const CONSUMED: u32 = 2;
pub(crate) const FINISH: u32 = 3;
pub(crate) const DESTROY: u32 = 4;
pub(crate) const THREW: u32 = 5;
pub(crate) const NOT_SERVED: u32 = 6;

pub(crate) const TAKEN: u32 = 1;
pub(crate) const ENDED: u32 = 2;
pub(crate) const CLOSED: u32 = 3;

/// The number of an exchange, a kind, and a value or the bytes of a write.
pub(crate) type Command<'a> = (u32, u32, Result<u32, &'a [u8]>);

pub(crate) struct Setting {
    pub(crate) runtime: Runtime,
    pub(crate) inbox: Arc<HubInbox>,
    pub(crate) exchanges: Arc<Exchanges>,
    pub(crate) gateway: Gateway,
}

/// What JavaScript is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Message(Vec<u8>),
    Signal {
        exchange: u32,
        signal: u32,
        value: u32,
    },
}

impl Setting {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let (inbox, exchanges) = (HubInbox::new(), Arc::new(Exchanges::default()));
        let gateway = Gateway::new(Arc::clone(&exchanges), Arc::clone(&inbox), LINK);
        runtime.spawn(Arc::clone(&exchanges).attend());
        Self {
            runtime,
            inbox,
            exchanges,
            gateway,
        }
    }

    pub(crate) fn open(&self, info: RequestInfo) -> Box<dyn Transport> {
        self.runtime
            .block_on(self.gateway.open(info))
            .expect("a pipe")
    }

    /// What JavaScript says in one turn.
    pub(crate) fn say(&self, commands: &[Command<'_>]) {
        let mut ring = Vec::new();
        for &(number, kind, value) in commands {
            let length = value.unwrap_or_else(|bytes| bytes.len() as u32);
            ring.extend_from_slice(&number.to_ne_bytes());
            ring.extend_from_slice(&(kind << 28 | length).to_ne_bytes());
            if let Err(bytes) = value {
                ring.extend_from_slice(bytes);
                ring.resize(ring.len().next_multiple_of(4), 0xee);
            }
        }
        self.exchanges.say(&ring, &self.inbox);
        self.settle();
    }

    /// Lets the I/O thread do what is left to it.
    pub(crate) fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..4 {
                yield_now().await;
            }
        });
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        let queue = self.inbox.take(Queue::default());
        let told = queue.records.iter().map(|record| {
            assert_eq!(record.connection, LINK);
            if record.kind() == kind::EXCHANGE {
                let (signal, value) = (record.length >> 28, record.length & 0x0fff_ffff);
                let exchange = record.offset;
                return Told::Signal {
                    exchange,
                    signal,
                    value,
                };
            }
            if record.kind() == kind::LARGE_BINARY {
                return Told::Message(queue.large[record.offset as usize].clone());
            }
            assert_eq!(record.kind(), kind::BINARY);
            let range = record.range().expect("bytes");
            let mut bytes = vec![0; range.len()];
            let slab: &Slab = &queue.slabs[record.slab()];
            slab.copy(&range, &mut bytes);
            Told::Message(bytes)
        });
        told.collect()
    }

    pub(crate) fn write(&self, pipe: &mut Box<dyn Transport>, bytes: &[u8]) {
        self.runtime.block_on(pipe.write_all(bytes)).expect("room");
    }

    pub(crate) fn read(&self, pipe: &mut Box<dyn Transport>, most: usize) -> io::Result<Vec<u8>> {
        let mut space = vec![0; most];
        let count = self.runtime.block_on(pipe.read(&mut space))?;
        space.truncate(count);
        Ok(space)
    }
}

pub(crate) fn would_wait_to_read(pipe: &mut Box<dyn Transport>) -> bool {
    let mut space = [0; 8];
    let mut space = ReadBuf::new(&mut space);
    let mut cx = Context::from_waker(Waker::noop());
    std::pin::Pin::new(pipe)
        .poll_read(&mut cx, &mut space)
        .is_pending()
}

pub(crate) fn would_wait_to_write(pipe: &mut Box<dyn Transport>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    std::pin::Pin::new(pipe)
        .poll_write(&mut cx, b"x")
        .is_pending()
}
