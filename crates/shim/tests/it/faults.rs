//! Kills the shim at every step and starts again: nothing is lost, nothing is there twice, nothing stays.
#![cfg(feature = "fault_points")]

use consort_shim::{Client, Found, fault};

use crate::support::{Instance, LIMIT};

/// Runs start, restart and stop with a shim that dies at one point.
fn run_until_killed(instance: &Instance) {
    if instance.try_launch().is_err() {
        return;
    }
    let steps = |client: &mut Client| {
        client.watch()?;
        client.wait_for(LIMIT, |status| status.ready)?;
        client.stop(None, None)?;
        client.wait_for(LIMIT, |status| status.state.is_over())?;
        client.ack_exit()
    };
    if let Ok(mut client) = Client::connect(&instance.spec.control, LIMIT) {
        let _ = steps(&mut client);
    }
}

#[test]
fn a_kill_at_any_point_is_mended_by_the_next_shim() {
    for point in fault::POINTS {
        let script = "echo run; touch $DIR/up; exec sleep 600";
        let mut instance = Instance::new(script).ready_when("up");
        instance.launcher.env = vec![("CONSORT_FAULT".into(), format!("{point}:1").into())];
        run_until_killed(&instance);
        instance.launcher.env.clear();
        match instance.found() {
            // Its end is recorded: nothing of it runs.
            Found::Exited(_) => {}
            Found::Alive { .. } => assert_eq!(*point, "restart_counted", "a point that this life does not pass"),
            _ => {}
        }
        if !matches!(instance.found(), Found::Alive { .. }) {
            instance.try_launch().unwrap_or_else(|error| panic!("{point}: {error}"));
        }
        let mut client = instance.watch();
        crate::support::wait_ready(&mut client);
        let main = client.state().unwrap().pid.unwrap();
        let mains = instance.members().into_iter().filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
        });
        assert_eq!(mains.collect::<Vec<_>>(), [main], "{point}");
        let exit = instance.finish(&mut client);
        assert!(exit.stopped, "{point}: {exit:?}");
    }
}
