//! Masking keys.

use std::collections::HashSet;

use hyco_websocket::MaskSource;

#[test]
fn keys_differ_across_refills_and_sources() {
    let (mut one, mut other) = (MaskSource::new(), MaskSource::new());
    let keys: HashSet<[u8; 4]> = (0..2000).flat_map(|_| [one.next(), other.next()]).collect();
    // 4,000 of 2^32 keys collide about 0.002 times.
    assert!(keys.len() >= 3995);
}

#[test]
fn a_source_keeps_its_keys_out_of_logs() {
    let mut source = MaskSource::new();
    source.next();
    assert_eq!(format!("{source:?}"), "MaskSource { .. }");
}
