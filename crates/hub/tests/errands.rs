//! Whatever is left to the I/O thread is done, whoever leaves it and whenever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use hyco_client::{
    Stream, Tcp, Upgraded,
    connection::{BufferPool, Connection, ConnectionOptions, Frame},
};
use hyco_hub::{Errands, HubInbox, IoThread};
use hyco_log::Log;
use hyco_websocket::OpCode;
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::timeout,
};

#[test]
fn every_task_runs_that_was_left_before_and_while_the_list_is_attended() {
    const BEFORE: usize = 10;
    const EACH: usize = 2000;
    const THREADS: usize = 3;
    let (errands, inbox) = (Arc::new(Errands::default()), HubInbox::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let (all, done) = mpsc::channel();
    let leave = {
        let (errands, ran) = (Arc::clone(&errands), Arc::clone(&ran));
        move || {
            let (ran, all) = (Arc::clone(&ran), all.clone());
            errands.run(Box::pin(async move {
                if ran.fetch_add(1, Ordering::Relaxed) + 1 == BEFORE + THREADS * EACH {
                    all.send(()).unwrap();
                }
            }));
        }
    };
    for _ in 0..BEFORE {
        leave();
    }
    let io = IoThread::start(Log::new(drop), || {}).unwrap();
    io.handle().spawn(Arc::clone(&errands).attend(inbox));
    let givers: Vec<_> = (0..THREADS)
        .map(|_| {
            let leave = leave.clone();
            thread::spawn(move || {
                for count in 0..EACH {
                    leave();
                    // Now and then the I/O thread has emptied the list and waits again.
                    if count % 100 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    for giver in givers {
        giver.join().unwrap();
    }
    done.recv_timeout(Duration::from_secs(60))
        .expect("a task that never ran");
}

#[test]
fn a_task_that_panics_takes_no_other_one_with_it() {
    let (errands, inbox) = (Arc::new(Errands::default()), HubInbox::new());
    let io = IoThread::start(Log::new(drop), || {}).unwrap();
    io.handle().spawn(Arc::clone(&errands).attend(inbox));
    let (ran, done) = mpsc::channel();
    errands.run(Box::pin(async { panic!("on purpose") }));
    errands.run(Box::pin(async move { ran.send(()).unwrap() }));
    done.recv_timeout(Duration::from_secs(60))
        .expect("a task that never ran");
}

/// A connection that the I/O thread drives, and the socket at its other end.
async fn connection(inbox: &Arc<HubInbox>) -> (Arc<Connection>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (own, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let upgraded = Upgraded::from(Stream::Plain(
        Tcp::adopt(own.expect("a connection")).expect("a socket"),
    ));
    let options = ConnectionOptions::default();
    let pool = Arc::new(BufferPool::default());
    let (connection, driver) = Connection::new(1, upgraded, options, Arc::clone(inbox), pool);
    tokio::spawn(driver.on_thread());
    (connection, accepted.expect("a connection").0)
}

#[tokio::test]
async fn very_many_connections_are_written_to_in_several_turns() {
    let (errands, inbox) = (Arc::new(Errands::default()), HubInbox::new());
    let (first, _first) = connection(&inbox).await;
    let (last, _last) = connection(&inbox).await;
    tokio::spawn(Arc::clone(&errands).attend(inbox));
    for _ in 0..20 {
        yield_now().await;
    }
    last.append([Frame {
        fin: true,
        opcode: OpCode::Ping,
        payload: &[],
        mask: None,
        acknowledge: false,
    }]);
    let others = (0..4000).map(|_| (1, Arc::clone(&first)));
    errands.write(others.chain([(2, Arc::clone(&last))]));
    let mut turns = 0;
    let written = async {
        while last.buffered() > 0 {
            turns += 1;
            yield_now().await;
        }
    };
    let written = timeout(Duration::from_secs(60), written).await;
    written.expect("what was left is never done");
    assert!(turns >= 3, "{turns}");
}
