//! Exceptions of listeners that were called in the middle of other work.

use napi::{Env, JsValue, bindgen_prelude::Unknown, sys};
use napi_derive::napi;

/// Makes `error` an uncaught exception, as if it had been thrown in an event of its own: the
/// process ends unless something handles `'uncaughtException'`.
#[napi(catch_unwind)]
pub fn raise(env: Env, #[napi(ts_arg_type = "unknown")] error: Unknown<'_>) {
    #[expect(unsafe_code, reason = "Node-API call")]
    // SAFETY: called from JavaScript with a live value.
    unsafe {
        sys::napi_fatal_exception(env.raw(), error.raw());
    }
}
