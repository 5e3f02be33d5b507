use consort_scheduling::planners::{GrpHeft, Planner};
use consort_scheduling::{Limits, Objective, Problem, Work, literature, plan};

use crate::support::{ANY, HOUR, assert_valid, published, segments};

#[test]
fn a_larger_budget_never_takes_longer_in_the_example() {
    let problem = Problem::new(segments(ANY)).unwrap();
    let mut before = u64::MAX;
    for money in [1000, 1100, 1300, 1600, 2000] {
        let objective = Objective::Budget(money);
        let asked = problem.with(objective);
        let Ok(found) = plan(&asked, &Limits::of(60_000)) else {
            assert_eq!(before, u64::MAX, "{money} is less than what was enough");
            continue;
        };
        assert_valid(&asked, objective, &found);
        assert!(found.makespan <= before, "{money}");
        before = found.makespan;
    }
    assert_ne!(before, u64::MAX);
}

#[test]
fn an_infeasible_budget_is_answered_with_the_least_that_is_enough() {
    let problem = Problem::new(segments(Objective::Budget(100))).unwrap();
    let refused = plan(&problem, &Limits::of(60_000)).unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"a budget of 0.0001 USD cannot be met with this pool; the nearest is a budget of 0.000923 USD, done after 140 s");
    assert_valid(&problem, refused.nearest, &refused.schedule);
}

#[test]
fn grp_heft_keeps_the_budget_of_published_graphs() {
    for name in ["Montage_25", "Inspiral_30", "Sipht_30"] {
        let Some(dag) = published(name) else { return };
        let objective = Objective::Budget(2_000_000);
        let problem = Problem::new(literature(&dag, HOUR, objective)).unwrap();
        let found = GrpHeft.plan(&problem, &mut Work::units(100_000)).unwrap();
        assert_valid(&problem, objective, &found);
        let better = plan(&problem, &Limits::of(60_000)).unwrap();
        assert_valid(&problem, objective, &better);
        assert!(better.makespan <= found.makespan, "{name}");
    }
}
