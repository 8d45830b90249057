//! An HTTP request on its way to JavaScript's server and back, with JavaScript's part played by hand.

mod answers;
mod arriving;
mod setting;
