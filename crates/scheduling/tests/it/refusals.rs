use consort_scheduling::{Objective, Problem, RunTime, Spec};

use crate::support::{SECOND, edge, segments};

fn refusal(change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = segments(Objective::Deadline(SECOND));
    change(&mut spec);
    Problem::new(spec).unwrap_err().to_string()
}

#[test]
fn each_wrong_question_is_refused_with_what_to_do() {
    let texts = [
        refusal(|spec| spec.types.clear()),
        refusal(|spec| spec.types[1].speed_milli = 0),
        refusal(|spec| spec.tasks[2].cpus_milli = 0),
        refusal(|spec| spec.billing.interval_us = 0),
        refusal(|spec| spec.bandwidth = Some(0)),
        refusal(|spec| spec.edges.push(edge(0, 99, 0))),
        refusal(|spec| spec.edges.push(edge(8, 0, 0))),
        refusal(|spec| spec.edges.push(edge(4, 4, 0))),
        refusal(|spec| spec.tasks[3].memory_bytes = 1 << 40),
        refusal(|spec| spec.max_cpus_milli = Some(100)),
        refusal(|spec| spec.tasks[0].run_time = RunTime::PerType(vec![1])),
        refusal(|spec| spec.tasks[0].run_time = RunTime::Estimate(u64::MAX)),
        refusal(|spec| spec.tasks = vec![spec.tasks[0].clone(); 1_000_001]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    the pool has no node types; give it at least one under `types`
    `speed` of `half` is 0; it must be greater
    `cpus` of `bootstrap-1` is 0; it must be greater
    `interval` of `billing` is 0; it must be greater
    `bandwidth` of `pool` is 0; it must be greater
    an edge names task 99, but there are only 9 tasks
    tasks need each other in a circle: bootstrap-0 → merge → publish → fit → bootstrap-0; remove one of these needs
    tasks need each other in a circle: bootstrap-3 → bootstrap-3; remove one of these needs
    task `bootstrap-2` needs 1 TiB of memory, and no node type has more than 8 GiB; add a larger type
    no node type that task `fit` fits on may be leased; raise the pool's limits, or add a smaller type
    task `fit` has 1 measured run times for 3 node types; give one for each
    the run times and transfers add up to more than 36,000 years; correct the estimates
    there are 1000001 tasks; at most 1000000 can be planned together: split the workload
    ");
}
