//! The event loop of the running process: what of libuv is needed to watch sockets on it.
//!
//! The functions are looked up in the process and not linked: runtimes that are not Node have none, or
//! some that abort.

use std::{
    ffi::{c_int, c_void},
    ptr::NonNull,
};

/// A handle as libuv has it.
pub(crate) type RawHandle = *mut c_void;

/// Called when a watched socket is ready: the handle, a status below 0 for an error, after which
/// nothing is watched any more, and the events.
pub(crate) type PollCallback = unsafe extern "C" fn(RawHandle, c_int, c_int);

/// Called with the handle alone.
pub(crate) type Callback = unsafe extern "C" fn(RawHandle);

/// The functions. Each may be called on the thread of the loop alone.
#[derive(Clone, Copy)]
pub(crate) struct Uv {
    event_loop: *mut c_void,
    poll_init: unsafe extern "C" fn(*mut c_void, RawHandle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(RawHandle, c_int, PollCallback) -> c_int,
    poll_stop: unsafe extern "C" fn(RawHandle) -> c_int,
    check_init: unsafe extern "C" fn(*mut c_void, RawHandle) -> c_int,
    check_start: unsafe extern "C" fn(RawHandle, Callback) -> c_int,
    check_stop: unsafe extern "C" fn(RawHandle) -> c_int,
    close: unsafe extern "C" fn(RawHandle, Option<Callback>),
    unref: unsafe extern "C" fn(RawHandle),
    handle_size: unsafe extern "C" fn(c_int) -> usize,
}

impl Uv {
    /// The functions of this process for its loop `event_loop`; `None` where there are none.
    #[cfg(unix)]
    pub(crate) fn find(event_loop: *mut c_void) -> Option<Self> {
        let process = libloading::os::unix::Library::this();
        macro_rules! function {
            ($name:literal) => {{
                #[expect(unsafe_code, reason = "the symbol has this type since libuv 1.0")]
                // SAFETY: libuv keeps its interface within version 1.
                let symbol = unsafe { process.get($name) };
                *symbol.ok()?
            }};
        }
        Some(Self {
            event_loop,
            poll_init: function!(b"uv_poll_init\0"),
            poll_start: function!(b"uv_poll_start\0"),
            poll_stop: function!(b"uv_poll_stop\0"),
            check_init: function!(b"uv_check_init\0"),
            check_start: function!(b"uv_check_start\0"),
            check_stop: function!(b"uv_check_stop\0"),
            close: function!(b"uv_close\0"),
            unref: function!(b"uv_unref\0"),
            handle_size: function!(b"uv_handle_size\0"),
        })
    }

    /// Sockets stay with the I/O thread until the loop has been measured there.
    #[cfg(not(unix))]
    pub(crate) fn find(_event_loop: *mut c_void) -> Option<Self> {
        None
    }

    /// A handle that watches a socket, with `data`; `None` when the loop cannot.
    pub(crate) fn poll(self, descriptor: c_int, data: *mut c_void) -> Option<Poll> {
        let memory = self.allocate(POLL, data);
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the memory has the size of such a handle, and stays until it was closed.
        let status = unsafe { (self.poll_init)(self.event_loop, memory.as_ptr(), descriptor) };
        self.opened(status, memory, POLL).map(Poll)
    }

    /// A handle whose callback runs after the loop has polled, with `data`.
    pub(crate) fn check(self, data: *mut c_void) -> Option<Check> {
        let memory = self.allocate(CHECK, data);
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: as in `poll`.
        let status = unsafe { (self.check_init)(self.event_loop, memory.as_ptr()) };
        self.opened(status, memory, CHECK).map(Check)
    }

    fn opened(self, status: c_int, memory: NonNull<c_void>, kind: c_int) -> Option<Handle> {
        let handle = Handle { uv: self, memory };
        if status < 0 {
            // Nothing knows it.
            self.free(memory, kind);
            return None;
        }
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: it was initialised. What holds the process is not a socket's handle.
        unsafe {
            (self.unref)(memory.as_ptr());
        }
        Some(handle)
    }

