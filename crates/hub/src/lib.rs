//! The data plane of one environment, without JavaScript: what its I/O thread and its JavaScript
//! thread share.
//!
//! | part | holds |
//! |---|---|
//! | [`Links`] | the connections, by number and generation |
//! | [`HubInbox`] | what was received, and the [`Queue`] where it waits for JavaScript |
//! | [`write_rows`] | how JavaScript gets it, in memory that is its own |
//! | [`LoopInbox`] | the same, read on the loop of JavaScript |
//! | [`Homes`] | where a connection is read: on the I/O thread or on that loop |
//! | [`Turns`] | when the two threads wake each other |
//! | [`KeepAlive`] | which connections have lost their other end |
//! | [`Errands`] | what JavaScript leaves to the I/O thread |
//! | [`ring`] | the frames that JavaScript sends |
//! | [`Exchanges`] | HTTP requests that JavaScript's server answers |

mod batch;
mod errands;
mod exchanges;
mod homes;
mod inbox;
mod io_thread;
mod keep_alive;
mod links;
mod queue;
mod record;
pub mod ring;
mod rows;
mod slab;
mod speakers;
mod sync;
mod turns;

pub use batch::HubBatch;
pub use errands::{Errands, Task};
pub use exchanges::{Exchanges, Gateway};
pub use homes::{Homes, LoopTurn, Stay};
pub use inbox::{HubInbox, LoopInbox, live};
pub use io_thread::IoThread;
pub use keep_alive::KeepAlive;
pub use links::{Full, Handle, Links};
pub use queue::Queue;
pub use record::{RECORD_WORDS, Record, kind};
pub use rows::{Lend, STAGE, write_rows};
pub use slab::{Slab, SlabPool};
pub use turns::{Turns, Wake};
