//! JavaScript values.

use std::ptr;

use napi::{bindgen_prelude::Result, sys};

use super::lending::check;

/// An array of what `value` makes of the items.
///
/// # Safety
/// On the JavaScript thread of `env`, with a handle scope open.
#[expect(unsafe_code, reason = "Node-API calls")]
pub(super) unsafe fn array<T>(
    env: sys::napi_env,
    items: impl ExactSizeIterator<Item = T>,
    value: impl Fn(T) -> Result<sys::napi_value>,
) -> Result<sys::napi_value> {
    let mut array = ptr::null_mut();
    // SAFETY: as this function's.
    check(unsafe { sys::napi_create_array_with_length(env, items.len(), &mut array) })?;
    for (index, item) in (0..).zip(items) {
        let value = value(item)?;
        // SAFETY: as this function's.
        check(unsafe { sys::napi_set_element(env, array, index, value) })?;
    }
    Ok(array)
}

/// A string.
///
/// # Safety
/// On the JavaScript thread of `env`, with a handle scope open.
#[expect(unsafe_code, reason = "Node-API call")]
pub(super) unsafe fn string(env: sys::napi_env, text: &str) -> Result<sys::napi_value> {
    let mut string = ptr::null_mut();
    let (start, length) = (text.as_ptr().cast(), text.len() as isize);
    // SAFETY: as this function's.
    check(unsafe { sys::napi_create_string_utf8(env, start, length, &mut string) })?;
    Ok(string)
}

/// An ArrayBuffer of JavaScript's own with these bytes.
///
/// # Safety
/// On the JavaScript thread of `env`, with a handle scope open.
#[expect(unsafe_code, reason = "Node-API call")]
pub(super) unsafe fn copy(env: sys::napi_env, bytes: &[u8]) -> Result<sys::napi_value> {
    let (mut buffer, mut start) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: as this function's; the new memory has this length and is nobody else's.
    unsafe {
        check(sys::napi_create_arraybuffer(
            env,
            bytes.len(),
            &mut start,
            &mut buffer,
        ))?;
        if !bytes.is_empty() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast::<u8>(), bytes.len());
        }
    }
    Ok(buffer)
}
