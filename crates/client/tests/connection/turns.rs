//! How much a connection reads before others have their turns.

use std::{
    future::{Future, poll_fn},
    io::Write,
    pin::pin,
    sync::Arc,
    task::Poll,
    thread,
};

use tokio::{
    io::AsyncWriteExt, net::TcpStream, runtime::Handle, sync::oneshot, task::yield_now,
    time::timeout,
};

use super::{Counting, PATIENCE, SPACE, adopt, messages, open, pair};

#[tokio::test]
async fn a_connection_that_has_much_to_read_takes_it_in_many_turns() {
    const MESSAGES: usize = 1000;
    let (_connection, driver, inbox, mut peer) = open().await;
    peer.write_all(&messages(MESSAGES)).await.unwrap();
    let mut driving = pin!(driver.on_thread());
    let (mut turns, mut most) = (0, 0);
    let reading = async {
        while inbox.messages() < MESSAGES {
            let before = inbox.steps();
            poll_fn(|cx| {
                assert!(driving.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            let steps = inbox.steps() - before;
            turns += usize::from(steps > 0);
            most = most.max(steps);
            yield_now().await;
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    // 64,000 bytes take 63 steps at least.
    assert!(inbox.steps() > 60);
    assert!(most <= 16, "{most} steps in one turn");
    assert!(turns >= 4, "{turns}");
}

/// How much a connection reads in its first turns when the kernel holds as much as it may of `sent`.
async fn read_in_turns(sent: Vec<u8>) -> Vec<usize> {
    let (own, mut peer) = pair(Some(4 * 1024 * 1024)).await;
    let own = own.into_std().unwrap();
    let beside = own.try_clone().unwrap();
    let (_connection, driver, _inbox) = adopt(TcpStream::from_std(own).unwrap(), 120 * 1024);
    let sending = tokio::spawn(async move { peer.write_all(&sent).await });
    let mut room = vec![0; 16 * 1024 * 1024];
    let mut waiting = move || beside.peek(&mut room).unwrap_or(0);
    // All that finds room has come when no more comes.
    let (mut before, mut still) = (0, 0);
    while still < 100 {
        yield_now().await;
        let now = waiting();
        still = if now > before {
            0
        } else {
            still + usize::from(now > 0)
        };
        before = now;
    }
    sending.abort();
    let _ = sending.await;
    let mut driving = pin!(driver.on_thread());
    let mut turns = Vec::new();
    while before > 0 {
        poll_fn(|cx| {
            let _ = driving.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        yield_now().await;
        let now = waiting();
        turns.extend((now < before).then(|| before - now));
        before = now;
    }
    turns
}

#[tokio::test]
async fn a_turn_reads_little_however_much_the_kernel_holds() {
    const MOST: usize = 256 * 1024;
    let mut large = vec![0x82, 127];
    large.extend((8_u64 << 20).to_be_bytes());
    large.resize(8 << 20, 7);
    for sent in [messages(1 << 17), large] {
        let turns = timeout(PATIENCE, read_in_turns(sent)).await.unwrap();
        assert!(
            turns.iter().sum::<usize>() > MOST,
            "too little has come: {turns:?}"
        );
        assert!(turns.iter().all(|&bytes| bytes <= MOST), "{turns:?}");
    }
}

/// How many steps a connection reads before a task has its turn that another thread has spawned.
async fn steps_before_another(inbox: Arc<Counting>) -> usize {
    let handle = Handle::current();
    let (tell, told) = oneshot::channel();
    let other = Arc::clone(&inbox);
    let spawning = thread::spawn(move || {
        handle.spawn(async move { tell.send(other.steps()) });
    });
    // Nothing else has a turn meanwhile.
    spawning.join().unwrap();
    let before = inbox.steps();
    told.await.unwrap() - before
}

#[tokio::test]
async fn a_connection_with_more_to_read_has_its_next_turn_after_what_another_thread_has_woken() {
    let (own, peer) = pair(None).await;
    let mut peer = peer.into_std().unwrap();
    peer.set_nonblocking(false).unwrap();
    let flooding = thread::spawn(move || while peer.write_all(&messages(1000)).is_ok() {});
    let (connection, driver, inbox) = adopt(own, SPACE);
    let driving = tokio::spawn(driver.on_thread());
    let mut most = 0;
    for _ in 0..200 {
        let counting = tokio::spawn(steps_before_another(Arc::clone(&inbox)));
        most = most.max(timeout(PATIENCE, counting).await.unwrap().unwrap());
    }
    connection.destroy();
    drop(connection);
    timeout(PATIENCE, driving).await.unwrap().unwrap();
    flooding.join().unwrap();
    assert!(inbox.steps() > 16, "nothing has come");
    assert!(most <= 16, "{most}");
}

#[tokio::test]
async fn a_turn_that_ends_with_more_to_read_is_followed_by_another() {
    let (_connection, driver, inbox, mut peer) = open().await;
    peer.write_all(&messages(1000)).await.unwrap();
    let driving = tokio::spawn(driver.on_thread());
    inbox.bring(1000).await;
    drop(peer);
    driving.abort();
}
