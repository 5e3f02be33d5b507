//! Milliseconds since the process first asked; small enough for an atomic.

use std::sync::OnceLock;
use std::time::Instant;

/// Milliseconds since the first call, plus one: 0 is free to mean "never".
pub(crate) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
}
