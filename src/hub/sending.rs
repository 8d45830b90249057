//! What JavaScript sends: small frames out of the ring, large ones alone.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use hyco_client::connection::Connection;
use hyco_hub::{
    Errands, Handle,
    ring::{Frames, RingFrame},
};
use hyco_websocket::MaskSource;
use napi::bindgen_prelude::{Buffer, BufferSlice, Uint32Array};
use napi_derive::napi;

use super::{Hub, delivery::JsSide, handle::JsHandle};
use crate::number::Whole;

/// What is needed to send.
pub(super) struct Outgoing {
    ring: Buffer,
    results: RefCell<Uint32Array>,
    masks: RefCell<MaskSource>,
    errands: Arc<Errands>,
    /// The connections of a flush; kept for its memory.
    touched: RefCell<Vec<Handle>>,
}

impl Outgoing {
    pub(super) fn new(ring: Buffer, results: Uint32Array, errands: Arc<Errands>) -> Self {
        Self {
            ring,
            results: RefCell::new(results),
            masks: RefCell::new(MaskSource::new()),
            errands,
            touched: RefCell::default(),
        }
    }

    /// How many bytes of the ring a delivery has left to be flushed.
    fn take_left(&self) -> u32 {
        let mut results = self.results.borrow_mut();
        #[expect(unsafe_code, reason = "memory shared with JavaScript")]
        // SAFETY: on the JavaScript thread, which does not run meanwhile.
        let results = unsafe { results.as_mut() };
        results.first_mut().map_or(0, std::mem::take)
    }
}

#[napi]
impl Hub {
    /// Takes the frames in the first `bytes` of the ring and starts to write them.
    ///
    /// [`hyco_hub::ring`] says how a frame lies there.
    /// Returns how many pairs (connection, acknowledged frames) stand in `results`.
    #[napi(catch_unwind)]
    pub fn flush(&self, #[napi(ts_arg_type = "number")] bytes: Whole<u32>) -> u32 {
        let pairs = self.side.flush(bytes.0);
        self.give_errand();
        pairs
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
        let frame = frame.with_mask(&mut self.side.outgoing.masks.borrow_mut());
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

impl JsSide {
    /// Flushes what the listeners of a delivery have left in the ring, which saves them a call. Returns
    /// how many pairs stand in `results`. Whoever delivers attends to the loop afterwards.
    pub(super) fn flush_left(&self) -> u32 {
        let bytes = self.outgoing.take_left();
        if bytes == 0 {
            return 0;
        }
        // No frame of Rust is above this one that could take a panic.
        let pairs = catch_unwind(AssertUnwindSafe(|| self.flush(bytes))).unwrap_or(0);
        self.give_errand();
        pairs
    }

    /// Lets the I/O thread see at once that it has something to do.
    pub(super) fn give_errand(&self) {
        self.inbox.turns.give_errand();
    }

    /// Takes the frames in the first `bytes` of the ring and starts to write them; see [`Hub::flush`].
    fn flush(&self, bytes: u32) -> u32 {
        let Outgoing {
            ring,
            results,
            touched,
            ..
        } = &self.outgoing;
        let mut touched = touched.borrow_mut();
        touched.clear();
        self.append(ring.get(..bytes as usize).unwrap_or_default(), &mut touched);
        let mut results = results.borrow_mut();
        #[expect(unsafe_code, reason = "memory shared with JavaScript")]
        // SAFETY: on the JavaScript thread, which does not run meanwhile.
        let results = unsafe { results.as_mut() };
        let mut pairs = 0;
        let few = touched.len() <= INLINE_CONNECTIONS;
        let mut left = Vec::new();
        for &handle in &*touched {
            let inline = few || self.is_on_loop(handle);
            if !inline || (pairs + 1) * 2 > results.len() {
                left.push(handle);
                continue;
            }
            let count = self.with(handle, Connection::flush).unwrap_or(0);
            if count > 0 {
                results[pairs * 2] = handle.number;
                results[pairs * 2 + 1] = count;
                pairs += 1;
            }
        }
        if !left.is_empty() {
            self.leave(&left);
        }
        pairs as u32
    }

    /// Whether a connection lives on the loop.
    fn is_on_loop(&self, handle: Handle) -> bool {
        self.event_loop
            .get()
            .is_some_and(|event_loop| event_loop.has(handle.number))
    }

    /// Appends the frames of the ring; `idle` gets the connections that nobody is writing for yet.
    fn append(&self, ring: &[u8], idle: &mut Vec<Handle>) {
        let mut masks = self.outgoing.masks.borrow_mut();
        let mut frames = Frames::new(ring).peekable();
        while let Some(first) = frames.peek().copied() {
            let id = first.connection;
            let mut of_connection =
                std::iter::from_fn(|| frames.next_if(|frame| frame.connection == id));
            let was_empty = self.with(id, |connection| {
                let new = of_connection.by_ref().filter(|frame| !frame.is_mark());
                connection.append(new.map(|frame| frame.with_mask(&mut masks)))
            });
            // Those for a connection that is gone are passed over.
            of_connection.for_each(drop);
            if was_empty == Some(true) || first.is_mark() {
                idle.push(id);
            }
        }
    }

    /// Leaves it to the I/O thread to write for these connections.
    fn leave(&self, handles: &[Handle]) {
        let links = self.links.borrow();
        let linked = handles
            .iter()
            .filter_map(|&handle| Some((handle.number, Arc::clone(links.get(handle)?))));
        self.outgoing.errands.write(linked);
    }
}

/// Frames for up to so many connections of the I/O thread are written by `flush` itself, which saves a
/// hand-over.
/// Those for more are worth one: writing costs more than all that JavaScript does for an echo.
const INLINE_CONNECTIONS: usize = 8;
