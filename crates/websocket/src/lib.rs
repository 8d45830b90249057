//! The frames of RFC 6455, without any I/O: bytes in, records out.
//!
//! * [`Decoder`] reads frames in place and reports messages as ranges of the input; only large and
//!   fragmented messages are copied together.
//! * [`append_frame`] writes a frame, masking while it copies.
//! * [`Rewriter`] turns the frames of one client into those the other client may read, for a relay.
//!
//! A frame that breaks the protocol is a [`Violation`], with the texts and codes of npm's `ws`.
#![forbid(unsafe_code)]

mod assembly;
mod decoder;
mod frame;
mod header;
mod mask;
mod mask_source;
mod open_header;
mod parts;
mod remasker;
mod rewriter;
mod utf8;
mod violation;

pub use assembly::{Assembled, Direct};
pub use decoder::{Decoder, DecoderConfig, Sink};
pub use frame::{OpCode, append_frame, frame_header};
pub use mask::mask_in_place;
pub use mask_source::MaskSource;
pub use parts::{Broken, Part, PartReader};
pub use remasker::Remasker;
pub use rewriter::{ControlSink, ROOM, Rewriter, RewriterConfig, Rewritten};
pub use violation::Violation;

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
