//! A linear relaxation that needs no solver: every task may be split over node types and pays for
//! its run time alone, and of all chains only the longest must keep the deadline.
//!
//! It relaxes the linear program over all chains, so what it says holds for that one too.

use crate::problem::Problem;
use crate::spec::Micros;

const MICROS_PER_HOUR: f64 = 3.6e9;

/// The relaxation's optimum, rounded down, in millionths of a dollar.
pub(super) fn cost(problem: &Problem, deadline: Micros) -> u64 {
    let open: Vec<u32> = (0..problem.tasks())
        .filter(|&t| problem.frozen(t).is_none())
        .collect();
    let choices = |task: &u32| hull(choices(problem, *task));
    let hulls: Vec<Vec<Choice>> = open.iter().map(choices).collect();
    let cheapest: f64 = hulls.iter().filter_map(|h| h.last()).map(|c| c.cost).sum();
    let mut index = vec![usize::MAX; problem.tasks() as usize];
    for (at, &task) in open.iter().enumerate() {
        index[task as usize] = at;
    }
    let on_chain: Vec<&Vec<Choice>> = longest_chain(problem, &hulls, &index)
        .into_iter()
        .map(|at| &hulls[at])
        .collect();
    let time = deadline.saturating_sub(problem.progress().now);
    let bound = cheapest + speed_up(&on_chain, time as f64);
    // Floating point sums of at most a million terms stay well within this.
    (bound * (1.0 - 1e-9)).max(0.0) as u64
}

/// A way to run a task: how long, and what that time alone costs.
#[derive(Debug, Clone, Copy)]
struct Choice {
    time: f64,
    cost: f64,
}

fn choices(problem: &Problem, task: u32) -> Vec<Choice> {
    let kinds = (0..problem.kinds()).filter_map(|kind| {
        let time = problem.run_time(task, kind)? as f64;
        let node = &problem.spec().types[kind as usize];
        // Others may use the rest of the node.
        let cpus = f64::from(problem.cpus_on(task, kind)) / f64::from(node.cpus_milli);
        let price = node.price_micro_usd_per_hour as f64;
        let cost = price * cpus * time / MICROS_PER_HOUR;
        Some(Choice { time, cost })
    });
    kinds.collect()
}

/// Those that a mixture of others does not beat, the fastest first and the cheapest last.
fn hull(mut all: Vec<Choice>) -> Vec<Choice> {
    all.sort_by(|a, b| {
        (a.time, a.cost)
            .partial_cmp(&(b.time, b.cost))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut hull: Vec<Choice> = Vec::new();
    for next in all {
        if hull.last().is_some_and(|last| next.cost >= last.cost) {
            continue;
        }
        while let [.., a, b] = hull[..]
            && slope(&a, &b) <= slope(&a, &next)
        {
            hull.pop();
        }
        hull.push(next);
    }
    hull
}

/// What a unit of time saves between two choices.
fn slope(fast: &Choice, slow: &Choice) -> f64 {
    (fast.cost - slow.cost) / (slow.time - fast.time)
}

/// The chain that takes longest when each task runs in its cheapest way.
fn longest_chain(problem: &Problem, hulls: &[Vec<Choice>], index: &[usize]) -> Vec<usize> {
    let graph = problem.graph();
    let mut end = vec![0.0_f64; hulls.len()];
    let mut before = vec![usize::MAX; hulls.len()];
    let mut last = None;
    for &task in graph.order() {
        let at = index[task as usize];
        if at == usize::MAX {
            continue;
        }
        let mut ready = 0.0;
        for parent in graph
            .parents(task)
            .iter()
            .map(|arc| index[arc.task as usize])
        {
            if parent != usize::MAX && end[parent] > ready {
                ready = end[parent];
                before[at] = parent;
            }
        }
        end[at] = ready + hulls[at].last().map_or(0.0, |choice| choice.time);
        if last.is_none_or(|known: usize| end[at] > end[known]) {
            last = Some(at);
        }
    }
    let chain = std::iter::successors(last, |&at| Some(before[at]).filter(|&b| b != usize::MAX));
    chain.collect()
}

/// What it costs beyond the cheapest to get a chain below a time: the best savings first.
fn speed_up(chain: &[&Vec<Choice>], time: f64) -> f64 {
    let slowest: f64 = chain.iter().filter_map(|h| h.last()).map(|c| c.time).sum();
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for hull in chain {
        for pair in hull.windows(2) {
            steps.push((slope(&pair[0], &pair[1]), pair[1].time - pair[0].time));
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut excess = slowest - time;
    let mut cost = 0.0;
    for (slope, length) in steps {
        if excess <= 0.0 {
            break;
        }
        let part = length.min(excess);
        cost += slope * part;
        excess -= part;
    }
    cost
}
