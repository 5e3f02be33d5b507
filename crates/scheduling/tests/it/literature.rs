use consort_scheduling::planners::{IcPcp, Planner};
use consort_scheduling::{LeaseSpan, Limits, Objective, Problem, Work, plan};

use crate::support::{assert_valid, ic_pcp_example};

const DEADLINE: Objective = Objective::Deadline(30);

#[test]
fn ic_pcp_plans_the_example_of_its_paper_as_printed() {
    let problem = Problem::new(ic_pcp_example(LeaseSpan::Busy)).unwrap();
    let found = IcPcp.plan(&problem, &mut Work::units(10_000)).unwrap();
    assert_valid(&problem, DEADLINE, &found);
    assert_eq!((found.makespan, found.cost), (29, 14));
    let mut leases: Vec<String> = (0..found.instances.len())
        .map(|at| {
            let on = found
                .placements
                .iter()
                .filter(|p| p.instance as usize == at);
            let mut on: Vec<_> = on.map(|p| (p.start, p.task + 1)).collect();
            on.sort_unstable();
            let tasks: Vec<String> = on.iter().map(|(_, task)| format!("t{task}")).collect();
            let lease = found.instances[at];
            format!(
                "{} on S{} ({})",
                tasks.join(" "),
                lease.kind + 1,
                lease.cost
            )
        })
        .collect();
    leases.sort();
    assert_eq!(
        leases,
        [
            "t1 t4 t7 on S3 (3)",
            "t2 t6 t9 on S2 (6)",
            "t3 on S3 (1)",
            "t5 t8 on S2 (4)"
        ]
    );
}

#[test]
fn the_portfolio_finds_the_optimum_of_that_example() {
    for (span, optimum) in [(LeaseSpan::Busy, 13), (LeaseSpan::AllTransfers, 14)] {
        let problem = Problem::new(ic_pcp_example(span)).unwrap();
        let found = plan(&problem, &Limits::of(200_000)).unwrap();
        assert_valid(&problem, DEADLINE, &found);
        assert_eq!(found.cost, optimum, "{span:?}");
    }
}
