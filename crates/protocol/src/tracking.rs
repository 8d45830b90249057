//! Tracking ids: a GUID from the client, to which every node of the service appends `_G{n}`.

/// The part of a tracking id by which two ids are the same (docs/protocol.md, 1.5).
///
/// A GUID in front is that part; otherwise whatever stands before the suffixes of the service.
pub fn bare_id(id: &str) -> &str {
    if let Some(guid) = id.get(..GUID_LENGTH)
        && is_guid(guid)
    {
        return guid;
    }
    let mut bare = id;
    while let Some((front, suffix)) = bare.rsplit_once('_') {
        let node = suffix.strip_prefix('G').unwrap_or_default();
        if front.is_empty() || node.is_empty() || !node.bytes().all(|b| b.is_ascii_digit()) {
            break;
        }
        bare = front;
    }
    bare
}

/// Whether the text is a GUID: 36 characters, hexadecimal digits and four dashes.
pub fn is_guid(text: &str) -> bool {
    text.len() == GUID_LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A version 4 GUID made of 16 random bytes.
pub fn new_guid(random: [u8; 16]) -> String {
    let mut bytes = random;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!(
        "{}-{}-{}-{}-{}",
        hex(0..4),
        hex(4..6),
        hex(6..8),
        hex(8..10),
        hex(10..16)
    )
}

/// The tracking id in a text of the service, which contains `TrackingId:{id}`.
pub fn extract_tracking_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(LABEL)?;
    let end = rest
        .find(|c: char| c == ',' || c.is_whitespace())
        .unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

const GUID_LENGTH: usize = 36;
const LABEL: &str = "TrackingId:";

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "ca496b91-f5a3-4761-8eda-9a66dd9a2558";

    #[test]
    fn ids_are_the_same_by_their_guid() {
        assert_eq!(bare_id(GUID), GUID);
        assert_eq!(bare_id(&format!("{GUID}_G17_G30")), GUID);
        assert_eq!(bare_id("my_id_G12"), "my_id");
        assert_eq!(bare_id("my_id"), "my_id");
        assert_eq!(bare_id("_G1"), "_G1");
        assert_eq!(bare_id(""), "");
    }

    #[test]
    fn a_guid_is_made_of_random_bytes() {
        let guid = new_guid([0xff; 16]);
        assert_eq!(guid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert!(is_guid(&guid));
        assert!(!is_guid("ffffffff-ffff-4fff-bfff-fffffffffffg"));
    }

    #[test]
    fn tracking_ids_are_found_in_reason_phrases() {
        let text = "There is nobody. TrackingId:abc_G13, SystemTracker:sb://ns/hyco";
        assert_eq!(extract_tracking_id(text), Some("abc_G13"));
        assert_eq!(extract_tracking_id("TrackingId:abc"), Some("abc"));
        assert_eq!(extract_tracking_id("TrackingId:, x"), None);
        assert_eq!(extract_tracking_id("nothing"), None);
    }
}
