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

use hyco_hub::{Errands, HubInbox, IoThread};
use hyco_log::Log;

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
