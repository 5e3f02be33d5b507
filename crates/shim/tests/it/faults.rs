//! Kills the shim at every step and starts again: nothing is lost, nothing is there twice, nothing stays.
#![cfg(feature = "fault_points")]

use consort_shim::spec::RestartPolicy;
use consort_shim::{Client, ClientError, Found, fault};

use crate::support::{Instance, LIMIT, wait_ready};

/// Fails once, so that a restart is part of its life.
const SCRIPT: &str =
    "echo run; test -e $DIR/once || { touch $DIR/once; exit 1; }; touch $DIR/up; exec sleep 600";

fn failing_once() -> Instance {
    let mut instance = Instance::new(SCRIPT).ready_when("up");
    instance.spec.restart.policy = RestartPolicy::OnFailure;
    instance.spec.restart.initial_ms = 1;
    instance
}

/// Start, restart, stop, kill, end; broken off where the shim dies.
fn live(instance: &Instance) -> Result<(), ClientError> {
    let mut client = Client::connect(&instance.spec.control, LIMIT)?;
    client.watch()?;
    client.wait_for(LIMIT, |status| status.ready)?;
    client.stop(None, Some(std::time::Duration::ZERO))?;
    client.wait_for(LIMIT, |status| status.state.is_over())?;
    client.ack_exit()?;
    while client.next_event(LIMIT)?.is_some() {}
    Ok(())
}

#[test]
fn a_kill_at_any_point_is_mended_by_the_next_shim() {
    for point in fault::POINTS {
        let mut instance = failing_once();
        instance.launcher.env = vec![("CONSORT_FAULT".into(), format!("{point}:1").into())];
        let launched = instance.try_launch().is_ok();
        assert!(
            !launched || live(&instance).is_err(),
            "{point}: the shim lived"
        );
        instance.launcher.env.clear();
        let recorded = match instance.found() {
            Found::Alive { .. } | Found::Stuck { .. } => panic!("{point}: the shim lives"),
            Found::Exited(_) => true,
            Found::ShimLost { .. } | Found::Gone { .. } | Found::OtherBoot => false,
        };
        if !recorded {
            instance
                .try_launch()
                .unwrap_or_else(|error| panic!("{point}: {error}"));
            let mut client = instance.watch();
            let main = wait_ready(&mut client).pid.unwrap();
            let mains = instance.members().into_iter().filter(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|name| name.trim() == "sleep")
            });
            assert_eq!(mains.collect::<Vec<_>>(), [main], "{point}");
            let exit = instance.finish(&mut client);
            assert!(exit.stopped, "{point}: {exit:?}");
        }
        assert_eq!(instance.members(), Vec::<i32>::new(), "{point}");
    }
}
