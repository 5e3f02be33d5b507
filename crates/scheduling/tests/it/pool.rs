//! Shares of one machine: the pool of the example.

use consort_scheduling::{Limits, NodeType, Objective, Problem, Spec, frontier, lower_bound, plan};

use crate::support::{SECOND, assert_valid, edge, machine_shares, segments, share, task};

fn at(seconds: u64) -> Problem {
    Problem::new(segments(Objective::Deadline(seconds * SECOND))).unwrap()
}

fn mix(problem: &Problem) -> String {
    let found = plan(problem, &Limits::of(100_000)).unwrap();
    assert_valid(problem, problem.objective(), &found);
    let fleet = found.fleet(problem.spec());
    let fleet: Vec<String> = fleet
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!(
        "{} s, {} µUSD: {}",
        found.makespan / SECOND,
        found.cost,
        fleet.join(", ")
    )
}

#[test]
fn two_deadlines_get_two_mixes_of_node_types() {
    let [tight, loose] = [50, 150].map(|seconds| mix(&at(seconds)));
    insta::assert_snapshot!(format!("{tight}\n{loose}"), @r"
    50 s, 1214 µUSD: 2 full, 5 half
    140 s, 923 µUSD: 3 quarter
    ");
}

#[test]
fn an_infeasible_deadline_is_answered_with_the_nearest_feasible_one() {
    let problem = at(20);
    let refused = plan(&problem, &Limits::of(100_000)).unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"a deadline of 20 s cannot be met with this pool; the nearest is a deadline of 47 s, at 0.001224 USD");
    assert_valid(&problem, refused.nearest, &refused.schedule);
    // Two processors: 8 s, then 72 s on two, then 3 s.
    assert_eq!(refused.nearest, Objective::Deadline(47 * SECOND));
    let again = plan(&problem.with(refused.nearest), &Limits::of(100_000)).unwrap();
    assert!(again.makespan <= refused.schedule.makespan);
}

#[test]
fn a_share_of_a_processor_takes_as_much_longer() {
    let spec = machine_shares(vec![task("a", 10)], vec![], Objective::Deadline(0));
    let problem = Problem::new(spec).unwrap();
    let times = [0, 1, 2].map(|kind| problem.run_time(0, kind).unwrap() / SECOND);
    assert_eq!(times, [40, 20, 10]);
}

#[test]
fn a_task_that_uses_less_than_a_node_leaves_the_rest_to_others() {
    let mut spec = machine_shares(
        (0..4).map(|at| task(&format!("t{at}"), 10)).collect(),
        vec![],
        Objective::Deadline(10 * SECOND),
    );
    spec.types = vec![share("full", 1000, 60_000)];
    spec.max_cpus_milli = Some(1000);
    for task in &mut spec.tasks {
        task.cpus_milli = 250;
    }
    let problem = Problem::new(spec).unwrap();
    let found = plan(&problem, &Limits::of(10_000)).unwrap();
    assert_valid(&problem, problem.objective(), &found);
    assert_eq!((found.instances.len(), found.makespan), (1, 10 * SECOND));
}

#[test]
fn memory_limits_what_runs_together_and_where() {
    let mut spec = machine_shares(
        (0..3).map(|at| task(&format!("t{at}"), 10)).collect(),
        vec![],
        Objective::Deadline(1000 * SECOND),
    );
    spec.types.truncate(1);
    spec.types.push(NodeType {
        memory_bytes: 20,
        ..share("roomy", 2000, 60_000)
    });
    spec.types[0].memory_bytes = 5;
    for task in &mut spec.tasks {
        task.memory_bytes = 10;
        task.cpus_milli = 500;
    }
    let problem = Problem::new(spec).unwrap();
    assert_eq!(problem.run_time(0, 0), None);
    let found = plan(&problem, &Limits::of(10_000)).unwrap();
    assert_valid(&problem, problem.objective(), &found);
    // Two fit at once, the third comes after.
    assert_eq!(found.makespan, 20 * SECOND);
}

#[test]
fn capacity_of_a_type_is_kept_by_leasing_one_after_the_other() {
    let mut spec: Spec = machine_shares(
        (0..5).map(|at| task(&format!("t{at}"), 10)).collect(),
        vec![],
        Objective::Deadline(0),
    );
    spec.types = vec![NodeType {
        capacity: Some(2),
        ..share("full", 1000, 60_000)
    }];
    spec.max_cpus_milli = None;
    let problem = Problem::new(spec).unwrap();
    let refused = plan(&problem, &Limits::of(10_000)).unwrap_err();
    assert_valid(&problem, refused.nearest, &refused.schedule);
    assert_eq!(refused.nearest, Objective::Deadline(30 * SECOND));
}

#[test]
fn start_up_is_waited_for_and_paid() {
    let mut spec = machine_shares(
        vec![task("a", 10), task("b", 10)],
        vec![edge(0, 1, 0)],
        Objective::Deadline(60 * SECOND),
    );
    spec.types = vec![NodeType {
        startup_us: 30 * SECOND,
        ..share("slow-start", 1000, 3_600_000)
    }];
    let problem = Problem::new(spec).unwrap();
    let found = plan(&problem, &Limits::of(10_000)).unwrap();
    assert_valid(&problem, problem.objective(), &found);
    assert_eq!((found.makespan, found.cost), (50 * SECOND, 50_000));
    assert_eq!(lower_bound(&problem).makespan, 50 * SECOND);
}

#[test]
fn the_frontier_falls_from_fast_to_cheap() {
    let problem = at(100);
    let front = frontier(&problem, &Limits::of(120_000));
    assert!(front.len() >= 3);
    for plan in &front {
        assert_valid(&problem, Objective::Deadline(plan.makespan), plan);
    }
    for pair in front.windows(2) {
        assert!(pair[0].makespan < pair[1].makespan && pair[0].cost > pair[1].cost);
    }
    // All on one quarter of a processor is cheapest.
    let cheapest = front.last().unwrap();
    assert_eq!(
        cheapest.fleet(problem.spec()).keys().collect::<Vec<_>>(),
        [&"quarter"]
    );
}

#[test]
fn a_workload_without_tasks_costs_nothing() {
    let spec = machine_shares(vec![], vec![], Objective::Deadline(0));
    let problem = Problem::new(spec).unwrap();
    let found = plan(&problem, &Limits::of(1000)).unwrap();
    assert_eq!((found.makespan, found.cost), (0, 0));
    assert_valid(&problem, problem.objective(), &found);
}
