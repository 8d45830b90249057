//! The threadsafe function that wakes JavaScript.

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use hyco_hub::Wake;
use napi::{bindgen_prelude::Result, sys};

use super::lending::check;

/// The function; null before it is made and when it must not be called any more.
#[derive(Debug, Default)]
pub(super) struct Function(AtomicPtr<sys::napi_threadsafe_function__>);

impl Function {
    /// Creates it. It does not keep the process alive until it is told to.
    ///
    /// # Safety
    /// On the JavaScript thread of `env`, with an object as `resource`: the one that tools which watch
    /// asynchronous resources are shown. `context` is what `call` and `finalize` expect.
    #[expect(unsafe_code, reason = "Node-API calls")]
    pub(super) unsafe fn open(
        &self,
        env: sys::napi_env,
        resource: sys::napi_value,
        context: *mut c_void,
        call: unsafe extern "C" fn(sys::napi_env, sys::napi_value, *mut c_void, *mut c_void),
        finalize: unsafe extern "C" fn(sys::napi_env, *mut c_void, *mut c_void),
    ) -> Result<()> {
        let mut function = ptr::null_mut();
        // SAFETY: as this function's.
        unsafe {
            let mut name = ptr::null_mut();
            check(sys::napi_create_string_utf8(
                env,
                c"hyco-rs".as_ptr(),
                7,
                &mut name,
            ))?;
            check(sys::napi_create_threadsafe_function(
                env,
                ptr::null_mut(),
                resource,
                name,
                0,
                1,
                context,
                Some(finalize),
                context,
                Some(call),
                &mut function,
            ))?;
            check(sys::napi_unref_threadsafe_function(env, function))?;
        }
        self.0.store(function, Ordering::Release);
        Ok(())
    }

    /// Keeps the process alive, or lets it go.
    pub(super) fn hold(&self, env: sys::napi_env, hold: bool) {
        let function = self.0.load(Ordering::Acquire);
        if function.is_null() {
            return;
        }
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: on the JavaScript thread, with a function that has not been released.
        unsafe {
            if hold {
                sys::napi_ref_threadsafe_function(env, function);
            } else {
                sys::napi_unref_threadsafe_function(env, function);
            }
        }
    }

    /// It is not called any more; returns what it was, to be released.
    pub(super) fn revoke(&self) -> Revoked {
        Revoked(self.0.swap(ptr::null_mut(), Ordering::AcqRel))
    }
}

/// A function that is called by nobody who begins now. The end of its environment releases it, too.
pub(super) struct Revoked(sys::napi_threadsafe_function);

impl Revoked {
    /// Releases it.
    ///
    /// # Safety
    /// On the JavaScript thread, when nobody is in the middle of calling it, and while its
    /// environment is not ending.
    #[expect(unsafe_code, reason = "Node-API call")]
    pub(super) unsafe fn release(self) {
        if !self.0.is_null() {
            // SAFETY: as this function's; a pointer that is not null was taken once.
            unsafe {
                sys::napi_release_threadsafe_function(
                    self.0,
                    sys::ThreadsafeFunctionReleaseMode::abort,
                );
            }
        }
    }
}

impl Wake for Function {
    fn wake(&self) {
        let function = self.0.load(Ordering::Acquire);
        if function.is_null() {
            return;
        }
        #[expect(unsafe_code, reason = "Node-API call")]
        // SAFETY: the pointer is cleared, and the I/O thread joined, before the environment
        // releases the function. A full queue cannot be: it has no limit and one entry.
        unsafe {
            sys::napi_call_threadsafe_function(
                function,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            );
        }
    }
}
