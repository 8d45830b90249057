//! Any bytes of a peer: the decoder never panics, and however its input is cut it finds the same.
#![no_main]

use hyco_fuzz::{cut, decode};
use hyco_websocket::DecoderConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [flags, size, bytes @ ..] = input else {
        return;
    };
    let config = DecoderConfig {
        max_payload: if flags & 1 == 0 { 0 } else { 1000 },
        max_fragments: if flags & 2 == 0 { 0 } else { 3 },
        validate_utf8: flags & 4 == 0,
        masked: flags & 8 == 0,
        large: if flags & 16 == 0 { 200 } else { 0 },
    };
    assert_eq!(decode(config, cut(bytes, *size)), decode(config, [bytes]));
});
