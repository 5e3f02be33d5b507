//! Priorities: how much still lies behind a task, and the order of work that follows.

use std::collections::BinaryHeap;

use crate::problem::Problem;
use crate::spec::Micros;

/// For each task the longest way from its start to the end of the workload, with these run times
/// and transfers.
pub(crate) fn upward(
    problem: &Problem,
    run: impl Fn(u32) -> Micros,
    mut transfer: impl FnMut(u32, Micros) -> Micros,
) -> Vec<Micros> {
    let graph = problem.graph();
    let mut rank = vec![0; graph.len()];
    for &task in graph.order().iter().rev() {
        let mut tail = 0;
        for arc in graph.children(task) {
            tail = tail.max(rank[arc.task as usize] + transfer(arc.task, arc.transfer));
        }
        rank[task as usize] = run(task) + tail;
    }
    rank
}

/// All tasks that were not begun, each after those that it needs, those of high priority first.
pub(crate) fn order(problem: &Problem, priority: &[Micros]) -> Vec<u32> {
    let graph = problem.graph();
    let mut missing: Vec<usize> = (0..problem.tasks())
        .map(|t| graph.parents(t).len())
        .collect();
    let entry = |task: u32| (priority[task as usize], std::cmp::Reverse(task));
    let mut ready: BinaryHeap<_> = (0..problem.tasks())
        .filter(|&t| missing[t as usize] == 0)
        .map(entry)
        .collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some((_, std::cmp::Reverse(task))) = ready.pop() {
        if problem.frozen(task).is_none() {
            order.push(task);
        }
        for arc in graph.children(task) {
            let left = &mut missing[arc.task as usize];
            *left -= 1;
            if *left == 0 {
                ready.push(entry(arc.task));
            }
        }
    }
    order
}
