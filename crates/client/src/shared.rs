//! What a listener's handle and its task have in common.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::{Semaphore, watch};

use crate::{
    dial::Dialer, http::Requests, pending::PendingAccepts, question::Question,
    token_provider::TokenQuestion,
};

/// What the handle and the task have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialer: Dialer,
    pub(crate) accept_timeout: Duration,
    pub(crate) tokens: Arc<TokenQuestion>,
    /// Come back after that pause, or not at all?
    pub(crate) decisions: Question<Option<Duration>>,
    /// The application wants the next failure or loss to be the last.
    pub(crate) stays_down: AtomicBool,
    pub(crate) pending: PendingAccepts,
    /// Rendezvous that may be opened beside those that are being opened.
    pub(crate) dials: Arc<Semaphore>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) closing: watch::Sender<bool>,
}
