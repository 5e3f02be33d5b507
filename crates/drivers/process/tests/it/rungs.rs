//! The unprivileged rungs, as another user where this is root.

use std::process::Command;

use consort_driver_process::Rung;
use serde_json::json;

use super::support::*;

#[test]
fn without_namespaces_services_find_each_other_by_variables_and_views_are_refused() {
    block_on(async {
        let world = World::limited_to(Rung::None);
        let planned = world
            .plan(&service("api"), None, web("x", json!({})).into())
            .await
            .unwrap();
        assert!(
            planned.warnings.iter().any(|text| text.contains("_HOST")),
            "{:?}",
            planned.warnings
        );
        let refused = world
            .plan(
                &service("api"),
                None,
                web("x", json!({"volumes": ["data:/data"]})).into(),
            )
            .await;
        assert!(
            refused
                .unwrap_err()
                .remedy
                .unwrap()
                .contains("user namespaces")
        );
        let api = world.service("api", web("x", json!({}))).await;
        assert_eq!(api.attribute("host"), api.attribute("address"));
        let other = world.service("other", web("y", json!({}))).await;
        world.run(&other, 1, "o").await;
        assert!(!fetch(other.at(), "/etc/hosts").await.contains(" api\n"));
        assert!(
            fetch(other.at(), "/env")
                .await
                .contains(&format!("API_HOST={}\n", api.attribute("address")))
        );
        world.down().await;
    });
}

/// Runs one of these tests again as a user without privileges.
fn as_other_user(test: &str) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let ours = std::env::current_exe().unwrap();
    let folder = tempfile::Builder::new().prefix("cu").tempdir().unwrap();
    // The build folder may lie where only root can enter.
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("debug/deps")).unwrap();
    std::fs::create_dir_all(path("debug/examples")).unwrap();
    std::fs::create_dir_all(path("tmp")).unwrap();
    std::fs::copy(&ours, path("debug/deps/it")).unwrap();
    std::fs::copy(programs(), path("debug/examples/process-programs")).unwrap();
    let open = |at: &std::path::Path, mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for at in [
        "",
        "debug",
        "debug/deps",
        "debug/examples",
        "debug/deps/it",
        "debug/examples/process-programs",
    ] {
        open(&path(at), 0o755);
    }
    open(&path("tmp"), 0o1777);
    let run = Command::new("setpriv")
        .args([
            "--reuid=4321",
            "--regid=4321",
            "--clear-groups",
            "--inh-caps=-all",
        ])
        .arg(path("debug/deps/it"))
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("TMPDIR", path("tmp"))
        .output();
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            eprintln!("skipped: setpriv cannot be run: {error}");
            return;
        }
    };
    let text =
        String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn another_user_gets_names_and_mounts_by_a_user_namespace() {
    as_other_user("rungs::unprivileged");
}

#[test]
#[ignore = "run by another test as another user"]
fn unprivileged() {
    block_on(async {
        let world = World::new();
        let volume = consort_model::Address::new(consort_model::Kind::Volume, "data");
        let made = world.apply(&volume, &json!({})).await.unwrap();
        let api = world
            .service(
                "api",
                web(
                    "user",
                    json!({"volumes": ["data:/data"], "ports": ["8080"]}),
                ),
            )
            .await;
        if api.attribute("host") != "api" {
            eprintln!("this machine allows no user namespaces");
        }
        world.run(&api, 1, "u").await;
        assert_eq!(fetch(api.published(), "/").await, "user");
        if api.attribute("host") == "api" {
            assert!(fetch(api.at(), "/etc/hosts").await.contains(" api\n"));
        }
        let low = world
            .plan(
                &service("low"),
                None,
                json!({"command": ["x"], "ports": ["8081:1"]}).into(),
            )
            .await;
        assert!(low.unwrap_err().to_string().contains("port 1"));
        for status in world.list().await {
            world.stop(&status.id).await;
        }
        world.delete(&volume, &made).await;
        world.down().await;
        assert_eq!(
            files(&world.context.home_directory),
            Vec::<std::path::PathBuf>::new()
        );
    });
}
