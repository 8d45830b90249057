//! What one call of JavaScript is lent of the slabs.

use std::{cell::Cell, ops::Range, ptr, sync::Arc};

use hyco_hub::{Lend, Slab};
use napi::{bindgen_prelude::Result, sys};

use super::lending::{Lending, Memory, check};

/// Collects the ArrayBuffers of one call.
pub(super) struct Lender<'a> {
    env: sys::napi_env,
    lending: Lending,
    /// Whether JavaScript may see memory of Rust's, as far as is known.
    share: &'a Cell<bool>,
    /// The JavaScript array of them; null when there is none.
    buffers: sys::napi_value,
    count: u32,
}

impl<'a> Lender<'a> {
    pub(super) fn new(env: sys::napi_env, lending: Lending, share: &'a Cell<bool>) -> Self {
        Self {
            env,
            lending,
            share,
            buffers: ptr::null_mut(),
            count: 0,
        }
    }

    /// The JavaScript array of what was lent; null when there is none.
    pub(super) fn into_buffers(self) -> sys::napi_value {
        self.buffers
    }
}

impl Lend for Lender<'_> {
    type Error = napi::Error;

    fn lend(&mut self, slab: &Arc<Slab>, range: Range<usize>) -> Result<Option<u32>> {
        if !self.share.get() {
            return Ok(None);
        }
        let start = slab.pointer(&range);
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: within `deliver`. The bytes are those of records, which the I/O thread leaves
        // alone, and nobody but JavaScript reads them after this.
        unsafe {
            let memory = Memory::Slab(Arc::clone(slab));
            let Ok(buffer) = self.lending.lend(memory, start, range.len())? else {
                self.share.set(false);
                return Ok(None);
            };
            if self.buffers.is_null() {
                check(sys::napi_create_array(self.env, &mut self.buffers))?;
            }
            check(sys::napi_set_element(
                self.env,
                self.buffers,
                self.count,
                buffer,
            ))?;
        }
        self.count += 1;
        Ok(Some(self.count))
    }
}
