//! What is wrong with a frame, in the words of npm's `ws`.

use thiserror::Error;

/// A frame that must end the connection.
///
/// Texts, codes and close codes are those of the receiver in `ws` 8, so that a relayed socket fails
/// as any `ws` socket does.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    /// The second or third reserved bit is set; no extension uses them.
    #[error("Invalid WebSocket frame: RSV2 and RSV3 must be clear")]
    UnexpectedRsv23,
    /// The first reserved bit is set although no extension was negotiated.
    #[error("Invalid WebSocket frame: RSV1 must be clear")]
    UnexpectedRsv1,
    /// The opcode does not exist, or may not stand here: a continuation of nothing, or a new message
    /// inside a fragmented one.
    #[error("Invalid WebSocket frame: invalid opcode {0}")]
    InvalidOpcode(u8),
    /// A control frame is fragmented.
    #[error("Invalid WebSocket frame: FIN must be set")]
    ExpectedFin,
    /// A control frame is longer than 125 bytes, or a close frame holds a single byte. The number is
    /// the length field of seven bits.
    #[error("Invalid WebSocket frame: invalid payload length {0}")]
    InvalidControlLength(u8),
    /// A client sent a frame without a mask.
    #[error("Invalid WebSocket frame: MASK must be set")]
    ExpectedMask,
    /// A server sent a masked frame.
    #[error("Invalid WebSocket frame: MASK must be clear")]
    UnexpectedMask,
    /// A frame announces more bytes than a JavaScript number can count.
    #[error("Unsupported WebSocket frame: payload length > 2^53 - 1")]
    LengthNotSafe,
    /// A message is longer than the configured maximum.
    #[error("Max payload size exceeded")]
    MessageTooLong,
    /// A message comes in more fragments than configured.
    #[error("Too many message fragments")]
    TooManyFragments,
    /// A close frame carries a code that may not be sent.
    #[error("Invalid WebSocket frame: invalid status code {0}")]
    InvalidCloseCode(u16),
    /// A text message or the reason of a close frame is not UTF-8.
    #[error("Invalid WebSocket frame: invalid UTF-8 sequence")]
    InvalidUtf8,
}

impl Violation {
    /// The `code` of the JavaScript error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnexpectedRsv23 => "WS_ERR_UNEXPECTED_RSV_2_3",
            Self::UnexpectedRsv1 => "WS_ERR_UNEXPECTED_RSV_1",
            Self::InvalidOpcode(_) => "WS_ERR_INVALID_OPCODE",
            Self::ExpectedFin => "WS_ERR_EXPECTED_FIN",
            Self::InvalidControlLength(_) => "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
            Self::ExpectedMask => "WS_ERR_EXPECTED_MASK",
            Self::UnexpectedMask => "WS_ERR_UNEXPECTED_MASK",
            Self::LengthNotSafe => "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
            Self::MessageTooLong => "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
            Self::TooManyFragments => "WS_ERR_TOO_MANY_BUFFERED_PARTS",
            Self::InvalidCloseCode(_) => "WS_ERR_INVALID_CLOSE_CODE",
            Self::InvalidUtf8 => "WS_ERR_INVALID_UTF8",
        }
    }

    /// The code of the close frame that answers it.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidUtf8 => 1007,
            Self::TooManyFragments => 1008,
            Self::LengthNotSafe | Self::MessageTooLong => 1009,
            Self::UnexpectedRsv23
            | Self::UnexpectedRsv1
            | Self::InvalidOpcode(_)
            | Self::ExpectedFin
            | Self::InvalidControlLength(_)
            | Self::ExpectedMask
            | Self::UnexpectedMask
            | Self::InvalidCloseCode(_) => 1002,
        }
    }

    /// Whether JavaScript sees a `RangeError`; otherwise it is a plain `Error`.
    pub fn is_range_error(&self) -> bool {
        *self != Self::InvalidUtf8
    }
}
