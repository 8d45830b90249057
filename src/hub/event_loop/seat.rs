//! One connection at home on the event loop, and who wakes its driver.

use std::{
    cell::{Cell, RefCell},
    ffi::c_int,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Wake, Waker},
    thread::{self, ThreadId},
};

use hyco_client::connection::Driver;
use hyco_hub::HubInbox;

use super::EventLoop;
use crate::uv::{self, Poll, RawHandle};

/// One connection at home here.
pub(super) struct Seat {
    pub(super) number: u32,
    pub(super) event_loop: Rc<EventLoop>,
    pub(super) driver: RefCell<Option<Driver<HubInbox>>>,
    pub(super) poll: RefCell<Option<Poll>>,
    pub(super) watched: Cell<bool>,
    pub(super) waker: Waker,
}

/// Connections whose drivers were woken.
pub(super) struct Due {
    pub(super) numbers: Mutex<Vec<u32>>,
    pub(super) javascript: ThreadId,
    pub(super) inbox: Arc<HubInbox>,
}

pub(super) struct SeatWaker {
    pub(super) number: u32,
    pub(super) due: Arc<Due>,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        let mut numbers = self.due.numbers.lock();
        let numbers = numbers.as_mut();
        numbers
            .unwrap_or_else(|poisoned| poisoned.get_mut())
            .push(self.number);
        // On the thread of JavaScript whoever caused it calls `attend` afterwards.
        if thread::current().id() != self.due.javascript {
            self.due.inbox.turns.wake();
        }
    }
}

impl Seat {
    /// Has libuv say when there is something to read, or not.
    pub(super) fn watch(&self, watch: bool) {
        if self.watched.replace(watch) == watch {
            return;
        }
        if let Some(poll) = self.poll.borrow().as_ref() {
            if watch {
                poll.start(on_poll);
            } else {
                poll.stop();
            }
        }
    }
}

#[expect(unsafe_code, reason = "called by libuv")]
unsafe extern "C" fn on_poll(handle: RawHandle, status: c_int, _events: c_int) {
    // SAFETY: the data is the seat, whose count stays until the handle was closed. One more keeps it
    // while it is read.
    let seat = unsafe {
        let seat = uv::data(handle).cast::<Seat>();
        Rc::increment_strong_count(seat);
        Rc::from_raw(seat)
    };
    if status < 0 {
        // An error of the socket, which reading tells; libuv has stopped.
        seat.watched.set(false);
    }
    seat.event_loop.read(&seat);
}

#[expect(unsafe_code, reason = "called by libuv")]
pub(super) unsafe extern "C" fn on_poll_closed(handle: RawHandle) {
    // SAFETY: gives back the count of the handle, which is closed once, and its memory.
    unsafe {
        let seat = Rc::from_raw(uv::data(handle).cast::<Seat>());
        uv::free_poll(seat.event_loop.uv, handle);
        seat.event_loop.closed();
    }
}
