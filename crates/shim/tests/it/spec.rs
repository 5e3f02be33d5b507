use consort_shim::spec::{Check, Mount, MountSource, Namespaces, Probe, Rlimit, Spec, SpecError};

use crate::support::Instance;

/// Changes one thing; the specification must be refused by the name of the field.
fn refused(field: &str, change: impl FnOnce(&mut Spec)) {
    let mut spec = Instance::new("exit 0").spec.clone();
    spec.validate().unwrap();
    change(&mut spec);
    match spec.validate() {
        Err(SpecError::Field {
            field: found,
            reason,
        }) => {
            assert_eq!(found, field, "{reason}");
            assert!(!reason.is_empty());
        }
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn refuses_values_out_of_their_bounds_by_the_name_of_the_field() {
    let tmpfs = |target: &str| Mount {
        target: target.into(),
        source: MountSource::Tmpfs {
            size: None,
            mode: 0o755,
        },
        read_only: false,
    };
    refused("id", |spec| spec.id = "../x".to_owned());
    refused("address", |spec| spec.address = "a\u{1b}[2J".to_owned());
    refused("control", |spec| {
        spec.control = format!("/{}", "x".repeat(120)).into()
    });
    refused("secrets", |spec| spec.secrets = vec!["x".to_owned()]);
    refused("process.program", |spec| spec.process.program.clear());
    refused("process", |spec| spec.process.args.push("a\0b".to_owned()));
    refused("process.env", |spec| {
        drop(spec.process.env.insert("A=B".to_owned(), String::new()))
    });
    refused("process.cwd", |spec| {
        spec.process.cwd = Some("relative".into())
    });
    refused("process.rlimits", |spec| {
        spec.process.rlimits.insert(
            "files".to_owned(),
            Rlimit {
                soft: None,
                hard: None,
            },
        );
    });
    refused("process.capabilities", |spec| {
        spec.process.capabilities.drop = vec!["FLY".to_owned()]
    });
    refused("process.umask", |spec| spec.process.umask = Some(0o7777));
    refused("mounts", |spec| spec.mounts = vec![tmpfs("/data")]);
    refused("mounts[0].target", |spec| {
        spec.namespaces = Namespaces::RootMountNs;
        spec.mounts = vec![tmpfs("/a/../b")];
    });
    refused("hosts", |spec| spec.hosts = Some("127.0.0.1 x".to_owned()));
    refused("cgroup.name", |spec| {
        spec.cgroup.as_mut().unwrap().name = "../up".to_owned()
    });
    refused("cgroup.limits.cpu_millis", |spec| {
        spec.cgroup.as_mut().unwrap().limits.cpu_millis = Some(1)
    });
    refused("probes[0]", |spec| {
        let check = Check::Tcp {
            address: "127.0.0.1:1".to_owned(),
        };
        spec.probes = vec![Probe {
            retries: 0,
            ..Probe::new(check)
        }];
    });
    refused("probes[0].address", |spec| {
        spec.probes = vec![Probe::new(Check::Tcp {
            address: "localhost:80".to_owned(),
        })];
    });
    refused("stop.signal", |spec| {
        spec.stop.signal = "SIGNOTHING".to_owned()
    });
    refused("logging.max_file", |spec| spec.logging.max_file = 0);
}

#[test]
fn a_specification_of_only_the_required_fields_has_defaults() {
    let text = r#"{"format": 1, "id": "a", "address": "services.a#1", "control": "/run/c", "process": {"program": "a"},
                   "from_a_later_version": true}"#;
    let spec: Spec = serde_json::from_str(text).unwrap();
    spec.validate().unwrap();
    assert_eq!(
        (spec.stop.signal.as_str(), spec.stop.grace_ms),
        ("SIGTERM", 10_000)
    );
    assert_eq!(
        serde_json::from_str::<Spec>(&serde_json::to_string(&spec).unwrap()).unwrap(),
        spec
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,200}") {
        if let Ok(spec) = serde_json::from_str::<Spec>(&text) {
            let _ = spec.validate();
        }
        let _ = serde_json::from_str::<consort_shim::protocol::Request>(&text);
        let _ = serde_json::from_str::<consort_shim::protocol::Status>(&text);
    }

    #[test]
    fn no_value_in_a_field_makes_the_validation_panic(id in ".{0,80}", path in ".{0,40}", signal in ".{0,10}", name in ".{0,40}") {
        let text = r#"{"format": 1, "id": "a", "address": "x", "control": "/run/c", "process": {"program": "a"}}"#;
        let mut spec: Spec = serde_json::from_str(text).unwrap();
        spec.id = id;
        spec.stop.signal = signal;
        spec.namespaces = Namespaces::RootMountNs;
        spec.mounts = vec![Mount {
            target: path.into(), source: MountSource::Tmpfs { size: None, mode: 0 }, read_only: true,
        }];
        spec.cgroup = Some(consort_shim::spec::Cgroup { name, limits: Default::default() });
        let _ = spec.validate();
    }
}
