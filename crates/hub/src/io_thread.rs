//! The thread that does all input and output of one environment.

use std::{
    io,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use hyco_log::Log;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// A running I/O thread; dropping it stops and joins it.
#[derive(Debug)]
pub struct IoThread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// `park` runs on the thread whenever nothing is left to do, before it waits; what the thread has to
    /// tell goes to `log`.
    pub fn start(log: Log, park: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let (started, handle) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("hyco-io".into())
            .spawn(move || {
                let _telling = log.watch();
                let mut builder = Builder::new_current_thread();
                let runtime = match builder.enable_all().on_thread_park(park).build() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                let _ = started.send(Ok(runtime.handle().clone()));
                let _ = runtime.block_on(stopped);
            })?;
        let handle = handle.recv().map_err(io::Error::other)??;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where tasks are spawned.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
