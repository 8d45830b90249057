//! The connections at home on the event loop of JavaScript: read when libuv says so, with no other
//! thread involved, and delivered together after the loop has polled.

mod seat;

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    rc::{Rc, Weak},
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
    thread,
    time::Instant,
};

use hyco_client::connection::{Driver, Rest};
use hyco_hub::{Errands, Homes, HubInbox, LoopInbox, LoopTurn, live};
use napi::{bindgen_prelude::Result, sys};

use self::seat::{Due, Seat, SeatWaker, on_poll_closed};
use super::{delivery::JsSide, lending::check};
use crate::uv::{self, Check, RawHandle, Uv};

/// The loop of one environment.
pub(super) struct EventLoop {
    env: sys::napi_env,
    uv: Uv,
    homes: Homes,
    inbox: LoopInbox,
    errands: Arc<Errands>,
    due: Arc<Due>,
    side: Weak<JsSide>,
    /// What listeners run in: an object and its asynchronous context.
    resource: sys::napi_ref,
    context: sys::napi_async_context,
    /// By the numbers of the connections.
    seats: RefCell<Vec<Option<Rc<Seat>>>>,
    /// Runs after the loop has polled, if something came; none once the environment ends.
    check: RefCell<Option<Check>>,
    /// The connections that were read since, and how many bytes of each.
    read: RefCell<Vec<(Rc<Seat>, usize)>>,
    /// Handles that libuv knows.
    handles: Cell<usize>,
    /// Makes the end of the environment wait for the handles.
    hook: Cell<Option<sys::napi_async_cleanup_hook_handle>>,
}

