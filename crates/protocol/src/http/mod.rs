//! The rules by which HTTP messages become commands of the relay, and commands HTTP messages.
//!
//! A hop-by-hop header belongs to one connection, so it never crosses the relay. What a relayed request
//! says becomes text that an HTTP parser reads; everything in it is checked or escaped here, since the
//! JSON of a command can hold what a header line cannot (docs/protocol.md, 5.2 to 5.4).

mod headers;
mod parser;
mod request;
mod response;

pub use headers::{check_headers, is_token, without_hop_by_hop};
pub use parser::{AnswerParser, AnswerSink, Malformed};
pub use request::{BadRequest, Framing, RequestHead, upgrade_head};
pub(crate) use response::SET_COOKIE;
pub use response::{Cookies, ResponseHead, has_no_body};
