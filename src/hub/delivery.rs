//! Carries the queue to JavaScript: one wake, one call, many records.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    ffi::c_void,
    mem, ptr,
    rc::Rc,
    sync::Arc,
};

use hyco_client::connection::Connection;
use hyco_hub::{Handle, HubInbox, Links, Queue, Record, Slab, kind};
use napi::{
    bindgen_prelude::{Result, Uint32Array},
    sys,
};

use super::{
    foreign::{check, hand_over, show},
    function::Function,
};

/// What only the JavaScript thread touches.
pub(super) struct JsSide {
    inbox: Arc<HubInbox>,
    function: Arc<Function>,
    /// Where records are written for JavaScript to read.
    table: RefCell<Uint32Array>,
    /// The JavaScript array of ArrayBuffers, by slab number.
    slabs: sys::napi_ref,
    /// The JavaScript function that reads the table.
    callback: sys::napi_ref,
    pub(super) links: RefCell<Links>,
    /// Slabs that JavaScript sees a copy of, by number, where it may not see foreign memory.
    copied: RefCell<HashMap<u32, Arc<Slab>>>,
    /// Whether JavaScript may see memory of Rust's, as far as is known.
    share: Cell<bool>,
    /// A batch of which JavaScript has read only a part so far.
    unread: RefCell<Option<Batch>>,
    spare: RefCell<Queue>,
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

impl JsSide {
    /// Creates the threadsafe function. It does not keep the process alive until it is told to.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`; the references are strong ones of `env`.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn open(
        env: sys::napi_env,
        inbox: Arc<HubInbox>,
        table: Uint32Array,
        slabs: sys::napi_ref,
        callback: sys::napi_ref,
        share: bool,
    ) -> Result<Rc<Self>> {
        let side = Rc::new(Self {
            inbox,
            function: Arc::default(),
            table: RefCell::new(table),
            slabs,
            callback,
            links: RefCell::default(),
            copied: RefCell::default(),
            share: Cell::new(share),
            unread: RefCell::default(),
            spare: RefCell::default(),
        });
        let context = Rc::into_raw(Rc::clone(&side)).cast_mut().cast::<c_void>();
        // SAFETY: `context` is a strong count that `finalize` gives back.
        unsafe { side.function.open(env, context, call_js, finalize)? };
        side.inbox
            .turns
            .set_javascript(Box::new(Arc::clone(&side.function)));
        Ok(side)
    }

    /// Keeps the process alive, or lets it go.
    pub(super) fn hold(&self, env: sys::napi_env, hold: bool) {
        self.function.hold(env, hold);
    }

    /// Nothing is delivered from now on.
    pub(super) fn revoke(&self) {
        self.inbox.revoke();
        self.function.revoke();
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
        let unread = self.unread.borrow_mut().take();
        let mut batch = unread.unwrap_or_else(|| self.take());
        // SAFETY: as this function's. An error means that the environment is ending: JavaScript
        // reads nothing further.
        if unsafe { self.read(env, &mut batch) }.is_err() {
            return;
        }
        if batch.read < batch.queue.records.len() {
            *self.unread.borrow_mut() = Some(batch);
        } else {
            // SAFETY: as above.
            unsafe { self.finish(env, batch) };
            if self.inbox.rest() {
                return;
            }
        }
        // SAFETY: as above. JavaScript comes back after other events had their turn.
        let _ = unsafe { self.call_back(env, MORE, [ptr::null_mut(); 2]) };
    }

    /// Takes all that waits, and the connections that opened.
    fn take(&self) -> Batch {
        let mut queue = self.inbox.take(mem::take(&mut *self.spare.borrow_mut()));
        for (handle, connection) in queue.opened.drain(..) {
            self.links.borrow_mut().open(handle, connection);
        }
        Batch {
            queue,
            ..Batch::default()
        }
    }

