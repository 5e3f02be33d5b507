use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use consort_shim::LaunchError;
use consort_shim::spec::{Mount, MountSource, Namespaces};

use crate::support::{Instance, LIMIT, is_root, wait_over, wait_ready};

fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        target: target.into(),
        source: MountSource::Bind {
            source: source.into(),
        },
        read_only,
    }
}

/// Changes the instance so that another user without privileges runs its shim.
fn as_nobody(mut instance: Instance) -> Instance {
    let shim = instance.folder().join("shim");
    std::fs::copy(&instance.launcher.program, &shim).unwrap();
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    for path in [instance.folder().to_owned(), instance.state_dir()] {
        chown(path, Some(65534), Some(65534)).unwrap();
    }
    instance.launcher.program = "/usr/bin/setpriv".into();
    let args = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    instance.launcher.args = args.iter().map(Into::into).chain([shim.into()]).collect();
    instance.spec.namespaces = Namespaces::UserMountNs;
    instance
}

/// Writes the specification as the user who runs the shim would.
fn hand_over(instance: &Instance) {
    instance.spec.store(&instance.state_dir()).unwrap();
    chown(
        instance.state_dir().join("spec.json"),
        Some(65534),
        Some(65534),
    )
    .unwrap();
}

/// A volume at a target that no host has, beside files of the host and a tmpfs.
fn with_volume(instance: &mut Instance) {
    let volume = instance.folder().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(volume.join("here"), "kept\n").unwrap();
    instance.spec.mounts = vec![
        bind(&volume, "/consort-no-such/deep/data", false),
        bind(&volume, "/usr/consort-no-such", true),
        Mount {
            target: "/consort-memory".into(),
            source: MountSource::Tmpfs {
                size: Some(65536),
                mode: 0o1777,
            },
            read_only: false,
        },
    ];
}

const VOLUME_SCRIPT: &str = "cat /consort-no-such/deep/data/here; echo new > /consort-no-such/deep/data/new; \
    echo no 2>/dev/null > /usr/consort-no-such/no || echo read-only; df --output=fstype /consort-memory | tail -n 1; \
    test -x /usr/bin/env && test -e /proc/self/status && test -c /dev/null && test -d /etc && echo host; test ! -e /volume && echo end";

fn assert_volume(instance: &Instance) {
    assert_eq!(instance.output(), "kept\nread-only\ntmpfs\nhost\nend\n");
    assert_eq!(
        std::fs::read_to_string(instance.folder().join("volume/new")).unwrap(),
        "new\n"
    );
    for path in [
        "/consort-no-such",
        "/usr/consort-no-such",
        "/consort-memory",
    ] {
        assert!(!Path::new(path).exists(), "{path} was made on the host");
    }
}

#[test]
fn mounts_at_targets_that_the_host_does_not_have_make_nothing_on_the_host() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut instance = Instance::new(VOLUME_SCRIPT);
    instance.spec.namespaces = Namespaces::RootMountNs;
    with_volume(&mut instance);
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    assert_volume(&instance);
    client.ack_exit().unwrap();
    instance.wait_gone(&mut client);
    instance.assert_nothing_left();
}

