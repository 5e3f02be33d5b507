use std::collections::BTreeMap;

use consort_scheduling::{
    Begun, Limits, LiveLease, Objective, Problem, Progress, Schedule, Spec, plan, replan,
    validate_resumed,
};

use crate::support::{SECOND, segments};

/// What is true at a moment if all goes by plan, with this factor (in percent) on run times.
fn progress_at(plan: &Schedule, now: u64) -> Progress {
    let mut kept = BTreeMap::new();
    let mut leases = Vec::new();
    for (index, lease) in plan.instances.iter().enumerate() {
        if lease.start <= now {
            kept.insert(index as u32, leases.len() as u32);
            leases.push(LiveLease {
                kind: lease.kind,
                start: lease.start,
                end: Some(lease.end).filter(|&end| end <= now),
            });
        }
    }
    let begun = plan.placements.iter().filter(|p| p.start < now);
    let tasks = begun.map(|p| {
        let begun = Begun {
            lease: kept[&p.instance],
            start: p.start,
            end: Some(p.end).filter(|&end| end <= now),
        };
        (p.task, begun)
    });
    Progress {
        now,
        tasks: tasks.collect(),
        leases,
    }
}

fn spec(seconds: u64) -> Spec {
    segments(Objective::Deadline(seconds * SECOND))
}

fn first_plan(spec: &Spec) -> Schedule {
    plan(&Problem::new(spec.clone()).unwrap(), &Limits::of(50_000)).unwrap()
}

fn check(spec: &Spec, progress: &Progress, plan: &Schedule, objective: Objective) {
    if let Err(violations) = validate_resumed(spec, progress, objective, plan) {
        panic!("{violations:?}\n{progress:#?}\n{plan:#?}");
    }
}

#[test]
fn all_that_goes_by_plan_still_meets_the_deadline_from_any_moment() {
    let spec = spec(80);
    let first = first_plan(&spec);
    for percent in (0..=100).step_by(5) {
        let now = first.makespan * percent / 100;
        let progress = progress_at(&first, now);
        let next = replan(&spec, progress.clone(), &Limits::of(20_000)).unwrap();
        assert_eq!(next.missed, None, "at {percent} %");
        check(&spec, &progress, &next.schedule, spec.objective);
        for (task, begun) in &progress.tasks {
            let placed = next.schedule.placements[*task as usize];
            assert_eq!((placed.instance, placed.start), (begun.lease, begun.start));
        }
    }
}

#[test]
fn a_late_task_makes_the_rest_faster() {
    let spec = spec(150);
    let first = first_plan(&spec);
    // `fit` took until 60 s.
    let fit = first.placements[0];
    let progress = Progress {
        now: 60 * SECOND,
        leases: vec![LiveLease {
            kind: first.instances[fit.instance as usize].kind,
            start: 0,
            end: None,
        }],
        tasks: BTreeMap::from([(
            0,
            Begun {
                lease: 0,
                start: 0,
                end: Some(60 * SECOND),
            },
        )]),
    };
    let next = replan(&spec, progress.clone(), &Limits::of(50_000)).unwrap();
    assert_eq!(next.missed, None);
    check(&spec, &progress, &next.schedule, spec.objective);
}

#[test]
fn what_cannot_be_met_any_more_goes_on_as_near_as_possible() {
    let spec = spec(50);
    let progress = Progress {
        now: 45 * SECOND,
        ..Progress::default()
    };
    let next = replan(&spec, progress.clone(), &Limits::of(50_000)).unwrap();
    let nearest = next.missed.unwrap();
    assert_eq!(nearest, Objective::Deadline(92 * SECOND));
    check(&spec, &progress, &next.schedule, nearest);
}

#[test]
fn an_overdue_task_is_taken_to_end_soon() {
    let begun = Begun {
        lease: 0,
        start: 0,
        end: None,
    };
    let at = |now| Progress {
        now,
        ..Progress::default()
    };
    assert_eq!(at(50).expected_end(&begun, 100), 100);
    assert_eq!(at(100).expected_end(&begun, 100), 110);
    assert_eq!(at(500).expected_end(&begun, 100), 510);
}

#[test]
fn a_progress_that_cannot_be_is_refused() {
    let spec = spec(80);
    let lease = |end| LiveLease {
        kind: 2,
        start: 0,
        end,
    };
    let begun = |task, lease, end| {
        (
            task,
            Begun {
                lease,
                start: 1,
                end,
            },
        )
    };
    let now = 10 * SECOND;
    let cases = [
        (
            vec![LiveLease {
                kind: 9,
                ..lease(None)
            }],
            vec![],
        ),
        (
            vec![LiveLease {
                start: now + 1,
                ..lease(None)
            }],
            vec![],
        ),
        (vec![lease(None)], vec![begun(0, 1, None)]),
        (vec![lease(None)], vec![begun(99, 0, None)]),
        (vec![lease(Some(5))], vec![begun(0, 0, None)]),
        (vec![lease(Some(5))], vec![begun(0, 0, Some(6))]),
        (vec![lease(None)], vec![begun(3, 0, None)]),
    ];
    let texts = cases.map(|(leases, tasks)| {
        let tasks = tasks.into_iter().collect();
        let progress = Progress { now, leases, tasks };
        replan(&spec, progress, &Limits::of(0))
            .unwrap_err()
            .to_string()
    });
    insta::assert_snapshot!(texts.join("\n"), @r"
    the recorded progress contradicts itself: lease 0 is of a node type that does not exist
    the recorded progress contradicts itself: lease 0 does not lie before the present
    the recorded progress contradicts itself: task `fit` is on a lease that does not exist
    the recorded progress contradicts itself: there is no task 99
    the recorded progress contradicts itself: task `fit` does not lie within its lease
    the recorded progress contradicts itself: task `fit` does not lie within its lease
    the recorded progress contradicts itself: task `bootstrap-2` was begun before `fit` had ended
    ");
}
