//! Frames that are read stretch by stretch, and frames that pass on with other masks.

use hyco_websocket::{Broken, OpCode, Part, PartReader, Remasker, append_frame};

/// Reads all of it in pieces of that size.
fn read(bytes: &[u8], size: usize, masked: bool) -> Result<Vec<String>, Broken> {
    let mut reader = PartReader::new(masked);
    let (mut held, mut seen) = (Vec::new(), Vec::new());
    let mut message = Vec::new();
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        loop {
            let (count, part) = reader.next(&mut held)?;
            match part {
                Some(Part::Text { bytes, last } | Part::Binary { bytes, last }) => {
                    message.extend_from_slice(bytes);
                    if last {
                        seen.push(format!("{} bytes", std::mem::take(&mut message).len()));
                    }
                }
                Some(other) => seen.push(format!("{other:?}")),
                None => {}
            }
            let stuck = part.is_none() && count == 0;
            held.drain(..count);
            if stuck {
                break;
            }
        }
    }
    Ok(seen)
}

fn sample(mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, true, OpCode::Text, b"hello", mask);
    append_frame(&mut bytes, false, OpCode::Binary, &[7; 300], mask);
    append_frame(&mut bytes, true, OpCode::Ping, b"p", mask);
    append_frame(&mut bytes, false, OpCode::Continuation, &[8; 70_000], mask);
    append_frame(&mut bytes, true, OpCode::Continuation, b"", mask);
    append_frame(&mut bytes, true, OpCode::Close, &[3, 232], mask);
    bytes
}

#[test]
fn frames_are_read_however_they_are_cut() {
    let expected = ["5 bytes", "Ping([112])", "70300 bytes", "Close(1000)"];
    for size in [1, 2, 3, 7, 1000, 1_000_000] {
        assert_eq!(read(&sample(None), size, false).unwrap(), expected);
        let masked = sample(Some([1, 2, 3, 4]));
        assert_eq!(read(&masked, size, true).unwrap(), expected);
    }
}

#[test]
fn what_a_relay_may_not_send_is_refused() {
    assert!(read(&sample(Some([1, 2, 3, 4])), 64, false).is_err());
    assert!(read(&sample(None), 64, true).is_err());
    for bad in [
        &[0x80, 0][..],
        &[0x91, 0],
        &[0x09, 0],
        &[0x8b, 0],
        &[0x89, 126, 0, 126],
        &[0x01, 0, 0x81, 0],
    ] {
        assert!(read(bad, 64, false).is_err(), "{bad:?}");
    }
}

#[test]
fn a_mask_is_put_on_taken_off_and_changed_however_frames_are_cut() {
    let key = [9, 8, 7, 6];
    for (from, to) in [(None, key), (Some(key), [0; 4]), (Some([1, 2, 3, 4]), key)] {
        for size in [1, 3, 4, 1000] {
            let (mut remasker, mut out) = (Remasker::default(), Vec::new());
            for piece in sample(from).chunks(size) {
                remasker.write(piece, &mut out, || to);
            }
            assert!(remasker.is_between_frames());
            assert!(out == sample(Some(to)), "{from:?} to {to:?} by {size}");
        }
    }
}
