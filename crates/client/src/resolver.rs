//! Looking up names of hosts.
//!
//! The system's look-up blocks, so each runs on a thread of its own. The threads are few, and one that
//! cannot be started is an error of that look-up: tokio's pool would start up to 512 of them, and panic
//! where the system has none left.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    thread,
};

use tokio::sync::{Semaphore, oneshot};

/// Looks up names. Clones share the bound on threads.
#[derive(Clone)]
pub(crate) struct Resolver {
    free: Arc<Semaphore>,
    start: Start,
}

type Job = Box<dyn FnOnce() + Send>;
/// Runs a job on a thread of its own.
type Start = fn(Job) -> io::Result<()>;

impl Default for Resolver {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(THREADS)),
            start: |job| {
                let thread = thread::Builder::new().name("hyco-lookup".to_owned());
                thread.spawn(job).map(drop)
            },
        }
    }
}

impl Resolver {
    /// The addresses of a host. A look-up whose future is dropped keeps its thread until the system
    /// gives up, and counts until then.
    pub(crate) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let free = Arc::clone(&self.free).acquire_owned();
        let permit = free.await.map_err(io::Error::other)?;
        let (sender, found) = oneshot::channel();
        let name = (host.to_owned(), port);
        (self.start)(Box::new(move || {
            let addresses = name.to_socket_addrs().map(Vec::from_iter);
            drop(permit);
            // Whoever asked may have stopped waiting.
            drop(sender.send(addresses));
        }))?;
        found.await.map_err(io::Error::other)?
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("free", &self.free.available_permits())
            .finish_non_exhaustive()
    }
}

/// As many as Node has for its look-ups; one may hang for the half minute of the system's own time-out.
const THREADS: usize = 4;

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let found = Resolver::default().look_up("localhost", 80).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        assert!(!found.is_empty());
    }

    #[tokio::test]
    async fn where_no_thread_can_be_started_the_look_up_fails() {
        let resolver = Resolver {
            start: |_| Err(io::ErrorKind::WouldBlock.into()),
            ..Resolver::default()
        };
        // More often than there are permits: none may be lost.
        for _ in 0..2 * THREADS {
            let error = resolver.look_up("localhost", 80).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[tokio::test]
    async fn look_ups_share_a_few_threads() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver {
            start: |job| {
                let thread = thread::spawn(|| {
                    let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                    MOST.fetch_max(running, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    RUNNING.fetch_sub(1, Ordering::SeqCst);
                    job();
                });
                drop(thread);
                Ok(())
            },
            ..Resolver::default()
        };
        let look_ups = (0..40).map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.look_up("127.0.0.1", 80).await.unwrap() })
        });
        for look_up in look_ups.collect::<Vec<_>>() {
            assert_eq!(look_up.await.unwrap().len(), 1);
        }
        let most = MOST.load(Ordering::SeqCst);
        assert!((1..=THREADS).contains(&most), "{most}");
    }
}