    /// How many of these words a handle takes.
    fn words(self, kind: c_int) -> usize {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: a constant of libuv.
        let size = unsafe { (self.handle_size)(kind) };
        size.div_ceil(size_of::<u128>()).max(1)
    }

    fn allocate(self, kind: c_int, data: *mut c_void) -> NonNull<c_void> {
        let words = vec![0_u128; self.words(kind)].into_boxed_slice();
        let memory = NonNull::from(Box::leak(words)).cast::<*mut c_void>();
        #[expect(unsafe_code, reason = "writes memory of libuv's")]
        // SAFETY: `data` is the first field of every handle.
        unsafe {
            memory.write(data);
        }
        memory.cast()
    }

    fn free(self, memory: NonNull<c_void>, kind: c_int) {
        let words = NonNull::slice_from_raw_parts(memory.cast::<u128>(), self.words(kind));
        #[expect(unsafe_code, reason = "takes back what `allocate` leaked")]
        // SAFETY: it came from a leaked box of this length.
        drop(unsafe { Box::from_raw(words.as_ptr()) });
    }
}

/// An open handle.
struct Handle {
    uv: Uv,
    memory: NonNull<c_void>,
}

/// Watches a socket. It is to be closed, and then freed in the callback.
pub(crate) struct Poll(Handle);

impl Poll {
    /// Calls back whenever there is something to read.
    pub(crate) fn start(&self, callback: PollCallback) {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the handle is open.
        unsafe {
            (self.0.uv.poll_start)(self.0.memory.as_ptr(), READABLE, callback);
        }
    }

    /// Calls back no more.
    pub(crate) fn stop(&self) {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the handle is open.
        unsafe {
            (self.0.uv.poll_stop)(self.0.memory.as_ptr());
        }
    }

    /// Takes the socket off the loop at once; `callback` is to call [`free_poll`] with the handle.
    pub(crate) fn close(self, callback: Callback) {
        self.0.close(callback);
    }
}

/// Runs something after the loop has polled. It is to be closed, and then freed in the callback.
pub(crate) struct Check(Handle);

impl Check {
    /// Calls back after this turn's poll, and after each one that follows.
    pub(crate) fn start(&self, callback: Callback) {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the handle is open.
        unsafe {
            (self.0.uv.check_start)(self.0.memory.as_ptr(), callback);
        }
    }

    /// Calls back no more.
    pub(crate) fn stop(&self) {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the handle is open.
        unsafe {
            (self.0.uv.check_stop)(self.0.memory.as_ptr());
        }
    }

    /// `callback` is to call [`free_check`] with the handle.
    pub(crate) fn close(self, callback: Callback) {
        self.0.close(callback);
    }
}

impl Handle {
    fn close(self, callback: Callback) {
        #[expect(unsafe_code, reason = "libuv call")]
        // SAFETY: the handle is open, and closed once.
        unsafe {
            (self.uv.close)(self.memory.as_ptr(), Some(callback));
        }
    }
}

/// The data of a handle.
///
/// # Safety
/// The handle is one of this module, and not freed yet.
#[expect(unsafe_code, reason = "reads memory of libuv's")]
pub(crate) unsafe fn data(handle: RawHandle) -> *mut c_void {
    // SAFETY: `data` is the first field of every handle, a part of libuv's interface.
    unsafe { *handle.cast::<*mut c_void>() }
}

/// Frees a poll handle.
///
/// # Safety
/// In the callback of its close.
#[expect(unsafe_code, reason = "frees memory of libuv's size")]
pub(crate) unsafe fn free_poll(uv: Uv, handle: RawHandle) {
    if let Some(memory) = NonNull::new(handle) {
        uv.free(memory, POLL);
    }
}

/// Frees a check handle.
///
/// # Safety
/// In the callback of its close.
#[expect(unsafe_code, reason = "frees memory of libuv's size")]
pub(crate) unsafe fn free_check(uv: Uv, handle: RawHandle) {
    if let Some(memory) = NonNull::new(handle) {
        uv.free(memory, CHECK);
    }
}

/// `uv_handle_type`.
const CHECK: c_int = 2;
const POLL: c_int = 8;

/// `UV_READABLE`.
const READABLE: c_int = 1;
