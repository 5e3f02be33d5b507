use std::path::PathBuf;

use consort_driver::{StepKey, Target, TaskRequest, TaskStatus};
use consort_model::service::ServiceSpec;
use consort_model::time::Span;
use consort_model::units::{Bytes, MilliCpus};
use consort_model::{Address, Kind};
use serde_json::json;

use super::support::*;

fn request(world: &World, key: &str, line: &str) -> TaskRequest {
    let run_directory: PathBuf = world.folder.path().join("run-1");
    std::fs::create_dir_all(&run_directory).unwrap();
    TaskRequest {
        key: StepKey(key.into()),
        address: Address::new(Kind::Workload, "nightly").task("extract"),
        spec: ServiceSpec::from_value(&json!({"command": ["/bin/sh", "-c", line]})).unwrap(),
        program: None,
        environment: vec![(
            "CONSORT_RUN_DIR".into(),
            run_directory.display().to_string(),
        )],
        run_directory,
        cpus: Some(MilliCpus(250)),
        memory: Some(Bytes(256 << 20)),
        time_limit: Span::from_secs(60),
    }
}

#[test]
fn a_task_runs_once_within_its_share_and_its_outcome_stays() {
    block_on(async {
        let mut world = World::new();
        let key = StepKey("t1".into());
        assert_eq!(
            world
                .target
                .tasks()
                .task_status(&world.context, &key)
                .await
                .unwrap(),
            TaskStatus::Absent
        );
        let line = "echo x >> $CONSORT_RUN_DIR/count; n=0; while [ $n -lt 60000 ]; do n=$((n+1)); done; exit 4";
        let task = request(&world, "t1", line);
        let count = task.run_directory.join("count");
        let began = std::time::Instant::now();
        world
            .target
            .tasks()
            .task_start(&world.context, task.clone())
            .await
            .unwrap();
        world
            .target
            .tasks()
            .task_start(&world.context, task.clone())
            .await
            .unwrap();
        let outcome = world
            .target
            .tasks()
            .task_wait(&world.context, &key)
            .await
            .unwrap();
        let wall = began.elapsed();
        assert_eq!(
            (outcome.exit_code, outcome.ended.as_str()),
            (Some(4), "exit code 4")
        );
        world.restarted();
        world
            .target
            .tasks()
            .task_start(&world.context, task)
            .await
            .unwrap();
        let status = world
            .target
            .tasks()
            .task_status(&world.context, &key)
            .await
            .unwrap();
        assert_eq!(status, TaskStatus::Ended(outcome.clone()));
        assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
        let cpu = outcome.cpu_time.unwrap().to_std();
        assert_eq!(outcome.enforced, world.target.tasks().task_shares().is_ok());
        if outcome.enforced {
            // A quarter of one processor, with the burst of a period.
            assert!(
                cpu.as_secs_f64() <= wall.as_secs_f64() * 0.25 + 0.15,
                "{cpu:?} of {wall:?}"
            );
        }
        world
            .target
            .tasks()
            .task_remove(&world.context, &key)
            .await
            .unwrap();
        assert_eq!(
            world
                .target
                .tasks()
                .task_status(&world.context, &key)
                .await
                .unwrap(),
            TaskStatus::Absent
        );
        world.down().await;
    });
}

#[test]
fn a_task_over_its_limit_or_stopped_is_told_so() {
    block_on(async {
        let world = World::new();
        let mut late = request(&world, "late", "sleep 1000");
        late.time_limit = Span::from_millis(200);
        world
            .target
            .tasks()
            .task_start(&world.context, late)
            .await
            .unwrap();
        let outcome = world
            .target
            .tasks()
            .task_wait(&world.context, &StepKey("late".into()))
            .await
            .unwrap();
        assert_eq!(
            (outcome.exit_code, outcome.ended.as_str()),
            (None, "took longer than 200ms")
        );
        let stopped = request(&world, "stop", "sleep 1000");
        world
            .target
            .tasks()
            .task_start(&world.context, stopped)
            .await
            .unwrap();
        let key = StepKey("stop".into());
        assert_eq!(
            world
                .target
                .tasks()
                .task_status(&world.context, &key)
                .await
                .unwrap(),
            TaskStatus::Running
        );
        world
            .target
            .tasks()
            .task_stop(&world.context, &key)
            .await
            .unwrap();
        let outcome = world
            .target
            .tasks()
            .task_wait(&world.context, &key)
            .await
            .unwrap();
        assert_eq!(outcome.ended, "signal SIGTERM");
        let ghost = request(&world, "ghost", "true");
        let spec = ServiceSpec::from_value(&json!({"command": ["no-such-program"]})).unwrap();
        let failed = world
            .target
            .tasks()
            .task_start(&world.context, TaskRequest { spec, ..ghost })
            .await
            .unwrap_err();
        assert_eq!(failed.code, consort_model::Code::PROGRAM_MISSING);
        world.down().await;
    });
}