#[test]
fn a_user_without_privileges_gets_the_same_by_a_user_namespace() {
    if !is_root() {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let mut instance = as_nobody(Instance::new(&format!(
        "{VOLUME_SCRIPT}; id -u; hostname; cat /etc/hosts"
    )));
    with_volume(&mut instance);
    instance.spec.hosts = Some("127.64.1.2 db\n".to_owned());
    instance.spec.hostname = Some("api-1".to_owned());
    hand_over(&instance);
    consort_shim::launch(&instance.state_dir(), &instance.launcher, &instance.secrets).unwrap();
    let mut client = instance.watch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    let output = instance.output();
    let rest = output
        .strip_prefix("kept\nread-only\ntmpfs\nhost\nend\n")
        .unwrap_or_else(|| panic!("{output}"));
    assert_eq!(rest, "65534\napi-1\n127.64.1.2 db\n");
    assert!(!Path::new("/consort-no-such").exists());
}

#[test]
fn the_hosts_file_is_rewritten_in_place_while_the_instance_runs() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut instance =
        Instance::new("cat /etc/hosts; hostname; touch $DIR/up; exec sleep 600").ready_when("up");
    instance.spec.namespaces = Namespaces::RootMountNs;
    instance.spec.hosts =
        Some("127.64.1.2 db and a long line that is longer than the next content\n".to_owned());
    instance.spec.hostname = Some("api-7".to_owned());
    let before = std::fs::read_to_string("/etc/hosts").unwrap();
    let mut client = instance.launch();
    wait_ready(&mut client);
    client.hosts("127.64.1.9 db\n").unwrap();
    assert!(client.hosts(&"x".repeat(49 * 1024)).is_err());
    let (mut read, write) = std::io::pipe().unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let stdio = [null.as_fd(), write.as_fd(), write.as_fd()];
    let mut exec = instance.client();
    let outcome = exec
        .exec(
            &["sh", "-c", "cat /etc/hosts; hostname; exit 3"],
            stdio,
            LIMIT,
        )
        .unwrap()
        .unwrap();
    drop(write);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut read, &mut text).unwrap();
    assert_eq!(
        (text.as_str(), outcome.exit.code),
        ("127.64.1.9 db\napi-7\n", Some(3))
    );
    instance.finish(&mut client);
    assert_eq!(std::fs::read_to_string("/etc/hosts").unwrap(), before);
}

#[test]
fn a_program_that_joins_an_unprivileged_instance_sees_its_view() {
    if !is_root() {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let mut instance = as_nobody(Instance::new("touch $DIR/up; exec sleep 600").ready_when("up"));
    instance.spec.hosts = Some("127.64.1.2 db\n".to_owned());
    hand_over(&instance);
    consort_shim::launch(&instance.state_dir(), &instance.launcher, &instance.secrets).unwrap();
    let mut client = instance.watch();
    wait_ready(&mut client);
    let (mut read, write) = std::io::pipe().unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let stdio = [null.as_fd(), write.as_fd(), write.as_fd()];
    let outcome = instance
        .client()
        .exec(&["sh", "-c", "cat /etc/hosts; id -u"], stdio, LIMIT)
        .unwrap()
        .unwrap();
    drop(write);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut read, &mut text).unwrap();
    assert_eq!(
        (text.as_str(), outcome.exit.code),
        ("127.64.1.2 db\n65534\n", Some(0))
    );
    instance.finish(&mut client);
}

#[test]
fn a_volume_inside_another_and_over_a_folder_of_the_host() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut instance = Instance::new("cat /mnt/inner/two /mnt/one; ls -A /mnt");
    let folders = [
        instance.folder().join("outer"),
        instance.folder().join("second"),
    ];
    std::fs::create_dir_all(folders[0].join("inner")).unwrap();
    std::fs::create_dir(&folders[1]).unwrap();
    std::fs::write(folders[0].join("one"), "1\n").unwrap();
    std::fs::write(folders[1].join("two"), "2\n").unwrap();
    instance.spec.namespaces = Namespaces::RootMountNs;
    instance.spec.mounts = vec![
        bind(&folders[1], "/mnt/inner", true),
        bind(&folders[0], "/mnt", false),
    ];
    let mut client = instance.launch();
    wait_over(&mut client);
    assert_eq!(instance.output(), "2\n1\ninner\none\n");
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let mut instance = Instance::new("exit 0");
    instance.spec.namespaces = Namespaces::RootMountNs;
    instance.spec.mounts = vec![bind(Path::new("/no/such/source"), "/data", false)];
    match instance.try_launch() {
        Err(LaunchError::Setup { message, .. }) => {
            assert!(
                message.starts_with("cannot mount /no/such/source at /data; create it first"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    instance.assert_nothing_left();
}
