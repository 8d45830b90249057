//! Reading the header of a frame.

use crate::Violation;

/// What a reader expects of every frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Whether the other side is a client.
    pub(crate) masked: bool,
    /// Whether an extension may use the reserved bits.
    pub(crate) allow_rsv: bool,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    /// Length of the payload.
    pub(crate) length: u64,
    /// The mask, zero where there is none.
    pub(crate) mask: [u8; 4],
    /// Length of the header itself.
    pub(crate) size: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` when it is not whole yet.
    ///
    /// The checks come in the order in which `ws` makes them.
    #[inline]
    pub(crate) fn read(
        bytes: &[u8],
        rules: Rules,
        fragmented: bool,
    ) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        check(first, second, rules, fragmented)?;
        let (length, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            length => (u64::from(length), rest),
        };
        if length > MAX_SAFE_INTEGER {
            return Err(Violation::LengthNotSafe);
        }
        let (mask, rest) = if rules.masked {
            match rest.split_first_chunk::<4>() {
                Some((mask, rest)) => (*mask, rest),
                None => return Ok(None),
            }
        } else {
            ([0; 4], rest)
        };
        Ok(Some(Self {
            first,
            length,
            mask,
            size: bytes.len() - rest.len(),
        }))
    }

    pub(crate) fn fin(&self) -> bool {
        self.first & 0x80 != 0
    }

    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn is_control(&self) -> bool {
        self.opcode() >= 8
    }
}

/// Checks the first two bytes of a frame.
#[inline]
fn check(first: u8, second: u8, rules: Rules, fragmented: bool) -> Result<(), Violation> {
    if !rules.allow_rsv && first & 0x70 != 0 {
        return Err(match first & 0x30 {
            0 => Violation::UnexpectedRsv1,
            _ => Violation::UnexpectedRsv23,
        });
    }
    let opcode = first & 0x0f;
    match opcode {
        0 if fragmented => {}
        1 | 2 if !fragmented => {}
        8..=10 => {
            if first & 0x80 == 0 {
                return Err(Violation::ExpectedFin);
            }
            let length = second & 0x7f;
            if length > 125 || opcode == 8 && length == 1 {
                return Err(Violation::InvalidControlLength(length));
            }
        }
        _ => return Err(Violation::InvalidOpcode(opcode)),
    }
    match (rules.masked, second & 0x80 != 0) {
        (true, false) => Err(Violation::ExpectedMask),
        (false, true) => Err(Violation::UnexpectedMask),
        (true, true) | (false, false) => Ok(()),
    }
}

/// The longest payload that JavaScript can count; `ws` refuses longer ones.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
