//! Time and chance, at the edge of the pure machines: the one place where the engine reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use consort_model::Timestamp;

/// Now, by the wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Random bytes from the kernel.
///
/// # Panics
/// When the kernel has none to give: nothing can be kept apart or secret then.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// A number from 0 to 999, for the jitter of retries.
pub(crate) fn entropy() -> u16 {
    u16::from_le_bytes(random::<2>()) % 1000
}
