//! Which of the ready targets gets the next piece of work: the less loaded of two drawn at random.
//! Two draws are nearly as even as a full scan, and do not send a whole burst to the one that is
//! emptiest (Mitzenmacher, "The power of two choices").

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A number below `bound`, which is at least 1. Spreads load; no secret depends on it.
pub(crate) fn draw(bound: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
    }
    let mixed = STATE.with(|state| {
        // splitmix64
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let z = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    usize::try_from(mixed % (bound.max(1) as u64)).unwrap_or(0)
}

/// The index of the choice among `loads`, or `None` if there is none.
pub(crate) fn choose(loads: &[usize]) -> Option<usize> {
    match loads.len() {
        0 => None,
        1 => Some(0),
        count => {
            let first = draw(count);
            let second = (first + 1 + draw(count - 1)) % count;
            Some(if loads[second] < loads[first] {
                second
            } else {
                first
            })
        }
    }
}
