use std::path::{Path, PathBuf};

use consort_shim::cgroup::{Host, Level};
use consort_shim::spec::{Limits, Mode};

use crate::support::{Instance, is_root, wait_over, wait_ready};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .to_owned()
}

#[test]
fn limits_are_set_and_the_groups_are_gone_at_the_end() {
    let host = Host::detect();
    if !is_root() || host.level() == Level::None {
        eprintln!("skipped: no cgroups here");
        return;
    }
    let mut instance = Instance::new("touch $DIR/up; exec sleep 600").ready_when("up");
    let cgroup = instance.spec.cgroup.as_mut().unwrap();
    cgroup.limits = Limits {
        cpu_millis: Some(250),
        cpu_shares: Some(512),
        memory: Some(64 << 20),
        memory_reservation: None,
        pids: Some(50),
    };
    let name = cgroup.name.clone();
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    assert_eq!(status.cgroup, host.level());
    assert_eq!(status.not_enforced, Vec::<String>::new());
    if host.level() == Level::Hybrid {
        let file = |controller: &str, file: &str| read(&host.v1[controller].join(&name).join(file));
        assert_eq!(file("cpu", "cpu.cfs_quota_us"), "25000");
        assert_eq!(file("cpu", "cpu.shares"), "512");
        assert_eq!(
            file("memory", "memory.limit_in_bytes"),
            (64 << 20).to_string()
        );
        assert_eq!(file("pids", "pids.max"), "50");
        let pid = status.pid.unwrap().to_string();
        for procs in [
            host.v1["cpu"].join(&name).join("cgroup.procs"),
            host.v1["memory"].join(&name).join("cgroup.procs"),
            host.v2
                .clone()
                .unwrap()
                .join(&name)
                .join("main/cgroup.procs"),
        ] {
            assert!(
                read(&procs).lines().any(|line| line == pid),
                "{}",
                procs.display()
            );
        }
    }
    instance.finish(&mut client);
}

#[test]
fn a_kill_for_memory_is_said() {
    let host = Host::detect();
    if !is_root() || !host.can_limit("memory") {
        eprintln!("skipped: no memory limits here");
        return;
    }
    let mut instance = Instance::new("exec tail /dev/zero");
    instance.spec.mode = Mode::OneShot { deadline_ms: None };
    instance.spec.cgroup.as_mut().unwrap().limits.memory = Some(16 << 20);
    let mut client = instance.launch();
    let exit = wait_over(&mut client);
    assert_eq!((exit.signal, exit.oom), (Some(9), true), "{exit:?}");
}

#[test]
fn what_cannot_be_enforced_is_said_and_the_instance_runs() {
    let mut instance = Instance::new("touch $DIR/up; exec sleep 600").ready_when("up");
    // A name that is a file on every level of the ladder: nothing can be made below it.
    instance.spec.cgroup.as_mut().unwrap().name = "cgroup.procs/x".to_owned();
    instance.spec.cgroup.as_mut().unwrap().limits.pids = Some(10);
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    assert_eq!(status.cgroup, Level::None);
    assert!(
        status.not_enforced.iter().any(|text| text.contains("pids")),
        "{:?}",
        status.not_enforced
    );
    instance.finish(&mut client);
}

#[test]
fn the_parent_groups_go_with_the_last_instance_of_a_home() {
    let host = Host::detect();
    let Some(root) = host.v2.filter(|_| is_root()) else {
        eprintln!("skipped: no cgroup v2 here");
        return;
    };
    let mut instance = Instance::new("exit 0");
    let home: PathBuf = format!("consort-{}", instance.spec.id).into();
    instance.spec.cgroup.as_mut().unwrap().name = home.join("one").display().to_string();
    let mut client = instance.launch();
    wait_over(&mut client);
    assert!(!root.join(home).exists());
}
