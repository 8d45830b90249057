//! What JavaScript leaves to the I/O thread.
//!
//! Spawning a task from another thread, or waking one, costs a system call each time. A list with one
//! waiting task costs one for all that is left within a turn of JavaScript.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyco_client::connection::{Connection, Inbox, Signal};
use tokio::sync::Notify;

use crate::HubInbox;

/// The list of one environment.
#[derive(Debug, Default)]
pub struct Errands {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Connections with frames to be written, with their numbers.
    writes: Vec<(u32, Arc<Connection>)>,
    tasks: Vec<Task>,
}

/// What the I/O thread runs.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("writes", &self.writes.len())
            .field("tasks", &self.tasks.len())
            .finish()
    }
}

impl Errands {
    /// Has frames of these connections written.
    pub fn write(&self, connections: impl Iterator<Item = (u32, Arc<Connection>)>) {
        self.waiting().writes.extend(connections);
        self.news.notify_one();
    }

    /// Has a task run.
    pub fn run(&self, task: Task) {
        self.waiting().tasks.push(task);
        self.news.notify_one();
    }

    /// Does whatever is left here, forever; a task of the I/O thread.
    pub async fn attend(self: Arc<Self>, inbox: Arc<HubInbox>) {
        loop {
            self.news.notified().await;
            let Waiting { writes, tasks } = mem::take(&mut *self.waiting());
            for task in tasks {
                tokio::spawn(task);
            }
            for some in writes.chunks(WRITES_A_TURN) {
                for (id, connection) in some {
                    write(*id, connection, &inbox);
                }
                tokio::task::yield_now().await;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(id: u32, connection: &Connection, inbox: &HubInbox) {
    // A panic must end its own connection only, not the task that all depend on.
    match catch_unwind(AssertUnwindSafe(|| connection.write_out())) {
        Ok(0) => {}
        Ok(acknowledged) => inbox.signal(id, Signal::Acknowledged(acknowledged)),
        Err(_) => connection.destroy(),
    }
}

/// How many connections are written to before others are read from: some milliseconds' work.
const WRITES_A_TURN: usize = 1024;
