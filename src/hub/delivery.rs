//! Carries the queue to JavaScript: one wake, one call, many records.

use std::{
    cell::{Cell, OnceCell, RefCell},
    ffi::c_void,
    mem, ptr,
    rc::Rc,
    sync::Arc,
};

use hyco_client::connection::Connection;
use hyco_hub::{Handle, HubInbox, Links, Queue, Wake, write_rows};
use napi::{
    bindgen_prelude::{Buffer, Result, Uint32Array},
    sys,
};

use super::{
    event_loop::EventLoop,
    function::{Function, Revoked},
    lender::Lender,
    lending::{Lending, Memory, check},
    sending::Outgoing,
    values,
};

/// What only the JavaScript thread touches.
pub(super) struct JsSide {
    pub(super) inbox: Arc<HubInbox>,
    function: Arc<Function>,
    /// Where records are written for JavaScript to read.
    table: RefCell<Uint32Array>,
    /// Where the bytes of small messages are, for JavaScript to copy.
    stage: RefCell<Buffer>,
    /// The JavaScript function that reads the table; a weak reference unless it is `root`ed.
    callback: sys::napi_ref,
    pub(super) links: RefCell<Links>,
    /// Where connections live that JavaScript's thread reads; not in every process.
    pub(super) event_loop: OnceCell<Rc<EventLoop>>,
    pub(super) outgoing: Outgoing,
    lending: Lending,
    /// Whether JavaScript may see memory of Rust's, as far as is known.
    share: Cell<bool>,
    /// What JavaScript is reading.
    batch: RefCell<Batch>,
    /// JavaScript is being called: an event loop within that call must not call it again.
    delivering: Cell<bool>,
}

/// Records on their way to JavaScript.
#[derive(Default)]
struct Batch {
    queue: Queue,
    /// How many of its records JavaScript has read.
    read: usize,
    /// The JavaScript array of its large messages and its events.
    values: Option<sys::napi_ref>,
}

impl Batch {
    fn is_read(&self) -> bool {
        self.read == self.queue.records.len()
    }
}

/// What JavaScript gives to be written and called.
pub(super) struct Given {
    pub(super) table: Uint32Array,
    pub(super) stage: Buffer,
    pub(super) callback: sys::napi_ref,
    pub(super) outgoing: Outgoing,
}

