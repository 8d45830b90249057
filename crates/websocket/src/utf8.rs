//! Whether bytes are UTF-8.

use std::ops::Range;

use crate::Violation;

/// Fails unless `bytes` are UTF-8.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<(), Violation> {
    simdutf8::basic::from_utf8(bytes)
        .map(drop)
        .map_err(|_| Violation::InvalidUtf8)
}

/// Takes the payload of a close frame apart: the code, and where in the payload the reason lies.
pub(crate) fn close_payload(
    payload: &[u8],
    validate_utf8: bool,
) -> Result<(Option<u16>, Range<usize>), Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Ok((None, 0..0));
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid_close_code(code) {
        return Err(Violation::InvalidCloseCode(code));
    }
    if validate_utf8 {
        check(reason)?;
    }
    Ok((Some(code), 2..payload.len()))
}

fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
