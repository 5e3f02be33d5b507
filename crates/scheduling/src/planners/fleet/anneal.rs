//! Simulated annealing over any space of states.

use super::goal::Value;
use crate::random::Random;
use crate::work::Work;

/// A space that can be searched.
pub(super) trait Space {
    type State: Clone;

    /// Units of work for one look at a state.
    fn effort(&self, state: &Self::State) -> u64;

    /// How bad a state is; it may be tidied on the way. `None` for one that is no plan.
    fn value(&mut self, state: &mut Self::State) -> Option<Value>;

    /// A neighbour.
    fn vary(&self, state: &Self::State, random: &mut Random) -> Self::State;
}

/// The temperature at the start, as a part of the first value; it falls to nothing as work is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cooling(pub(super) f64);

/// The best state that was seen; `None` if there was no work for even one look.
pub(super) fn anneal<S: Space>(
    space: &mut S,
    start: S::State,
    cooling: Cooling,
    random: &mut Random,
    work: &mut Work<'_>,
) -> Option<S::State> {
    let total = work.left() as f64;
    if !work.spend(space.effort(&start)) {
        return None;
    }
    let mut state = start;
    let mut value = space.value(&mut state)?;
    let (mut best, mut best_value) = (state.clone(), value);
    loop {
        let mut next = space.vary(&state, random);
        if !work.spend(space.effort(&next)) {
            return Some(best);
        }
        let Some(next_value) = space.value(&mut next) else {
            continue;
        };
        let heat = cooling.0 * best_value.soft * (work.left() as f64 / total);
        let worse = next_value.soft - value.soft;
        if worse <= 0.0 || (heat > 0.0 && random.chance((-worse / heat).exp())) {
            state = next;
            value = next_value;
            if value.merit < best_value.merit {
                best = state.clone();
                best_value = value;
            }
        }
    }
}