impl JsSide {
    /// Creates the threadsafe function. It does not keep the process alive until it is told to.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`; the reference is a strong one of `env`.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn open(
        env: sys::napi_env,
        resource: sys::napi_value,
        inbox: Arc<HubInbox>,
        given: Given,
        lending: Lending,
        share: bool,
    ) -> Result<Rc<Self>> {
        let side = Rc::new(Self {
            inbox,
            function: Arc::default(),
            table: RefCell::new(given.table),
            stage: RefCell::new(given.stage),
            callback: given.callback,
            links: RefCell::default(),
            event_loop: OnceCell::new(),
            outgoing: given.outgoing,
            lending,
            share: Cell::new(share),
            batch: RefCell::default(),
            delivering: Cell::default(),
        });
        let context = Rc::into_raw(Rc::clone(&side)).cast_mut().cast::<c_void>();
        // SAFETY: `context` is a strong count that `finalize` gives back.
        unsafe {
            side.function
                .open(env, resource, context, call_js, finalize)?
        };
        let wake: Arc<dyn Wake> = Arc::<Function>::clone(&side.function);
        side.inbox.turns.set_javascript(wake);
        Ok(side)
    }

    /// Keeps the process alive, or lets it go.
    pub(super) fn hold(&self, env: sys::napi_env, hold: bool) {
        self.function.hold(env, hold);
    }

    /// Keeps the function that reads, or lets it be collected.
    pub(super) fn root(&self, env: sys::napi_env, root: bool) -> Result<()> {
        let change = if root {
            sys::napi_reference_ref
        } else {
            sys::napi_reference_unref
        };
        #[expect(unsafe_code, reason = "Node-API call")]
        // SAFETY: on the JavaScript thread of `env`, whose reference this is.
        check(unsafe { change(env, self.callback, ptr::null_mut()) })
    }

    /// Nothing is delivered from now on. What it returns is to be released when the I/O thread has
    /// ended, unless the environment ends.
    pub(super) fn revoke(&self) -> Revoked {
        self.inbox.revoke();
        self.function.revoke()
    }

    /// Lets go of what JavaScript gave, except the memory.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`; nothing is used afterwards.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn close(&self, env: sys::napi_env) {
        // SAFETY: as this function's.
        unsafe {
            sys::napi_delete_reference(env, self.callback);
            self.lending.close();
        }
    }

    /// Does what was asked of the connections that live on the loop.
    pub(super) fn attend(&self) {
        if let Some(event_loop) = self.event_loop.get() {
            event_loop.attend();
        }
    }

    /// Runs `f` with an open connection; `None` when it is gone.
    pub(super) fn with<R>(&self, handle: Handle, f: impl FnOnce(&Connection) -> R) -> Option<R> {
        self.links
            .borrow()
            .get(handle)
            .map(|connection| f(connection))
    }

    /// Hands what waits to JavaScript, until it has had enough for one turn.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`, with a handle scope open.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn deliver(&self, env: sys::napi_env) {
        if self.delivering.replace(true) {
            return;
        }
        // SAFETY: as this function's.
        let outcome = unsafe { self.deliver_once(env) };
        self.delivering.set(false);
        self.attend();
        // An error means that the environment is ending, or that the function which reads has been
        // collected: JavaScript reads nothing further.
        if let Ok(true) = outcome {
            // SAFETY: as this function's. JavaScript comes back after other events had their turn.
            let _ = unsafe { self.call_back(env, MORE, [ptr::null_mut(); 3]) };
        }
    }

    /// Returns whether more is there.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn deliver_once(&self, env: sys::napi_env) -> Result<bool> {
        if self.batch.borrow().is_read() {
            self.take();
        }
        // SAFETY: as `deliver`.
        unsafe {
            self.read(env)?;
            if !self.batch.borrow().is_read() {
                return Ok(true);
            }
            self.finish(env);
        }
        Ok(!self.inbox.rest())
    }

    /// Takes all that waits, and the connections that opened.
    fn take(&self) {
        let mut batch = self.batch.borrow_mut();
        let mut queue = self.inbox.take(mem::take(&mut batch.queue));
        for (handle, connection) in queue.opened.drain(..) {
            self.links.borrow_mut().open(handle, connection);
        }
        if let Some(event_loop) = self.event_loop.get() {
            for driver in queue.moved.drain(..) {
                event_loop.attach(driver);
            }
        }
        batch.queue = queue;
        batch.read = 0;
    }

    /// Has JavaScript read records until all are read or it stops early.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn read(&self, env: sys::napi_env) -> Result<()> {
        // SAFETY: as `deliver`; the table and the stage are written while JavaScript does not run.
        unsafe {
            let [large, events] = self.values(env)?;
            while !self.batch.borrow().is_read() {
                let mut lender = Lender::new(env, self.lending, &self.share);
                let count = {
                    let batch = self.batch.borrow();
                    write_rows(
                        &batch.queue.records[batch.read..],
                        &batch.queue.slabs,
                        self.table.borrow_mut().as_mut(),
                        self.stage.borrow_mut().as_mut(),
                        &mut lender,
                    )?
                };
                let values = [lender.into_buffers(), large, events];
                let read = self.call_back(env, count as i32, values)?.min(count);
                self.batch.borrow_mut().read += read;
                let pairs = self.flush_left();
                if pairs > 0 {
                    self.call_back(env, MORE - pairs as i32, [ptr::null_mut(); 3])?;
                }
                if read < count {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets go of a batch that was read.
    #[expect(unsafe_code, reason = "Node-API call")]
    unsafe fn finish(&self, env: sys::napi_env) {
        let mut batch = self.batch.borrow_mut();
        if let Some(values) = batch.values.take() {
            // SAFETY: a reference of this environment, deleted once.
            unsafe { sys::napi_delete_reference(env, values) };
        }
        batch.queue.recycle();
        batch.read = 0;
    }

    /// A copy of the bytes of a record that JavaScript is reading, by its row in the table: for one
    /// whose ArrayBuffer the program has moved away with an earlier message.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) fn copy(&self, env: sys::napi_env, row: u32) -> Result<sys::napi_value> {
        let batch = self.batch.borrow();
        let record = batch.queue.records.get(batch.read + row as usize);
        let bytes = record.and_then(|record| {
            let slab = batch.queue.slabs.get(record.slab())?;
            let mut bytes = vec![0; record.length as usize];
            let start = record.offset as usize;
            slab.copy(&(start..start + bytes.len()), &mut bytes);
            Some(bytes)
        });
        // SAFETY: called from JavaScript, which has a handle scope open.
        unsafe { values::copy(env, &bytes.unwrap_or_default()) }
    }

    /// The arrays of large messages and of events, made at the first call; null where there are
    /// none.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn values(&self, env: sys::napi_env) -> Result<[sys::napi_value; 2]> {
        let mut arrays = [ptr::null_mut(); 2];
        let mut batch = self.batch.borrow_mut();
        // SAFETY: as `deliver`.
        unsafe {
            if let Some(values) = batch.values {
                let mut both = ptr::null_mut();
                check(sys::napi_get_reference_value(env, values, &mut both))?;
                for (index, array) in (0..).zip(&mut arrays) {
                    check(sys::napi_get_element(env, both, index, array))?;
                }
                return Ok(arrays);
            }
            let Queue { large, events, .. } = &mut batch.queue;
            if large.is_empty() && events.is_empty() {
                return Ok(arrays);
            }
            arrays[0] = values::array(env, large.drain(..), |bytes| self.hand_over(env, bytes))?;
            arrays[1] = values::array(env, events.drain(..), |text| values::string(env, &text))?;
            let both = values::array(env, arrays.into_iter(), Ok)?;
            let mut values = ptr::null_mut();
            check(sys::napi_create_reference(env, both, 1, &mut values))?;
            batch.values = Some(values);
        }
        Ok(arrays)
    }

    /// A large message as an ArrayBuffer; where it is not copied its memory goes back to the pool
    /// later.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn hand_over(&self, env: sys::napi_env, mut bytes: Vec<u8>) -> Result<sys::napi_value> {
        let (start, length) = (bytes.as_mut_ptr(), bytes.len());
        let mut memory = Memory::Message(bytes, Arc::clone(&self.inbox.buffers));
        // SAFETY: as `deliver`; the message's memory is nobody else's.
        unsafe {
            if self.share.get() && length > 0 {
                match self.lending.lend(memory, start, length)? {
                    Ok(buffer) => return Ok(buffer),
                    Err(kept) => memory = kept,
                }
                self.share.set(false);
            }
            let buffer = values::copy(env, std::slice::from_raw_parts(start, length));
            drop(memory);
            buffer
        }
    }

    /// Calls JavaScript; returns how many records it has read.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn call_back(
        &self,
        env: sys::napi_env,
        count: i32,
        values: [sys::napi_value; 3],
    ) -> Result<usize> {
        // SAFETY: as `deliver`.
        unsafe {
            let (mut callback, mut undefined) = (ptr::null_mut(), ptr::null_mut());
            check(sys::napi_get_reference_value(
                env,
                self.callback,
                &mut callback,
            ))?;
            check(sys::napi_get_undefined(env, &mut undefined))?;
            let mut number = ptr::null_mut();
            check(sys::napi_create_int32(env, count, &mut number))?;
            let [lent, large, events] = values.map(
                |value: sys::napi_value| {
                    if value.is_null() { undefined } else { value }
                },
            );
            let arguments = [number, lent, large, events];
            let mut result = ptr::null_mut();
            check(sys::napi_call_function(
                env,
                undefined,
                callback,
                arguments.len(),
                arguments.as_ptr(),
                &mut result,
            ))?;
            let mut read = 0;
            check(sys::napi_get_value_uint32(env, result, &mut read))?;
            Ok(read as usize)
        }
    }
}

#[expect(unsafe_code, reason = "called by Node-API")]
unsafe extern "C" fn call_js(
    env: sys::napi_env,
    _callback: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() || context.is_null() {
        return;
    }
    // SAFETY: the context is the `JsSide` that `open` leaked; `finalize` comes after the last call.
    unsafe { (*context.cast::<JsSide>()).deliver(env) };
}

#[expect(unsafe_code, reason = "called by Node-API")]
unsafe extern "C" fn finalize(_env: sys::napi_env, context: *mut c_void, _hint: *mut c_void) {
    // SAFETY: gives back the count that `open` leaked, once.
    drop(unsafe { Rc::from_raw(context.cast::<JsSide>()) });
}

/// The count that tells JavaScript to come back for more. Below it: so many pairs stand in `results`.
const MORE: i32 = -1;
