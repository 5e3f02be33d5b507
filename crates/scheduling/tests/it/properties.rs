//! Any graph, any pool: every planner's schedule is valid, the same seed gives the same plan, a
//! looser deadline never costs more.

use consort_scheduling::planners::{
    DeadlineList, EarliestFinish, FleetSearch, GrpHeft, IcPcp, Planner,
};
use consort_scheduling::{
    Billing, Edge, Infeasible, LeaseSpan, Limits, NodeType, Objective, Problem, RunTime, Spec,
    Task, Work, lower_bound, plan, sweep, validate,
};
use proptest::prelude::*;

use crate::support::{ANY, SECOND};

fn node_type() -> impl Strategy<Value = NodeType> {
    let cpus = prop::sample::select(vec![250_u32, 500, 1000, 4000]);
    let capacity = prop::option::weighted(0.3, 1..4_u32);
    (
        cpus,
        4..20_u64,
        500..5000_u32,
        1..1000_u64,
        0..60_u64,
        capacity,
    )
        .prop_map(
            |(cpus_milli, memory_bytes, speed_milli, price, startup, capacity)| NodeType {
                name: "type".into(),
                cpus_milli,
                memory_bytes,
                speed_milli,
                price_micro_usd_per_hour: price * 1000,
                startup_us: startup * SECOND / 2,
                capacity,
            },
        )
}

fn any_task() -> impl Strategy<Value = Task> {
    let cpus = prop::sample::select(vec![250_u32, 1000, 2000]);
    (0..200_000_000_u64, cpus, 0..4_u64).prop_map(|(time, cpus_milli, memory_bytes)| Task {
        name: "task".into(),
        run_time: RunTime::Estimate(time),
        cpus_milli,
        memory_bytes,
    })
}

fn edges(tasks: u32) -> impl Strategy<Value = Vec<Edge>> {
    let most = tasks as usize * 2;
    prop::collection::vec((0..tasks, 0..tasks, 0..200_000_000_u64), 0..=most).prop_map(|all| {
        let forward = all.into_iter().filter(|(a, b, _)| a != b);
        let edge = |(a, b, bytes): (u32, u32, u64)| Edge {
            from: a.min(b),
            to: a.max(b),
            bytes,
        };
        forward.map(edge).collect()
    })
}

fn billing() -> impl Strategy<Value = Billing> {
    let interval = prop::sample::select(vec![1, 60, 3600_u64]);
    let minimum = prop::sample::select(vec![0, 60_u64]);
    let span = prop::sample::select(vec![
        LeaseSpan::Busy,
        LeaseSpan::EndTransfers,
        LeaseSpan::AllTransfers,
    ]);
    (interval, minimum, span).prop_map(|(interval, minimum, span)| Billing {
        interval_us: interval * SECOND,
        minimum_us: minimum * SECOND,
        epsilon_us: 0,
        span,
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let tasks =
        (1..14_u32).prop_flat_map(|n| (prop::collection::vec(any_task(), n as usize), edges(n)));
    let types = prop::collection::vec(node_type(), 1..4);
    let bandwidth = prop::option::of(1_000_000..20_000_000_u64);
    let limit = prop::option::weighted(0.4, 4000..9000_u64);
    (tasks, types, billing(), bandwidth, limit).prop_map(
        |((tasks, edges), types, billing, bandwidth, max_cpus_milli)| Spec {
            tasks,
            edges,
            types,
            billing,
            bandwidth,
            max_cpus_milli,
            objective: ANY,
        },
    )
}

/// A deadline between the tightest and one that is easily met.
fn deadline(problem: &Problem, percent: u64) -> u64 {
    let bound = lower_bound(problem).makespan;
    bound.saturating_mul(percent) / 100
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_planner_makes_valid_schedules(spec in spec(), percent in 80..600_u64, money in 1..5_000_000_u64) {
        let problem = Problem::new(spec).unwrap();
        let timed = problem.with(Objective::Deadline(deadline(&problem, percent)));
        let paid = problem.with(Objective::Budget(money));
        let list = |theta| DeadlineList { theta, seed: 7 };
        let search = FleetSearch { seed: 7, known: vec![] };
        let planners: [&dyn Planner; 6] =
            [&EarliestFinish, &list(None), &list(Some(1.5)), &IcPcp, &GrpHeft, &search];
        let bound = lower_bound(&problem.with(ANY));
        for planner in planners {
            for problem in [&timed, &paid] {
                let Some(found) = planner.plan(problem, &mut Work::units(3000)) else { continue };
                if let Err(faults) = validate(problem.spec(), ANY, &found) {
                    prop_assert!(false, "{}: {faults:?}\n{found:#?}", planner.name());
                }
                prop_assert!(found.makespan >= bound.makespan, "{}", planner.name());
                prop_assert!(found.cost >= bound.cost, "{} {bound:?}", planner.name());
            }
        }
    }

    #[test]
    fn a_plan_meets_its_objective_and_a_refusal_names_one_that_can_be_met(
        spec in spec(), percent in 50..400_u64, money in prop::option::of(1..5_000_000_u64),
    ) {
        let problem = Problem::new(spec).unwrap();
        let asked = money.map_or_else(|| Objective::Deadline(deadline(&problem, percent)), Objective::Budget);
        let problem = problem.with(asked);
        let (objective, found) = match plan(&problem, &Limits::of(2000)) {
            Ok(found) => (asked, found),
            Err(Infeasible { nearest, schedule, .. }) => (nearest, schedule),
        };
        let valid = validate(problem.spec(), objective, &found);
        prop_assert!(valid.is_ok(), "{asked:?} {valid:?}\n{found:#?}");
        if let Objective::Deadline(_) = asked {
            let bound = lower_bound(&problem.with(objective));
            prop_assert!(found.cost >= bound.cost, "{bound:?} {}", found.cost);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_plan(spec in spec(), percent in 100..300_u64, seed: u64) {
        let problem = Problem::new(spec).unwrap();
        let problem = problem.with(Objective::Deadline(deadline(&problem, percent)));
        let limits = Limits { seed, ..Limits::of(3000) };
        prop_assert_eq!(plan(&problem, &limits), plan(&problem, &limits));
    }

    #[test]
    fn a_looser_deadline_never_costs_more(spec in spec(), percents in prop::collection::vec(80..800_u64, 2..6)) {
        let problem = Problem::new(spec).unwrap();
        let deadlines: Vec<u64> = percents.iter().map(|&p| deadline(&problem, p)).collect();
        let found = sweep(&problem, &deadlines, &Limits::of(6000));
        prop_assert_eq!(found.len(), deadlines.len());
        for (tight, a) in deadlines.iter().zip(&found) {
            for (loose, b) in deadlines.iter().zip(&found) {
                let (Ok(a), true) = (a, tight <= loose) else { continue };
                let cost = b.as_ref().map(|plan| plan.cost);
                prop_assert!(cost.is_ok_and(|cost| cost <= a.cost), "{tight} {loose}");
            }
        }
    }
}
