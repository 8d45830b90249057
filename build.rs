//! Links the addon against Node-API, and gives it the stamp of the boundary: see `scripts/stamp.mjs`.

use std::fs;

fn main() {
    napi_build::setup();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={STAMP}");
    println!("cargo::rustc-env=HYCO_RS_STAMP={}", stamp());
}

/// What the file exports. Without the file, as in a crate that was packed, there is no JavaScript that asks.
fn stamp() -> String {
    let text = fs::read_to_string(STAMP).unwrap_or_default();
    text.split('\'').nth(1).unwrap_or_default().to_owned()
}

const STAMP: &str = "native/stamp.js";
