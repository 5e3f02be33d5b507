use std::collections::BTreeMap;
use std::path::Path;

use consort_shim::spec::{Namespaces, SecretFile};
use consort_shim::{LaunchError, SecretValues};

use crate::support::{Instance, is_root, wait_over, wait_ready};

const TOKEN: &str = "{{secret:db_password@3}}";
const VALUE: &str = "correct-horse-battery-staple";

fn with_secret(script: &str) -> Instance {
    let mut instance = Instance::new(script);
    instance.spec.secrets = vec![TOKEN.to_owned()];
    instance.secrets = SecretValues(BTreeMap::from([(TOKEN.to_owned(), VALUE.to_owned())]));
    instance.spec.process.env.insert(
        "DATABASE".to_owned(),
        format!("postgres://app:{TOKEN}@db/app"),
    );
    instance
}

/// All files below a folder whose content holds the value.
fn holders(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(holders(&entry.path()));
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes
                .windows(VALUE.len())
                .any(|window| window == VALUE.as_bytes())
            {
                all.push(entry.path().display().to_string());
            }
        }
    }
    all
}

#[test]
fn a_value_reaches_the_program_and_no_file() {
    let script = format!(
        "[ \"$DATABASE\" = postgres://app:{VALUE_PARTS}@db/app ] || exit 9; echo my password is $DATABASE; \
         echo {VALUE_PARTS} >&2; touch $DIR/up; exec sleep 600",
        VALUE_PARTS = "correct-horse\"-\"battery-staple"
    );
    let instance = with_secret(&script).ready_when("up");
    let mut client = instance.launch();
    let status = wait_ready(&mut client);
    let shim = client.shim;
    assert_eq!(holders(instance.folder()), Vec::<String>::new());
    assert!(!serde_json::to_string(&status).unwrap().contains(VALUE));
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{shim}/{file}")).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(VALUE),
            "{file} of the shim"
        );
    }
    instance.finish(&mut client);
    assert_eq!(holders(instance.folder()), Vec::<String>::new());
    let output = instance.output();
    assert!(
        output.contains(&format!("my password is postgres://app:{TOKEN}@db/app")),
        "{output}"
    );
}

#[test]
fn a_launch_without_a_value_is_refused_by_the_name_of_its_token() {
    let mut instance = with_secret("exit 0");
    instance.secrets = SecretValues::default();
    match instance.try_launch() {
        Err(LaunchError::BadSpec { message }) => assert!(message.contains(TOKEN), "{message}"),
        other => panic!("{other:?}"),
    }
    instance.assert_nothing_left();
}

#[test]
fn a_secret_file_is_in_memory_and_readable_by_its_user_alone() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let script = "stat -c '%a %u %g' /run/secrets/app/db /etc/passwd; test \"$(cat /run/secrets/app/db)\" = \"pw=$EXPECTED\" \
                  && df --output=fstype /run/secrets/app/db | tail -n 1; test \"$(cat /etc/passwd)\" = \"$EXPECTED\" && echo over";
    let mut instance = with_secret(script);
    instance.spec.namespaces = Namespaces::RootMountNs;
    instance
        .spec
        .process
        .env
        .insert("EXPECTED".to_owned(), TOKEN.to_owned());
    instance.spec.process.user = Some(consort_shim::spec::User {
        uid: 65534,
        gid: 65533,
        groups: vec![],
    });
    let file = |target: &str, content: String| SecretFile {
        target: target.into(),
        content,
        mode: 0o400,
        uid: None,
        gid: None,
    };
    instance.spec.secret_files = vec![
        file("/run/secrets/app/db", format!("pw={TOKEN}")),
        file("/etc/passwd", TOKEN.to_owned()),
    ];
    let mut client = instance.launch();
    wait_over(&mut client);
    assert_eq!(
        instance.output(),
        "400 65534 65533\n400 65534 65533\ntmpfs\nover\n"
    );
    assert!(!Path::new("/run/secrets/app").exists());
    assert_eq!(holders(instance.folder()), Vec::<String>::new());
}

#[test]
fn a_secret_file_without_namespaces_is_refused_on_a_disk_and_removed_from_memory() {
    let mut instance = with_secret("cat $FILE; touch $DIR/up; exec sleep 600").ready_when("up");
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let target = memory.path().join("key");
    let file = |target: &Path| SecretFile {
        target: target.into(),
        content: TOKEN.to_owned(),
        mode: 0o400,
        uid: None,
        gid: None,
    };
    instance.spec.secret_files = vec![file(&instance.folder().join("key"))];
    match instance.try_launch() {
        Err(LaunchError::Setup { message, .. }) => {
            assert!(message.contains("not on a tmpfs"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    instance.spec.secret_files = vec![file(&target)];
    instance
        .spec
        .process
        .env
        .insert("FILE".to_owned(), target.display().to_string());
    let mut client = instance.launch();
    wait_ready(&mut client);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), VALUE);
    instance.finish(&mut client);
    assert!(!target.exists());
    assert_eq!(instance.output(), format!("{TOKEN}\n"));
}
