//! How records of TLS lie in a buffer, and what they take.

/// The most that `length` bytes become by encryption.
pub(super) fn worst_length(length: usize) -> usize {
    length + length.div_ceil(MAX_PLAINTEXT) * MAX_OVERHEAD + KEY_UPDATE
}

/// The length of the first record in `bytes`, if all of it is there or if rustls can tell from its header
/// that it never will be.
pub(super) fn next_record(bytes: &[u8]) -> Option<usize> {
    let &[kind, _, _, high, low, ..] = bytes else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !RECORD_TYPES.contains(&kind) || length >= MAX_CIPHERTEXT {
        return Some(HEADER);
    }
    (bytes.len() >= HEADER + length).then_some(HEADER + length)
}

/// Length of a record's header.
const HEADER: usize = 5;
/// change_cipher_spec, alert, handshake, application_data, heartbeat.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=24;
/// The most plaintext one record carries (RFC 8446 section 5.1).
const MAX_PLAINTEXT: usize = 16 * 1024;
/// From this payload length on rustls refuses a record.
const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 2048;
/// The most a record grows: header, explicit nonce of TLS 1.2, tag. TLS 1.3 needs less.
const MAX_OVERHEAD: usize = HEADER + 8 + 16;
/// Room for a key update that rustls sends before the next record on its own accord.
const KEY_UPDATE: usize = 32;
/// More than the longest handshake message rustls takes (64 KiB) in records of a sensible size.
pub(super) const MAX_HELD: usize = 128 * 1024;
