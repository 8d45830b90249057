//! The header of a frame of either side, read without rules.

/// The header of a frame of either side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenHeader {
    pub(crate) first: u8,
    pub(crate) masked: bool,
    pub(crate) key: [u8; 4],
    pub(crate) length: u64,
    pub(crate) size: usize,
}

impl OpenHeader {
    /// Reads the header at the start of `bytes`; none when it is not whole.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], mut rest) = bytes.split_first_chunk::<2>()?;
        let length = match second & 0x7f {
            126 => {
                let (length, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                u64::from(u16::from_be_bytes(*length))
            }
            127 => {
                let (length, after) = rest.split_first_chunk::<8>()?;
                rest = after;
                u64::from_be_bytes(*length)
            }
            length => u64::from(length),
        };
        let masked = second & 0x80 != 0;
        let mut key = [0; 4];
        if masked {
            let (found, after) = rest.split_first_chunk::<4>()?;
            (key, rest) = (*found, after);
        }
        Some(Self {
            first,
            masked,
            key,
            length,
            size: bytes.len() - rest.len(),
        })
    }
}
