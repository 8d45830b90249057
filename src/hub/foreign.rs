//! Memory of Rust's in the hands of JavaScript.

use std::{ffi::c_void, ptr, sync::Arc};

use hyco_client::connection::BufferPool;
use hyco_hub::Slab;
use napi::{
    Status,
    bindgen_prelude::{Error, Result},
    sys,
};

/// Shows a slab as an ArrayBuffer that keeps it alive; `None` where that is forbidden (Electron).
#[expect(unsafe_code, reason = "Node-API calls")]
pub(super) unsafe fn show(env: sys::napi_env, slab: &Arc<Slab>) -> Result<Option<sys::napi_value>> {
    unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
        // SAFETY: gives back the count that was leaked below, once.
        drop(unsafe { Arc::from_raw(hint.cast::<Slab>()) });
    }

    let start = slab.as_ptr().cast::<c_void>();
    let hint = Arc::into_raw(Arc::clone(slab)).cast_mut().cast::<c_void>();
    let mut buffer = ptr::null_mut();
    // SAFETY: the memory lives until `release`; on failure `release` is not called.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env,
            start,
            Slab::SIZE,
            Some(release),
            hint,
            &mut buffer,
        )
    };
    if status == sys::Status::napi_ok {
        return Ok(Some(buffer));
    }
    // SAFETY: as in `release`.
    drop(unsafe { Arc::from_raw(hint.cast::<Slab>()) });
    if status == sys::Status::napi_no_external_buffers_allowed {
        return Ok(None);
    }
    check(status).map(|()| None)
}

/// Gives a large message to JavaScript; its memory goes back to the pool.
#[expect(unsafe_code, reason = "Node-API calls")]
pub(super) unsafe fn hand_over(
    env: sys::napi_env,
    bytes: Vec<u8>,
    pool: &Arc<BufferPool>,
    share: bool,
) -> Result<sys::napi_value> {
    struct Lent {
        bytes: Vec<u8>,
        pool: Arc<BufferPool>,
    }
    unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
        // SAFETY: takes back what was leaked below, once.
        let lent = unsafe { Box::from_raw(hint.cast::<Lent>()) };
        lent.pool.give(lent.bytes);
    }

    let mut lent = Box::new(Lent {
        bytes,
        pool: Arc::clone(pool),
    });
    let (start, length) = (lent.bytes.as_mut_ptr().cast::<c_void>(), lent.bytes.len());
    let hint = Box::into_raw(lent).cast::<c_void>();
    let mut buffer = ptr::null_mut();
    let mut status = if share {
        // SAFETY: the memory lives until `release`; on failure `release` is not called.
        unsafe {
            sys::napi_create_external_buffer(env, length, start, Some(release), hint, &mut buffer)
        }
    } else {
        sys::Status::napi_no_external_buffers_allowed
    };
    if status != sys::Status::napi_ok {
        // SAFETY: as above. Where external memory is forbidden (Electron) the bytes are copied.
        unsafe {
            status = sys::napi_create_buffer_copy(env, length, start, ptr::null_mut(), &mut buffer);
            release(env, start, hint);
        }
    }
    check(status)?;
    Ok(buffer)
}

/// Turns a Node-API status into a result.
pub(super) fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        return Ok(());
    }
    Err(Error::from_status(Status::from(status)))
}
