//! An order in which each declaration comes after what it depends on, or the path of a cycle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use consort_model::{Code, Problem};

use super::declaration::{Declarations, Edge, Why};

/// The places of the list in an order that respects the edges, and the order of the blueprint
/// where the edges leave a choice.
pub(super) fn sorted(graph: &Declarations) -> Result<Vec<usize>, Problem> {
    let count = graph.list.len();
    let mut unmet = vec![0_usize; count];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, declaration) in graph.list.iter().enumerate() {
        for edge in &declaration.edges {
            unmet[at] += 1;
            dependents[edge.on].push(at);
        }
    }
    let free = (0..count).filter(|at| unmet[*at] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = free.collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for dependent in &dependents[at] {
            unmet[*dependent] -= 1;
            if unmet[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    if order.len() == count {
        Ok(order)
    } else {
        Err(cycle(graph, &unmet))
    }
}

/// Every node that is left has an edge to another one that is left, so that following them ends in
/// a cycle.
fn cycle(graph: &Declarations, unmet: &[usize]) -> Problem {
    let next = |at: usize| -> Option<&Edge> {
        graph.list[at].edges.iter().find(|edge| unmet[edge.on] > 0)
    };
    let mut seen = vec![false; unmet.len()];
    let mut here = unmet.iter().position(|unmet| *unmet > 0).unwrap_or(0);
    while !seen[here] {
        seen[here] = true;
        match next(here) {
            Some(edge) => here = edge.on,
            None => break,
        }
    }
    let start = here;
    let mut path = format!("`{}`", graph.list[start].address);
    while let Some(edge) = next(here) {
        here = edge.on;
        path.push_str(&format!(
            " {} `{}`",
            verb(&edge.why),
            graph.list[here].address
        ));
        if here == start {
            break;
        }
    }
    Problem {
        place: Some(graph.list[start].place.clone()),
        ..Problem::new(
            Code::BLUEPRINT_INVALID,
            format!("nodes depend on each other in a circle: {path}"),
        )
        .at(&graph.list[start].address)
        .remedy("Take one of these references or dependencies away.")
    }
}

const fn verb(why: &Why) -> &'static str {
    match why {
        Why::Reference => "refers to",
        Why::Setting => "uses",
        Why::ForEach => "takes its keys from",
        Why::Explicit => "depends on",
        Why::Trigger => "is replaced with",
    }
}
