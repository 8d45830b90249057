//! Numbers of JavaScript, checked for what they become. Node-API alone would cut them: 2**32 + 1
//! becomes 1, and NaN becomes 0.

use std::{any, time::Duration};

use napi::{
    Status, ValueType,
    bindgen_prelude::{Error, FromNapiValue, Result, TypeName, ValidateNapiValue},
    sys,
};

/// An integer that is not negative and fits its type.
#[derive(Clone, Copy, Debug)]
pub struct Whole<T>(pub T);

/// A time in milliseconds: at least 0, at most a little under 50 days.
#[derive(Clone, Copy, Debug)]
pub struct Milliseconds(pub Duration);

impl<T: TryFrom<u64>> FromNapiValue for Whole<T> {
    #[expect(unsafe_code, reason = "required by the trait")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: as this function's.
        let number = unsafe { f64::from_napi_value(env, value)? };
        let whole = number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(&number);
        let fitting = whole.then(|| T::try_from(number as u64).ok()).flatten();
        fitting.map(Self).ok_or_else(|| {
            let kind = any::type_name::<T>();
            refused(&format!("{number} is no whole number that fits {kind}"))
        })
    }
}

impl FromNapiValue for Milliseconds {
    #[expect(unsafe_code, reason = "required by the trait")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: as this function's.
        let number = unsafe { f64::from_napi_value(env, value)? };
        if (0.0..=f64::from(u32::MAX)).contains(&number) {
            return Ok(Self(Duration::from_secs_f64(number / 1e3)));
        }
        Err(refused(&format!("{number} is no number of milliseconds")))
    }
}

impl<T> TypeName for Whole<T> {
    fn type_name() -> &'static str {
        "number"
    }

    fn value_type() -> ValueType {
        ValueType::Number
    }
}

impl TypeName for Milliseconds {
    fn type_name() -> &'static str {
        "number"
    }

    fn value_type() -> ValueType {
        ValueType::Number
    }
}

impl<T: TryFrom<u64>> ValidateNapiValue for Whole<T> {}
impl ValidateNapiValue for Milliseconds {}

fn refused(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason)
}

/// `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
