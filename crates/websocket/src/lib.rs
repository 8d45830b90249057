//! The websocket crate.
