//! Frames that JavaScript leaves to the I/O thread to write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyco_client::connection::{Connection, Inbox, Signal};
use tokio::sync::Notify;

use super::inbox::HubInbox;

/// Connections with frames to be written, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    waiting: Mutex<Vec<(u32, Arc<Connection>)>>,
    news: Notify,
}

impl Outgoing {
    /// Leaves connections to the I/O thread, with one wake for all.
    pub(super) fn leave(&self, connections: impl Iterator<Item = (u32, Arc<Connection>)>) {
        self.waiting().extend(connections);
        self.news.notify_one();
    }

    /// Writes whatever is left here, forever; a task of the I/O thread.
    pub(super) async fn write(self: Arc<Self>, inbox: Arc<HubInbox>) {
        let mut connections = Vec::new();
        loop {
            self.news.notified().await;
            connections.append(&mut self.waiting());
            for (id, connection) in connections.drain(..) {
                let acknowledged = connection.write_out();
                if acknowledged > 0 {
                    inbox.signal(id, Signal::Acknowledged(acknowledged));
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(u32, Arc<Connection>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
