//! Any bytes of a client: the relay never panics, and passes on exactly the messages in them.
#![no_main]

use hyco_fuzz::{Record, cut, decode};
use hyco_websocket::{ControlSink, DecoderConfig, ROOM, Rewriter, RewriterConfig, Violation};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Controls(Vec<Record>);

impl ControlSink for Controls {
    fn ping(&mut self, payload: &[u8]) {
        self.0.push(Record::Ping(payload.to_vec()));
    }

    fn pong(&mut self, payload: &[u8]) {
        self.0.push(Record::Pong(payload.to_vec()));
    }

    fn close(&mut self, code: Option<u16>, reason: &[u8]) {
        self.0.push(Record::Close(code, reason.to_vec()));
    }
}

fuzz_target!(|input: &[u8]| {
    let [flags, size, bytes @ ..] = input else {
        return;
    };
    let allow_rsv = flags & 1 == 1;
    let max_frame = u64::from(flags >> 1);
    let mut rewriter = Rewriter::new(RewriterConfig {
        allow_rsv,
        max_frame,
    });
    let mut controls = Controls::default();
    let (mut output, mut carry) = (Vec::new(), Vec::new());
    let mut violation = None;
    'input: for piece in cut(bytes, *size) {
        carry.extend_from_slice(piece);
        loop {
            let mut buffer = vec![0xee; ROOM];
            buffer.extend_from_slice(&carry);
            match rewriter.rewrite(&mut buffer, ROOM, &mut controls) {
                Ok(done) => {
                    assert!(done.boundary <= Some(done.written));
                    output.extend_from_slice(&buffer[..done.written]);
                    drop(carry.drain(..done.used));
                    if !done.no_room {
                        assert!(carry.len() <= 130);
                        break;
                    }
                    assert!(done.written > 0, "with room in front it gets on");
                }
                Err(found) => {
                    output.extend_from_slice(&buffer[..rewriter.salvaged()]);
                    violation = Some(found);
                    break 'input;
                }
            }
        }
    }
    if allow_rsv {
        return; // what an extension makes of its frames is not for the decoder to judge
    }

    // Text is the business of those who read it, so it is not looked at on the way.
    let config = |masked| DecoderConfig {
        max_payload: 0,
        max_fragments: 0,
        validate_utf8: false,
        masked,
        large: 200,
    };
    let is_message = |record: &Record| matches!(record, Record::Message(..));
    let (messages, others): (Vec<_>, Vec<_>) = decode(config(true), [bytes])
        .into_iter()
        .partition(is_message);
    assert_eq!(decode(config(false), [output.as_slice()]), messages);
    if violation != Some(Violation::InvalidUtf8) {
        controls.0.extend(violation.map(Record::Violation));
        assert_eq!(controls.0, others);
    }
});
