//! Random bytes for ids and pauses.

/// Random bytes; zeros if the system has none, which only makes ids and pauses guessable.
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::warn!(%error, "no random numbers");
    }
    bytes
}