    /// Has JavaScript read records until all are read or it stops early.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn read(&self, env: sys::napi_env, batch: &mut Batch) -> Result<()> {
        // SAFETY: on the JavaScript thread with a handle scope, see `deliver`.
        unsafe {
            self.show_slabs(env, &mut batch.queue)?;
            if batch.read == 0 {
                self.copy(env, &batch.queue)?;
            }
            let values = self.values(env, batch)?;
            let capacity = self.table.borrow().len() / WORDS;
            while batch.read < batch.queue.records.len() {
                let unread = &batch.queue.records[batch.read..];
                let part = &unread[..unread.len().min(capacity)];
                let mut table = self.table.borrow_mut();
                for (row, record) in table.as_mut().chunks_exact_mut(WORDS).zip(part) {
                    row[0] = record.connection;
                    row[1] = record.kind;
                    row[2] = record.offset;
                    row[3] = record.length;
                }
                drop(table);
                let (count, read) = (part.len(), self.call_back(env, part.len() as i32, values)?);
                batch.read += read;
                if read < count {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets go of a batch that was read.
    #[expect(unsafe_code, reason = "Node-API call")]
    unsafe fn finish(&self, env: sys::napi_env, mut batch: Batch) {
        if let Some(values) = batch.values.take() {
            // SAFETY: a reference of this environment, deleted once.
            unsafe { sys::napi_delete_reference(env, values) };
        }
        let done = batch
            .queue
            .records
            .iter()
            .filter(|r| r.kind & 0xff == kind::SLAB_DONE);
        self.inbox.release_slabs(done.map(|r| r.kind >> 8));
        batch.queue.recycle();
        *self.spare.borrow_mut() = batch.queue;
    }

    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn show_slabs(&self, env: sys::napi_env, queue: &mut Queue) -> Result<()> {
        if queue.slabs.is_empty() {
            return Ok(());
        }
        // SAFETY: on the JavaScript thread with a handle scope, see `deliver`.
        unsafe {
            let mut slabs = ptr::null_mut();
            check(sys::napi_get_reference_value(env, self.slabs, &mut slabs))?;
            for (number, slab) in queue.slabs.drain(..) {
                let shown = if self.share.get() {
                    show(env, &slab)?
                } else {
                    None
                };
                let buffer = match shown {
                    Some(buffer) => buffer,
                    None => {
                        self.share.set(false);
                        self.copied.borrow_mut().insert(number, slab);
                        let mut buffer = ptr::null_mut();
                        let size = Slab::SIZE;
                        check(sys::napi_create_arraybuffer(
                            env,
                            size,
                            &mut ptr::null_mut(),
                            &mut buffer,
                        ))?;
                        buffer
                    }
                };
                check(sys::napi_set_element(env, slabs, number, buffer))?;
            }
        }
        Ok(())
    }

    /// Copies what records describe to where JavaScript sees it.
    #[expect(
        unsafe_code,
        reason = "Node-API calls, and memory that the I/O thread has left alone"
    )]
    unsafe fn copy(&self, env: sys::napi_env, queue: &Queue) -> Result<()> {
        let mut copied = self.copied.borrow_mut();
        if copied.is_empty() {
            return Ok(());
        }
        // SAFETY: on the JavaScript thread with a handle scope, see `deliver`. Records describe
        // bytes of the slab that are not written any more; a detached buffer has no bytes.
        unsafe {
            let mut slabs = ptr::null_mut();
            check(sys::napi_get_reference_value(env, self.slabs, &mut slabs))?;
            for record in &queue.records {
                let number = record.kind >> 8;
                if record.kind & 0xff == kind::SLAB_DONE {
                    copied.remove(&number);
                    continue;
                }
                let Some(slab) = copied.get(&number) else {
                    continue;
                };
                let (mut buffer, mut start, mut size) = (ptr::null_mut(), ptr::null_mut(), 0);
                check(sys::napi_get_element(env, slabs, number, &mut buffer))?;
                check(sys::napi_get_arraybuffer_info(
                    env, buffer, &mut start, &mut size,
                ))?;
                // The code of a close frame lies before its reason.
                let from = (record.offset as usize).saturating_sub(2);
                let to = (record.offset + record.length) as usize;
                if to <= size {
                    let (source, target) = (slab.as_ptr().add(from), start.cast::<u8>().add(from));
                    ptr::copy_nonoverlapping(source, target, to - from);
                }
            }
        }
        Ok(())
    }

    /// The arrays of large messages and of events, made at the first call; null where there are
    /// none.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn values(&self, env: sys::napi_env, batch: &mut Batch) -> Result<[sys::napi_value; 2]> {
        let mut arrays = [ptr::null_mut(); 2];
        // SAFETY: on the JavaScript thread with a handle scope, see `deliver`.
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
            check(sys::napi_create_array_with_length(
                env,
                large.len(),
                &mut arrays[0],
            ))?;
            for (index, bytes) in (0..).zip(large.drain(..)) {
                let buffer = hand_over(env, bytes, &self.inbox.buffers, self.share.get())?;
                check(sys::napi_set_element(env, arrays[0], index, buffer))?;
            }
            check(sys::napi_create_array_with_length(
                env,
                events.len(),
                &mut arrays[1],
            ))?;
            for (index, event) in (0..).zip(events.drain(..)) {
                let mut text = ptr::null_mut();
                let (start, length) = (event.as_ptr().cast(), event.len() as isize);
                check(sys::napi_create_string_utf8(env, start, length, &mut text))?;
                check(sys::napi_set_element(env, arrays[1], index, text))?;
            }
            let (mut both, mut values) = (ptr::null_mut(), ptr::null_mut());
            check(sys::napi_create_array_with_length(env, 2, &mut both))?;
            for (index, array) in (0..).zip(arrays) {
                check(sys::napi_set_element(env, both, index, array))?;
            }
            check(sys::napi_create_reference(env, both, 1, &mut values))?;
            batch.values = Some(values);
        }
        Ok(arrays)
    }

    /// Calls JavaScript; returns how many records it has read.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn call_back(
        &self,
        env: sys::napi_env,
        count: i32,
        [large, events]: [sys::napi_value; 2],
    ) -> Result<usize> {
        // SAFETY: on the JavaScript thread with a handle scope, see `deliver`.
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
            let or_undefined = |value: sys::napi_value| {
                if value.is_null() { undefined } else { value }
            };
            let arguments = [number, or_undefined(large), or_undefined(events)];
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

/// The count that tells JavaScript to come back for more.
const MORE: i32 = -1;

/// 32-bit words of a record in the table.
const WORDS: usize = size_of::<Record>() / 4;
