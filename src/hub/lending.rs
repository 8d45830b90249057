//! Memory of Rust's in the hands of JavaScript, and what becomes of it when the environment ends.
//!
//! A program may move what it was given to another thread (`transfer()`, a byte stream, a message to
//! a worker), where it lives on when this environment is gone. Node releases a loan when its memory
//! has been collected, wherever that was. But at the end of an environment it releases all loans,
//! whether their memory is in use elsewhere or not. So this is the promise:
//!
//! - While the environment lives, a release means that nobody sees the memory: it is used again.
//! - At its end only what is provably still here is freed: what the program was given can be reached
//!   from this environment and has not been detached. No JavaScript runs any more that could use it.
//!   The rest stays allocated for ever.
//!
//! Node 20 has no `transfer`, and detaches an ArrayBuffer itself before it releases the loan, so
//! nothing can be proved there: what a worker thread has not given back when it ends is never freed.
//! Bun and Deno release a loan only when its memory is gone.

use std::{
    ffi::c_void,
    mem::{self, ManuallyDrop},
    ptr,
    sync::Arc,
};

use hyco_client::connection::BufferPool;
use hyco_hub::Slab;
use napi::{
    Status,
    bindgen_prelude::{Error, Result},
    sys,
};

/// How an environment lends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lending {
    env: sys::napi_env,
    /// A reference to `ArrayBuffer.prototype.transfer`, or null where there is none. Node marks
    /// foreign memory as not to be transferred; what this function gives is not marked.
    transfer: sys::napi_ref,
    /// The end of the environment releases what may be in use elsewhere.
    releases_all: bool,
}

/// One loan: what is held for an ArrayBuffer.
struct Loan {
    memory: ManuallyDrop<Memory>,
    lending: Lending,
    /// A weak reference to what the program was given; null where it would prove nothing.
    given: sys::napi_ref,
}

/// What is lent.
pub(super) enum Memory {
    /// A part of a slab, which lives as long.
    Slab(#[expect(dead_code, reason = "held, not used")] Arc<Slab>),
    /// A large message, and where its memory goes afterwards.
    Message(Vec<u8>, Arc<BufferPool>),
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Message(bytes, pool) = self {
            pool.give(mem::take(bytes));
        }
    }
}

impl Lending {
    /// `transfer` is null or a strong reference to a function of `env`.
    pub(super) fn new(env: sys::napi_env, transfer: sys::napi_ref, releases_all: bool) -> Self {
        Self {
            env,
            transfer,
            releases_all,
        }
    }

    /// Lends nothing any more. What is lent stays so.
    ///
    /// # Safety
    /// On the JavaScript thread; `lend` is not called afterwards.
    #[expect(unsafe_code, reason = "Node-API call")]
    pub(super) unsafe fn close(self) {
        if !self.transfer.is_null() {
            // SAFETY: as this function's.
            unsafe { sys::napi_delete_reference(self.env, self.transfer) };
        }
    }

    /// Gives JavaScript an ArrayBuffer over `length` bytes at `start`, which `memory` keeps alive.
    /// Gives the memory back where that is forbidden (Electron).
    ///
    /// # Safety
    /// On the JavaScript thread with a handle scope open. The bytes are read and written by nobody
    /// else from now on, except copies of what is lent.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn lend(
        self,
        memory: Memory,
        start: *mut u8,
        length: usize,
    ) -> Result<std::result::Result<sys::napi_value, Memory>> {
        let loan = Box::into_raw(Box::new(Loan {
            memory: ManuallyDrop::new(memory),
            lending: self,
            given: ptr::null_mut(),
        }));
        let mut buffer = ptr::null_mut();
        // SAFETY: the memory lives until `release`; on failure `release` is not called.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                self.env,
                start.cast(),
                length,
                Some(release),
                loan.cast(),
                &mut buffer,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: nobody else has it.
            let loan = unsafe { Box::from_raw(loan) };
            let memory = ManuallyDrop::into_inner(loan.memory);
            if status == sys::Status::napi_no_external_buffers_allowed {
                return Ok(Err(memory));
            }
            check(status)?;
        }
        if !self.transfer.is_null() {
            // SAFETY: as this function's; the buffer's handle keeps the loan from being released.
            unsafe {
                buffer = self.unmarked(buffer)?;
                if self.releases_all {
                    let given = &raw mut (*loan).given;
                    check(sys::napi_create_reference(self.env, buffer, 0, given))?;
                }
            }
        }
        Ok(Ok(buffer))
    }

    /// The same memory as an ArrayBuffer that may be transferred.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn unmarked(self, marked: sys::napi_value) -> Result<sys::napi_value> {
        let (mut transfer, mut buffer) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: on the JavaScript thread with a handle scope open.
        unsafe {
            check(sys::napi_get_reference_value(
                self.env,
                self.transfer,
                &mut transfer,
            ))?;
            check(sys::napi_call_function(
                self.env,
                marked,
                transfer,
                0,
                ptr::null(),
                &mut buffer,
            ))?;
        }
        Ok(buffer)
    }

    /// Whether the environment is being taken down: then it lets nobody call JavaScript.
    ///
    /// # Safety
    /// On the JavaScript thread with a handle scope open.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn is_ending(self) -> bool {
        let (mut value, mut equal) = (ptr::null_mut(), false);
        // SAFETY: as this function's. The comparison is what Node-API refuses at the end.
        unsafe {
            sys::napi_get_undefined(self.env, &mut value) != sys::Status::napi_ok
                || sys::napi_strict_equals(self.env, value, value, &mut equal)
                    != sys::Status::napi_ok
        }
    }
}

impl Loan {
    /// Whether nobody can use the memory any more.
    ///
    /// # Safety
    /// While the loan is being released.
    #[expect(unsafe_code, reason = "Node-API calls")]
    unsafe fn is_over(&self) -> bool {
        // SAFETY: Node releases on the JavaScript thread, with a handle scope open.
        unsafe {
            if !self.lending.releases_all || !self.lending.is_ending() {
                return true;
            }
            let (mut given, mut detached) = (ptr::null_mut(), true);
            if !self.given.is_null() {
                sys::napi_get_reference_value(self.lending.env, self.given, &mut given);
            }
            if !given.is_null() {
                sys::napi_is_detached_arraybuffer(self.lending.env, given, &mut detached);
            }
            !detached
        }
    }
}

#[expect(unsafe_code, reason = "called by Node-API")]
unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, loan: *mut c_void) {
    // SAFETY: takes back what `lend` gave, once.
    unsafe {
        let loan = Box::from_raw(loan.cast::<Loan>());
        let is_over = loan.is_over();
        if !loan.given.is_null() {
            sys::napi_delete_reference(loan.lending.env, loan.given);
        }
        if is_over {
            drop(ManuallyDrop::into_inner(loan.memory));
        }
    }
}

/// Turns a Node-API status into a result.
pub(super) fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        return Ok(());
    }
    Err(Error::from_status(Status::from(status)))
}
