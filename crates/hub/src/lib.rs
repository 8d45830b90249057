//! The data plane of one environment, without JavaScript: what its I/O thread and its JavaScript
//! thread share.
//!
//! | part | holds |
//! |---|---|
//! | [`Links`] | the connections, by number and generation |
//! | [`HubInbox`] | what was received and waits for JavaScript |
//! | [`Turns`] | when the two threads wake each other |
//! | [`Errands`] | what JavaScript leaves to the I/O thread |
//! | [`ring`] | the frames that JavaScript sends |

mod errands;
mod inbox;
mod io_thread;
mod links;
pub mod ring;
mod slab;
mod turns;

pub use errands::Errands;
pub use inbox::{HubBatch, HubInbox, Queue, Record, kind};
pub use io_thread::IoThread;
pub use links::{Full, Handle, Links};
pub use slab::{Slab, SlabPool};
pub use turns::{Turns, Wake};
