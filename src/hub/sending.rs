//! What JavaScript sends: small frames out of the ring, large ones alone.

use std::sync::Arc;

use hyco_client::connection::Connection;
use hyco_hub::{
    Handle,
    ring::{Frames, RingFrame},
};
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use super::{Hub, handle::JsHandle};
use crate::number::Whole;

#[napi]
impl Hub {
    /// Takes the frames in the first `bytes` of the ring and starts to write them.
    ///
    /// [`hyco_hub::ring`] says how a frame lies there.
    /// Returns how many pairs (connection, acknowledged frames) stand in `results`.
    #[napi(catch_unwind)]
    pub fn flush(&self, #[napi(ts_arg_type = "number")] bytes: Whole<u32>) -> u32 {
        let ring = self.ring.get(..bytes.0 as usize).unwrap_or_default();
        let touched = self.append(ring);
        let mut results = self.results.borrow_mut();
        #[expect(unsafe_code, reason = "memory shared with JavaScript")]
        // SAFETY: on the JavaScript thread, which does not run meanwhile.
        let results = unsafe { results.as_mut() };
        let mut pairs = 0;
        let few = touched.len() <= INLINE_CONNECTIONS;
        let mut left = Vec::new();
        for handle in touched {
            let inline = few || self.side.is_on_loop(handle);
            if !inline || (pairs + 1) * 2 > results.len() {
                left.push(handle);
                continue;
            }
            let count = self.side.with(handle, Connection::flush).unwrap_or(0);
            if count > 0 {
                results[pairs * 2] = handle.number;
                results[pairs * 2 + 1] = count;
                pairs += 1;
            }
        }
        if !left.is_empty() {
            self.leave(&left);
        }
        self.give_errand();
        pairs as u32
    }

    /// Appends one large frame; `flags` as the third word of a frame in the ring. With `start` it
    /// also starts to write; returns how many frames of the connection are acknowledged now.
    #[napi(catch_unwind)]
    pub fn send_large(
        &self,
        #[napi(ts_arg_type = "number")] handle: JsHandle,
        #[napi(ts_arg_type = "number")] flags: Whole<u32>,
        payload: BufferSlice<'_>,
        start: bool,
    ) -> u32 {
        let connection = Handle::from(handle);
        let frame = RingFrame::new(connection, flags.0, &payload);
        let frame = frame.with_mask(&mut self.masks.borrow_mut());
        let sent = self.side.with(connection, |connection| {
            connection.append([frame]);
            if start { connection.flush() } else { 0 }
        });
        if start {
            self.give_errand();
        }
        sent.unwrap_or(0)
    }
}

impl Hub {
    /// Appends the frames of the ring; returns the connections that nobody is writing for yet.
    fn append(&self, ring: &[u8]) -> Vec<Handle> {
        let mut idle = Vec::new();
        let mut masks = self.masks.borrow_mut();
        let mut frames = Frames::new(ring).peekable();
        while let Some(first) = frames.peek().copied() {
            let id = first.connection;
            let mut of_connection =
                std::iter::from_fn(|| frames.next_if(|frame| frame.connection == id));
            let was_empty = self.side.with(id, |connection| {
                let new = of_connection.by_ref().filter(|frame| !frame.is_mark());
                connection.append(new.map(|frame| frame.with_mask(&mut masks)))
            });
            // Those for a connection that is gone are passed over.
            of_connection.for_each(drop);
            if was_empty == Some(true) || first.is_mark() {
                idle.push(id);
            }
        }
        idle
    }

    /// Leaves it to the I/O thread to write for these connections.
    fn leave(&self, handles: &[Handle]) {
        if let Some(running) = self.running.borrow().as_ref() {
            let links = self.side.links.borrow();
            let linked = handles
                .iter()
                .filter_map(|&handle| Some((handle.number, Arc::clone(links.get(handle)?))));
            running.errands.write(linked);
        }
    }
}

/// Frames for up to so many connections of the I/O thread are written by `flush` itself, which saves a
/// hand-over.
/// Those for more are worth one: writing costs more than all that JavaScript does for an echo.
const INLINE_CONNECTIONS: usize = 8;
