//! Handles of connections as JavaScript numbers.

use hyco_client::Upgraded;
use hyco_hub::Handle;
use napi::bindgen_prelude::Error;

use super::{Hub, Running, control::ReadSpec};
use crate::{error::Result, number::Whole};

impl Hub {
    /// Opens a connection under a handle of its own. Nothing is begun when there is none left.
    pub(super) fn open<F>(
        &self,
        running: &Running,
        read: ReadSpec,
        begin: impl FnOnce() -> F,
    ) -> Result<f64>
    where
        F: Future<Output = std::result::Result<Upgraded, hyco_client::Error>> + Send + 'static,
    {
        let mut links = self.side.links.borrow_mut();
        let handle = links.reserve().map_err(|full| {
            Error::new(hyco_client::Error::Closed.code().into(), full.to_string())
        })?;
        links.opening(handle, running.open(handle, read, begin()));
        Ok(handle.to_bits() as f64)
    }
}

/// A handle as JavaScript has it.
pub(super) type JsHandle = Whole<u64>;

impl From<JsHandle> for Handle {
    fn from(number: JsHandle) -> Self {
        Self::from_bits(number.0)
    }
}
