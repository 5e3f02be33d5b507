//! Orders in which tasks are placed, and the sub-deadlines that go with them.

use std::rc::Rc;

use crate::problem::Problem;
use crate::random::Random;
use crate::rank;
use crate::spec::{Micros, Objective};

/// By upward rank on the fastest nodes with full transfers.
pub(super) fn usual(problem: &Problem) -> Rc<[u32]> {
    let priority = rank::upward(problem, |t| problem.fastest(t), |_, transfer| transfer);
    rank::order(problem, &priority).into()
}

/// By rank with some other speed, weight of transfers and noise.
pub(super) fn varied(problem: &Problem, random: &mut Random) -> Rc<[u32]> {
    let slowness = random.between(1.0, 5.0);
    let weight = random.between(0.0, 1.2);
    let noise = random.between(0.0, 0.6);
    let run = |task: u32| (problem.fastest(task) as f64 * slowness) as Micros;
    let mut priority = rank::upward(problem, run, |_, transfer| {
        (transfer as f64 * weight) as Micros
    });
    for value in &mut priority {
        *value = (*value as f64 * (1.0 + noise * random.unit())) as Micros;
    }
    rank::order(problem, &priority).into()
}

/// For each task when it should have ended; without a deadline, whenever it likes.
pub(super) fn limits(problem: &Problem, random: &mut Random) -> Rc<[Micros]> {
    let Objective::Deadline(deadline) = problem.objective() else {
        return vec![Micros::MAX; problem.tasks() as usize].into();
    };
    let weight = random.between(0.0, 1.2);
    let spread = random.between(0.9, 1.0);
    let run = |task: u32| problem.fastest(task);
    let rank = rank::upward(problem, run, |_, transfer| {
        (transfer as f64 * weight) as Micros
    });
    let longest = rank.iter().copied().max().unwrap_or(0).max(1) as f64;
    let now = problem.progress().now.min(deadline);
    let time = (deadline - now) as f64;
    let limit = |task: u32| {
        let tail = rank[task as usize] - problem.fastest(task);
        let part = spread * (1.0 - tail as f64 / longest) + (1.0 - spread);
        now + (time * part) as Micros
    };
    (0..problem.tasks()).map(limit).collect()
}
