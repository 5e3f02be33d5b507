use consort_scheduling::{LeaseSpan, Objective, Problem, lower_bound};

use crate::support::{SECOND, ic_pcp_example, machine_shares, segments, task};

#[test]
fn the_makespan_bound_knows_the_chain_and_the_processors() {
    let problem = Problem::new(segments(Objective::Deadline(SECOND))).unwrap();
    // 83 s of work on two processors; the chain alone is 23 s.
    assert_eq!(lower_bound(&problem).makespan, 41_500_000);
}

#[test]
fn the_cost_bound_falls_with_the_deadline_to_the_cheapest_work() {
    let problem = Problem::new(machine_shares(
        vec![task("a", 3600)],
        vec![],
        Objective::Deadline(0),
    ))
    .unwrap();
    let at = |seconds: u64| lower_bound(&problem.with(Objective::Deadline(seconds * SECOND))).cost;
    // An hour of a full processor, two of a half, four of a quarter.
    let near = |found: u64, expected: u64| assert!(found.abs_diff(expected) <= 1, "{found}");
    near(at(3600), 60_000);
    near(at(7200), 48_000);
    near(at(4 * 3600), 40_000);
    near(at(40 * 3600), 40_000);
}

#[test]
fn the_cost_bound_of_the_published_example_is_below_its_optimum() {
    let problem = Problem::new(ic_pcp_example(LeaseSpan::Busy)).unwrap();
    let bound = lower_bound(&problem);
    assert!(bound.cost <= 13 && bound.cost >= 5, "{bound:?}");
}
