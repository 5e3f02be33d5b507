use consort_shim::logs::{FILE, Reader, Stream};
use consort_shim::spec::{LogMode, Mode};

use crate::support::{Instance, wait_over};

#[test]
fn keeps_streams_apart_and_every_line() {
    let instance =
        Instance::new("for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf 'no newline'");
    let mut client = instance.launch();
    wait_over(&mut client);
    let mut reader = Reader::open(&instance.state_dir());
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        assert!(record.time.starts_with("20") && record.time.ends_with('Z'));
        records.push((record.stream, String::from_utf8(record.text).unwrap()));
    }
    let of = |stream| {
        records
            .iter()
            .filter(|(found, _)| *found == stream)
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(Stream::Stdout),
        ["out 1", "out 2", "out 3", "no newline"]
    );
    assert_eq!(of(Stream::Stderr), ["err 1", "err 2", "err 3"]);
}

#[test]
fn a_program_that_writes_at_full_speed_is_rotated_and_never_blocked() {
    let mut instance =
        Instance::new("yes 'a line of some length to fill the log' | head -n 200000");
    instance.spec.mode = Mode::OneShot { deadline_ms: None };
    instance.spec.logging.max_size = 1 << 20;
    instance.spec.logging.max_file = 3;
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(instance.state_dir()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(FILE) {
            assert!(entry.metadata().unwrap().len() <= 1 << 20, "{name}");
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(names, ["output.log", "output.log.1", "output.log.2"]);
    assert!(
        instance
            .output()
            .lines()
            .all(|line| line == "a line of some length to fill the log")
    );
}

#[test]
fn a_full_disk_drops_records_and_never_blocks_the_program() {
    if !crate::support::is_root() {
        eprintln!("skipped: needs root to mount a small file system");
        return;
    }
    let mut instance =
        Instance::new("yes 'a line of some length to fill the log' | head -n 100000; echo end");
    instance.spec.mode = Mode::OneShot { deadline_ms: None };
    let dir = instance.state_dir();
    rustix::mount::mount(
        "tmpfs",
        &dir,
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        c"size=256k,mode=0700",
    )
    .unwrap();
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    let status = client.state().unwrap();
    let text = std::fs::read_to_string(dir.join(FILE)).unwrap();
    client.ack_exit().unwrap();
    instance.wait_gone(&mut client);
    rustix::mount::unmount(&dir, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert!(status.log_dropped > 10_000, "{}", status.log_dropped);
    assert!(text.ends_with('\n'), "a record was cut");
}

#[test]
fn a_program_may_write_its_own_file_or_nothing() {
    for (mode, expected) in [(LogMode::File, Some("plain\n")), (LogMode::None, None)] {
        let mut instance = Instance::new("echo plain");
        instance.spec.logging.mode = mode;
        let mut client = instance.launch();
        wait_over(&mut client);
        let raw = std::fs::read_to_string(instance.state_dir().join("output.raw")).ok();
        assert_eq!((raw.as_deref(), instance.output().as_str()), (expected, ""));
    }
}

#[test]
fn output_can_be_opened_by_its_path_by_another_user() {
    if !crate::support::is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut instance = Instance::new("echo through the path > /dev/stdout");
    instance.spec.process.user = Some(consort_shim::spec::User {
        uid: 65534,
        gid: 65534,
        groups: vec![],
    });
    let mut client = instance.launch();
    assert_eq!(wait_over(&mut client).code, Some(0));
    assert_eq!(instance.output(), "through the path\n");
}
