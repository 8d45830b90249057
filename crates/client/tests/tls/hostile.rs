//! What a server may cost that does not mean well.

use std::sync::Arc;

use hyco_client::TlsSession;

use crate::peer::{KINDS, Pair, localhost};

/// How much is kept of a handshake message that does not become whole.
const MOST: usize = 128 * 1024;

#[test]
fn a_handshake_message_in_tiny_records_is_refused_before_it_costs_much() {
    // Of the longest message that is allowed, in records that have one byte of it each.
    let record = |byte| [0x16, 3, 3, 0, 1, byte];
    let mut session =
        TlsSession::new(Arc::clone(&Pair::new(KINDS[0]).client), localhost()).unwrap();
    let mut outgoing = Vec::new();
    session.start(&mut outgoing).unwrap();
    let mut fed = 0;
    let refused = loop {
        let byte = [2, 0, 0xff, 0xff].get(fed / 6).copied().unwrap_or_default();
        let mut record = record(byte);
        fed += record.len();
        if let Err(error) = session.decrypt(&mut record, 0, 6, &mut outgoing) {
            break error;
        }
        assert!(fed <= MOST, "{fed} bytes are kept");
    };
    assert!(fed > MOST / 2, "{refused} after {fed} bytes");
}
