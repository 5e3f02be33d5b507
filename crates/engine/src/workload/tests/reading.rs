//! Registered definitions, read.

use consort_model::Digest;
use consort_model::service::ServiceSpec;
use consort_model::units::MilliCpus;
use consort_model::{Address, Kind};
use serde_json::json;

use super::support::{address, define, pool, segments, workload};
use crate::workload::read;

#[test]
fn an_objective_that_cannot_be_met_names_the_nearest_that_can() {
    let problem = define(&workload("5s", &segments(0))).unwrap_err();
    insta::assert_snapshot!(problem.code, @"objective/infeasible");
    let text = problem.to_string();
    let (shown, _cost) = text.split_once(", at ").unwrap();
    insta::assert_snapshot!(shown, @"workloads.nightly: a deadline of 5s cannot be met with this pool; the nearest feasible deadline is 19s");
    let nearest = text.split("deadline is ").nth(1).unwrap();
    let nearest = nearest.split(',').next().unwrap();
    assert!(
        define(&workload(nearest, &segments(0))).is_ok(),
        "{nearest}"
    );
}

#[test]
fn a_task_runs_the_program_of_its_workload() {
    let digest = Digest::of(b"program");
    let body = workload("60s", &segments(2));
    let tasks = read::tasks(&address(), &body, Some(digest)).unwrap();
    let fit = &tasks[0];
    assert_eq!((fit.retries, fit.program), (2, Some(digest)));
    let process = ServiceSpec::from_value(&fit.settings)
        .unwrap()
        .process
        .unwrap();
    assert_eq!(process.artifacts, ["work"]);
    assert_eq!(process.command.unwrap().0, ["./work", "fit"]);
    assert!(fit.settings.get("cpus").is_none());
}

#[test]
fn wrong_parts_are_named_by_their_path() {
    let base = workload("60s", &segments(0));
    for (pointer, value, path) in [
        ("/tasks/fit/estimate", json!("soon"), "tasks.fit.estimate"),
        ("/tasks/fit/cpus", json!(0), "tasks.fit.cpus"),
        (
            "/tasks/merge/needs",
            json!(["nothing"]),
            "tasks.merge.needs",
        ),
        ("/objective", json!({}), "objective.deadline"),
        ("/tasks/fit/retries", json!("many"), "tasks.fit.retries"),
    ] {
        let mut body = base.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        let problem = define(&body).unwrap_err();
        assert!(problem.message.contains(&format!("`{path}`")), "{problem}");
    }
    let mut slots = pool();
    slots["types"][1]["price"] = json!("cheap");
    let objective = read::objective(&address(), &base, None).unwrap();
    let named = Address::new(Kind::Pool, "slots");
    let problem = read::spec(
        &address(),
        &base,
        (&named, &slots),
        objective,
        MilliCpus(2000),
    );
    assert!(problem.unwrap_err().message.contains("`types[1].price`"));
}

#[test]
fn another_deadline_is_taken_for_one_run() {
    let body = workload("60s", &[]);
    let asked = read::objective(&address(), &body, Some("20s")).unwrap();
    assert_eq!(asked, consort_scheduling::Objective::Deadline(20_000_000));
    let problem = read::objective(&address(), &body, Some("soon")).unwrap_err();
    assert_eq!(problem.code.as_str(), "request/invalid");
}

#[test]
fn a_job_is_one_task_without_a_price() {
    let body = json!({"process": {"command": "./vacuum"}, "retries": 1, "timeout": "1m",
        "triggers": {"schedule": "0 2 * * *"}});
    let (spec, schedule, task) =
        read::job(&Address::new(Kind::Job, "vacuum"), &body, None).unwrap();
    assert_eq!((task.name.as_str(), task.retries), ("vacuum", 1));
    assert_eq!((spec.tasks.len(), schedule.cost), (1, 0));
    assert_eq!(task.time_limit.to_string(), "1m0s");
}
