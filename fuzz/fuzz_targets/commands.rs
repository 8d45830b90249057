//! Any text message of a control channel: what can be read is written as something that reads the
//! same, and printing it for a log shows no token.
#![no_main]

use hyco_protocol::{Command, Reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(command) = Command::parse(text) {
        let again = Command::parse(&command.to_json()).expect("what was written can be read");
        assert_eq!(command.to_json(), again.to_json());
    }
    if let Ok(reply) = Reply::parse(text) {
        let again = Reply::parse(&reply.to_json()).expect("what was written can be read");
        assert_eq!(reply.to_json(), again.to_json());
        if let Reply::RenewToken(_) = reply {
            assert_eq!(format!("{reply:?}"), "RenewToken(***)");
        }
    }
});
