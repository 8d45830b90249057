//! How an exchange can end.

use hyco_protocol::http::ResponseHead;

use crate::{error::Error, http::channel::Channel};

/// How an exchange ended well.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The answer is whole and small; it has not been sent.
    Whole(ResponseHead, Vec<u8>),
    /// The answer was sent by the rendezvous, which is still open.
    Sent,
}

/// What is left of an exchange.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The rendezvous, if there is one.
    pub(crate) channel: Option<Box<Channel>>,
    /// The rest of the body still comes there.
    pub(crate) body_left: bool,
    /// The status of the answer that has begun there; none when no other can be in its way.
    pub(crate) status: Option<u16>,
    /// The server has not said a byte.
    pub(crate) is_unanswered: bool,
    /// Whether the server's connection can serve another request.
    pub(crate) reusable: bool,
}

/// How an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No head came within its time.
    TimedOut,
    /// The handler threw.
    HandlerFailed,
    /// No server takes it.
    NotServed,
    /// The server gave up, or wrote what cannot be relayed.
    Server(Error),
    /// The server gave up after it had begun its answer.
    BrokenOff(Error),
    /// The handler ended its answer on purpose after that had begun.
    GivenUp,
    /// Open requests are given up.
    Closed,
    /// The rendezvous could not be opened.
    Rendezvous(Error),
    /// The sender left.
    SenderGone,
    /// The relay, or the sender behind it, does not move any more.
    Stalled,
    /// What came in place of a body is none.
    NoBody,
}