impl EventLoop {
    /// The loop of `env`; `None` where the process does not lend it.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`; `resource` is an object.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn open(
        env: sys::napi_env,
        homes: Homes,
        inbox: &Arc<HubInbox>,
        errands: &Arc<Errands>,
        side: &Rc<JsSide>,
        resource: sys::napi_value,
    ) -> Result<Option<Rc<Self>>> {
        let mut event_loop = ptr::null_mut();
        // SAFETY: as this function's.
        unsafe {
            check(sys::napi_get_uv_event_loop(env, &mut event_loop))?;
            let Some(uv) = Uv::find(event_loop.cast()) else {
                return Ok(None);
            };
            let (mut reference, mut name, mut context) =
                (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            check(sys::napi_create_reference(env, resource, 1, &mut reference))?;
            check(sys::napi_create_string_utf8(
                env,
                c"hyco-rs".as_ptr(),
                7,
                &mut name,
            ))?;
            check(sys::napi_async_init(env, resource, name, &mut context))?;
            let this = Rc::new(Self {
                env,
                uv,
                homes,
                inbox: LoopInbox::new(inbox),
                errands: Arc::clone(errands),
                due: Arc::new(Due {
                    numbers: Mutex::default(),
                    javascript: thread::current().id(),
                    inbox: Arc::clone(inbox),
                }),
                side: Rc::downgrade(side),
                resource: reference,
                context,
                seats: RefCell::default(),
                check: RefCell::default(),
                read: RefCell::default(),
                handles: Cell::new(0),
                hook: Cell::new(None),
            });
            let data = Rc::into_raw(Rc::clone(&this)).cast_mut().cast::<c_void>();
            let Some(after_poll) = uv.check(data) else {
                drop(Rc::from_raw(data.cast::<Self>()));
                return Ok(None);
            };
            this.handles.set(1);
            *this.check.borrow_mut() = Some(after_poll);
            let data = Rc::into_raw(Rc::clone(&this)).cast_mut().cast::<c_void>();
            let mut hook = ptr::null_mut();
            check(sys::napi_add_async_cleanup_hook(
                env,
                Some(end),
                data,
                &mut hook,
            ))?;
            this.hook.set(Some(hook));
            Ok(Some(this))
        }
    }

    /// Takes in a connection that has left the I/O thread.
    pub(super) fn attach(self: &Rc<Self>, driver: Driver<HubInbox>) {
        let number = driver.id();
        let due = Arc::clone(&self.due);
        let seat = Rc::new(Seat {
            number,
            event_loop: Rc::clone(self),
            driver: RefCell::new(Some(driver)),
            poll: RefCell::default(),
            watched: Cell::new(false),
            waker: Waker::from(Arc::new(SeatWaker { number, due })),
        });
        let descriptor = seat.driver.borrow().as_ref().map(Driver::descriptor);
        let data = Rc::into_raw(Rc::clone(&seat)).cast_mut().cast::<c_void>();
        let poll = descriptor.and_then(|descriptor| self.uv.poll(descriptor, data));
        let Some(poll) = poll.filter(|_| !self.is_ending()) else {
            #[expect(unsafe_code, reason = "takes back a count")]
            // SAFETY: it was leaked above, and nobody has it.
            drop(unsafe { Rc::from_raw(data.cast::<Seat>()) });
            if let Some(mut driver) = seat.driver.take() {
                driver.stay().bind();
                self.give_to_thread(driver);
            }
            return;
        };
        *seat.poll.borrow_mut() = Some(poll);
        self.handles.set(self.handles.get() + 1);
        {
            let mut seats = self.seats.borrow_mut();
            let index = number as usize;
            if seats.len() <= index {
                seats.resize_with(index + 1, || None);
            }
            seats[index] = Some(Rc::clone(&seat));
        }
        // Whatever was asked of the driver on its way.
        self.tend(&seat);
    }

    /// Whether a connection is at home here.
    pub(super) fn has(&self, number: u32) -> bool {
        self.seat(number).is_some()
    }

    /// How many connections are at home here.
    pub(super) fn count(&self) -> u32 {
        self.seats.borrow().iter().flatten().count() as u32
    }

    /// Does what was asked of connections: to write, to go on reading, to end.
    pub(super) fn attend(&self) {
        loop {
            let numbers = mem::take(
                &mut *self
                    .due
                    .numbers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            if numbers.is_empty() {
                break;
            }
            for seat in numbers.into_iter().filter_map(|number| self.seat(number)) {
                self.tend(&seat);
            }
        }
        if self.inbox.has_news() {
            self.due.inbox.turns.wake();
        }
    }

    fn seat(&self, number: u32) -> Option<Rc<Seat>> {
        self.seats.borrow().get(number as usize)?.clone()
    }

    fn is_ending(&self) -> bool {
        self.check.borrow().is_none()
    }

    fn tend(&self, seat: &Rc<Seat>) {
        self.turn(seat, |driver| driver.tend_on_loop(&seat.waker, &self.inbox));
    }

    fn read(&self, seat: &Rc<Seat>) {
        let mut bytes = 0;
        self.turn(seat, |driver| {
            let (rest, count) = driver.read_on_loop(&seat.waker, &self.inbox);
            bytes = count;
            rest
        });
        let mut read = self.read.borrow_mut();
        if read.is_empty()
            && let Some(check) = self.check.borrow().as_ref()
        {
            check.start(on_check);
        }
        read.push((Rc::clone(seat), bytes));
    }

    /// Gives the driver a turn, and does what it wants then.
    fn turn(&self, seat: &Rc<Seat>, turn: impl FnOnce(&mut Driver<HubInbox>) -> Rest) {
        let rest = {
            let mut driver = seat.driver.borrow_mut();
            let Some(driver) = driver.as_mut() else {
                return;
            };
            // A panic ends its own connection only.
            catch_unwind(AssertUnwindSafe(|| turn(driver))).unwrap_or(Rest::Gone)
        };
        match rest {
            Rest::Readable => seat.watch(true),
            Rest::Held => seat.watch(false),
            Rest::Thread => self.leave(seat),
            Rest::Gone => drop(self.vacate(seat)),
        }
    }

    /// Moves a connection to the I/O thread.
    fn leave(&self, seat: &Rc<Seat>) {
        if let Some(mut driver) = self.vacate(seat) {
            driver.stay().left_loop();
            self.give_to_thread(driver);
        }
    }

    fn give_to_thread(&self, driver: Driver<HubInbox>) {
        let inbox = Arc::clone(&self.due.inbox);
        self.errands.run(Box::pin(live(driver, inbox)));
        self.due.inbox.turns.give_errand();
    }

    /// Takes a connection off the loop.
    fn vacate(&self, seat: &Rc<Seat>) -> Option<Driver<HubInbox>> {
        if let Some(place) = self.seats.borrow_mut().get_mut(seat.number as usize) {
            *place = None;
        }
        if let Some(poll) = seat.poll.take() {
            poll.close(on_poll_closed);
        }
        seat.driver.take()
    }

    /// Delivers what was read, and lets those go that the thread serves better.
    fn after_poll(&self) {
        if let Some(check) = self.check.borrow().as_ref() {
            check.stop();
        }
        let mut read = mem::take(&mut *self.read.borrow_mut());
        let start = Instant::now();
        self.deliver();
        let end = Instant::now();
        let busy = end - start;
        for (seat, bytes) in &read {
            let leaves = seat.driver.borrow_mut().as_mut().is_some_and(|driver| {
                let stay = driver.stay();
                let speakers = self.due.inbox.speakers(stay, || end);
                self.homes
                    .leaves_loop(stay, &LoopTurn { speakers, busy }, *bytes)
            });
            if leaves {
                self.leave(seat);
            }
        }
        read.clear();
        // Its memory is for the next turn.
        let unused = self.read.replace(read);
        debug_assert!(unused.is_empty(), "nothing is read outside of a poll");
    }

    /// Calls JavaScript as an event of its own, so that ticks and microtasks run before the next.
    #[expect(unsafe_code, reason = "Node-API calls")]
    fn deliver(&self) {
        let Some(side) = self.side.upgrade() else {
            return;
        };
        let (mut handles, mut scope, mut object) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: on the JavaScript thread, from the loop: no JavaScript is running. The scopes are
        // closed in their order.
        unsafe {
            if sys::napi_open_handle_scope(self.env, &mut handles) != sys::Status::napi_ok {
                return;
            }
            let open = sys::napi_get_reference_value(self.env, self.resource, &mut object)
                == sys::Status::napi_ok
                && sys::napi_open_callback_scope(self.env, object, self.context, &mut scope)
                    == sys::Status::napi_ok;
            if open {
                side.deliver(self.env);
                sys::napi_close_callback_scope(self.env, scope);
            }
            sys::napi_close_handle_scope(self.env, handles);
        }
    }

    /// A handle of this loop was closed.
    fn closed(&self) {
        self.handles.set(self.handles.get() - 1);
        if self.handles.get() > 0 {
            return;
        }
        if let Some(hook) = self.hook.take() {
            #[expect(unsafe_code, reason = "Node-API call")]
            // SAFETY: removed once, which gives back the count that `open` leaked to it. Whoever
            // called this has another.
            unsafe {
                sys::napi_remove_async_cleanup_hook(hook);
                drop(Rc::from_raw(self));
            }
        }
    }

    /// Takes everything off the loop; connections that live here end. The handles are freed when the
    /// loop has run once more.
    pub(super) fn close(&self) {
        let Some(check) = self.check.take() else {
            return;
        };
        self.read.take();
        for seat in self.seats.take().into_iter().flatten() {
            drop(self.vacate(&seat));
        }
        check.close(on_check_closed);
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: both are of this environment, and not used any more.
        unsafe {
            sys::napi_async_destroy(self.env, self.context);
            sys::napi_delete_reference(self.env, self.resource);
        }
    }
}

#[expect(unsafe_code, reason = "called by libuv")]
unsafe extern "C" fn on_check(handle: RawHandle) {
    // SAFETY: as in `on_poll`, with the loop.
    let event_loop = unsafe {
        let event_loop = uv::data(handle).cast::<EventLoop>();
        Rc::increment_strong_count(event_loop);
        Rc::from_raw(event_loop)
    };
    event_loop.after_poll();
}

#[expect(unsafe_code, reason = "called by libuv")]
unsafe extern "C" fn on_check_closed(handle: RawHandle) {
    // SAFETY: as in `on_poll_closed`.
    unsafe {
        let event_loop = Rc::from_raw(uv::data(handle).cast::<EventLoop>());
        uv::free_check(event_loop.uv, handle);
        event_loop.closed();
    }
}

/// The environment ends: it waits until libuv has let go of all handles.
#[expect(unsafe_code, reason = "called by Node-API")]
unsafe extern "C" fn end(_hook: sys::napi_async_cleanup_hook_handle, data: *mut c_void) {
    // SAFETY: the count that `open` leaked stays until the hook is removed, after this.
    unsafe { (*data.cast::<EventLoop>()).close() };
}
