//! Percent encodings. Encoders differ only in what they leave alone (docs/protocol.md, 2.2).

use std::borrow::Cow;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

/// Encodes all but the unreserved characters of RFC 3986.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Encodes as JavaScript's `encodeURIComponent` does.
pub(crate) fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// Encodes what may not stand in the path or query of a URI; valid and invalid escapes stay.
pub(crate) fn encode_illegal(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, ILLEGAL).into()
}

/// Encodes what a reader of a token's field would misread, and nothing else.
pub(crate) fn encode_field(text: &str) -> String {
    utf8_percent_encode(text, FIELD).to_string()
}

/// Encodes a path segment by segment: slashes stay, `?`, `#` and `%` do not.
pub(crate) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// Decodes escapes; bytes that are no UTF-8 become replacement characters.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Decodes escapes and `+`, which means a blank in a query.
pub(crate) fn decode_plus(text: &str) -> String {
    match text.contains('+') {
        true => decode(&text.replace('+', " ")),
        false => decode(text),
    }
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

const COMPONENT: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

const ILLEGAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const PATH: &AsciiSet = &ILLEGAL.add(b'%').add(b'?').add(b'#').add(b'[').add(b']');

const FIELD: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'+');
