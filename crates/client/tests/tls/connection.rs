//! A connection over TLS, as its peer sees it.

use std::{
    ops::Range,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use hyco_client::{
    Stream, Upgraded,
    connection::{Batch, BufferPool, Connection, ConnectionOptions, Frame, Home, Inbox, Signal},
};
use hyco_websocket::{Assembled, OpCode, Sink, Violation};
use tokio::{io::AsyncReadExt, time::timeout};

use crate::{
    peer::{KINDS, Pair},
    stream::connect,
};

/// Takes no notice of anything.
#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }

    fn message(&mut self, _: bool, _: Range<usize>) {}
    fn large(&mut self, _: bool, _: Assembled) {}
    fn ping(&mut self, _: Range<usize>) {}
    fn pong(&mut self, _: Range<usize>) {}
    fn close(&mut self, _: Option<u16>, _: Range<usize>) {}
}

impl Batch for Deaf {
    fn violation(&mut self, _: Violation) {}
    fn ended(&mut self) {}
}

impl Inbox for Deaf {
    type Batch = Self;

    fn poll_lend<R>(
        &self,
        _: &Waker,
        _: u32,
        need: usize,
        step: impl FnOnce(&mut [u8], &mut Self) -> Poll<R>,
    ) -> Poll<R> {
        step(&mut vec![0; need], &mut Self)
    }

    fn signal(&self, _: u32, _: Signal) {}
}

impl Home for Deaf {
    type Stay = ();

    fn leaves_thread(&self, (): &mut (), _: usize) -> bool {
        false
    }
}

#[tokio::test]
async fn its_end_is_told_with_close_notify_behind_the_last_frame() {
    for kind in KINDS {
        let (client, mut server) = connect(&Pair::new(kind)).await;
        let upgraded = Upgraded::from(Stream::Tls(Box::new(client)));
        let options = ConnectionOptions::default();
        let pool = Arc::new(BufferPool::default());
        let (connection, driver) = Connection::new(1, upgraded, options, Arc::new(Deaf), pool);
        let driving = tokio::spawn(driver.on_thread());
        connection.append([Frame {
            fin: true,
            opcode: OpCode::Ping,
            payload: b"last",
            mask: None,
            acknowledge: false,
        }]);
        connection.end();
        let mut all = Vec::new();
        // An end of TCP without it is an error here.
        let read = timeout(PATIENCE, server.read_to_end(&mut all)).await;
        read.expect("no end").unwrap();
        assert_eq!(all, b"\x89\x04last");
        driving.abort();
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
