//! Internal deadlines. Planners are not monotone in the deadline, so a plan for a tighter one is
//! often cheaper; on a grid that does not depend on the deadline, a looser one sees all plans that a
//! tighter one saw.

use crate::bound;
use crate::problem::Problem;
use crate::spec::Micros;

/// Thousandths by which grid points grow, for problems of up to so many tasks.
const STEPS: [(u32, u64); 4] = [(300, 1050), (2_000, 1150), (20_000, 1500), (u32::MAX, 4000)];

/// Beyond this many times the shortest makespan the grid gets coarse.
const FINE: u64 = 8;
const COARSE: u64 = 1600;

/// The grid points up to a deadline, the tightest first.
pub(super) fn absolute(problem: &Problem, deadline: Micros) -> Vec<Micros> {
    let now = problem.progress().now;
    let shortest = bound::makespan(problem).saturating_sub(now).max(1);
    let step = STEPS.iter().find(|(tasks, _)| problem.tasks() <= *tasks);
    let step = step.map_or(COARSE, |found| found.1);
    let mut grid = Vec::new();
    let mut time = u128::from(shortest);
    let most = u128::from(deadline.saturating_sub(now));
    while time <= most {
        grid.push(now + time as Micros);
        let fine = time < u128::from(shortest) * u128::from(FINE);
        let factor = if fine { step } else { step.max(COARSE) };
        time = (time * u128::from(factor)).div_ceil(1000).max(time + 1);
    }
    grid
}

/// The grid, and some parts of the deadline itself.
pub(super) fn around(problem: &Problem, deadline: Micros) -> Vec<Micros> {
    let now = problem.progress().now;
    let time = u128::from(deadline.saturating_sub(now));
    let part = |percent: u128| now + (time * percent / 100) as Micros;
    let few = problem.tasks() > 20_000;
    let parts: &[u128] = if few { &[100] } else { &[100, 95, 90, 80] };
    let mut grid = absolute(problem, deadline);
    grid.extend(parts.iter().map(|&percent| part(percent)));
    grid.sort_unstable();
    grid.dedup();
    grid
}
