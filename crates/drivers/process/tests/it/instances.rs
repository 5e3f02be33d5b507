use consort_driver::{Phase, StopMode, Target};
use consort_shim::Client;
use serde_json::json;

use super::support::*;

#[test]
fn two_instances_answer_behind_a_virtual_address_a_name_and_a_published_port() {
    block_on(async {
        let world = World::new();
        let api = world.service("api", web("hello", json!({}))).await;
        let started = world.run(&api, 2, "a").await;
        assert_ne!(started[0].ip, started[1].ip);
        assert_eq!(fetch(api.at(), "/").await, "hello");
        assert_eq!(fetch(api.published(), "/").await, "hello");
        let other = world
            .service("other", web("other", json!({"expose": ["9000"]})))
            .await;
        let names = world.run(&other, 1, "o").await;
        // A third party finds them by name: the first by the hosts file that it began with.
        let hosts = fetch(other.at(), "/etc/hosts").await;
        let line = format!("{} api\n", api.attribute("address"));
        assert!(hosts.contains(&line), "{hosts}");
        let env = fetch(other.at(), "/env").await;
        for line in [
            format!("API_HOST={}\n", api.attribute("address")),
            "API_PORT=8080\n".into(),
            "PORT=8080\n".into(),
            "PORT_9000=9000\n".into(),
            format!("HOST={}\n", names[0].ip.unwrap()),
            "CONSORT_DEPLOYMENT=shop\n".into(),
        ] {
            assert!(env.contains(&line), "{line} is missing in {env}");
        }
        // … and one that came later is written into the file of those that run.
        let hosts = fetch(api.at(), "/etc/hosts").await;
        assert!(hosts.contains(" other\n"), "{hosts}");
        world.down().await;
    });
}

#[test]
fn the_same_key_never_starts_twice() {
    block_on(async {
        let mut world = World::new();
        let api = world.service("api", web("x", json!({}))).await;
        let first = world.start(&api, 1, "same").await;
        world.restarted();
        let again = world.start(&api, 1, "same").await;
        assert_eq!((&first.id, first.pid), (&again.id, again.pid));
        assert_eq!(world.list().await.len(), 1);
        let runtime = world.target.instances();
        runtime
            .instance_stop(&world.context, &first.id, StopMode::Now)
            .await
            .unwrap();
        let ended = world.start(&api, 1, "same").await;
        assert_eq!(ended.phase, Phase::Exited);
        world.down().await;
    });
}

#[test]
fn a_killed_shim_is_replaced_and_the_list_is_right() {
    block_on(async {
        let mut world = World::new();
        let api = world.service("api", web("still", json!({}))).await;
        let started = world.run(&api, 1, "k").await.remove(0);
        let shim = Client::connect(&control(&world), LIMIT).unwrap().shim;
        let pid = rustix::process::Pid::from_raw(shim).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        world.restarted();
        let found = world
            .until(&api.address, |all| {
                all.iter().all(|one| one.phase == Phase::Ready)
            })
            .await;
        assert_eq!((found.len(), found[0].pid), (1, started.pid));
        assert_eq!(fetch(api.at(), "/").await, "still");
        assert_ne!(Client::connect(&control(&world), LIMIT).unwrap().shim, shim);
        world.down().await;
    });
}

fn control(world: &World) -> std::path::PathBuf {
    let found = files(&world.context.home_directory)
        .into_iter()
        .find(|path| path.ends_with("instance.json"));
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(found.unwrap()).unwrap()).unwrap();
    record["control"].as_str().unwrap().into()
}

#[test]
fn ends_restarts_and_health_are_told() {
    block_on(async {
        let world = World::new();
        let script = |line: &str, more: serde_json::Value| {
            let mut desired = json!({"command": ["/bin/sh", "-c", line]});
            for (key, value) in more.as_object().unwrap() {
                desired[key] = value.clone();
            }
            desired
        };
        let done = world.service("done", script("exit 3", json!({}))).await;
        world.start(&done, 1, "d").await;
        let seen = world
            .until(&done.address, |all| all[0].phase == Phase::Exited)
            .await;
        assert_eq!(
            (seen[0].exit_code, seen[0].ended.as_deref()),
            (Some(3), Some("exit code 3"))
        );
        let again = world
            .service(
                "again",
                script("exit 1", json!({"restart": "on-failure:2"})),
            )
            .await;
        world.start(&again, 1, "r").await;
        let seen = world
            .until(&again.address, |all| all[0].phase == Phase::Failed)
            .await;
        assert_eq!(seen[0].restarts, 2);
        let check = json!({"healthcheck": {"test": ["CMD", "test", "-e", world.folder.path().join("well")], "interval": "50ms", "retries": 2}});
        let sick = world.service("sick", script("sleep 1000", check)).await;
        world.start(&sick, 1, "s").await;
        world
            .until(&sick.address, |all| all[0].phase == Phase::Unhealthy)
            .await;
        std::fs::write(world.folder.path().join("well"), "").unwrap();
        world
            .until(&sick.address, |all| all[0].phase == Phase::Ready)
            .await;
        let tail = world
            .target
            .instances()
            .instance_tail(&world.context, &seen[0].id, 5)
            .await
            .unwrap();
        assert_eq!(
            tail.iter().filter(|line| line.contains("exit")).count(),
            tail.len()
        );
        world.down().await;
    });
}

#[test]
fn a_built_program_runs_from_a_read_only_copy_also_as_another_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    block_on(async {
        let world = World::new();
        let script = b"#!/bin/sh\ncat data/text; pwd; id -u; test -w run.sh && echo writable\nexec sleep 1000\n";
        let digest = world.program(&[
            ("run.sh", script, true),
            ("data/text", b"from the bundle\n", false),
        ]);
        for (name, user) in [("plain", None), ("nobody", Some("65534"))] {
            let desired = json!({"process": {"command": ["./run.sh"]}, "user": user, "program": digest.to_string()});
            let service = world.service(name, desired).await;
            let mut request = world.request(&service, 1, name);
            request.program = Some(digest);
            let status = world
                .target
                .instances()
                .instance_start(&world.context, request)
                .await
                .unwrap();
            let lines = lines(&world, &status.id, 3).await;
            let uid = user.unwrap_or("0");
            assert_eq!(
                (lines[0].as_str(), lines[2].as_str()),
                ("from the bundle", uid),
                "{lines:?}"
            );
            if user.is_some() {
                assert_eq!(lines[1], "/consort-program");
                assert_eq!(lines.len(), 3, "{lines:?}");
            } else {
                assert!(
                    lines[1].ends_with(&format!("process/programs/{digest}")),
                    "{lines:?}"
                );
            }
        }
        world.down().await;
    });
}

/// The first lines of an instance, once there are so many.
async fn lines(world: &World, id: &str, count: usize) -> Vec<String> {
    let give_up = std::time::Instant::now() + LIMIT;
    loop {
        let lines = world
            .target
            .instances()
            .instance_tail(&world.context, id, 100)
            .await
            .unwrap();
        if lines.len() >= count {
            return lines;
        }
        assert!(std::time::Instant::now() < give_up, "{lines:?}");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_program_that_does_not_exist_is_named_and_leaves_nothing() {
    block_on(async {
        let world = World::new();
        let ghost = world
            .service("ghost", json!({"command": ["/no/such/program"]}))
            .await;
        let request = world.request(&ghost, 1, "g");
        let failed = world
            .target
            .instances()
            .instance_start(&world.context, request)
            .await
            .unwrap_err();
        assert_eq!(failed.code, consort_model::Code::PROGRAM_MISSING);
        assert!(
            failed.problem().to_string().contains("/no/such/program"),
            "{}",
            failed.problem()
        );
        assert!(world.list().await.is_empty());
        assert_eq!(
            files(&world.context.home_directory.join("process/shop")),
            Vec::<std::path::PathBuf>::new()
        );
        world.down().await;
    });
}

#[test]
fn volumes_configs_and_tmpfs_appear_where_the_blueprint_says() {
    block_on(async {
        let world = World::new();
        let address = |kind, name: &str| consort_model::Address::new(kind, name);
        let volume = address(consort_model::Kind::Volume, "data");
        let made = world
            .apply(&volume, &json!({"name": "shop_data"}))
            .await
            .unwrap();
        std::fs::write(
            world.context.project_directory.join("app.conf"),
            "from a file",
        )
        .unwrap();
        let config = address(consort_model::Kind::Config, "app");
        let applied = world
            .apply(&config, &json!({"file": "app.conf"}))
            .await
            .unwrap();
        let inline = address(consort_model::Kind::Config, "inline");
        world
            .apply(&inline, &json!({"content": "inline text"}))
            .await
            .unwrap();
        std::fs::write(
            world.context.project_directory.join("app.conf"),
            "edited later",
        )
        .unwrap();
        let line = "cat /app /etc/deep/er/inline.txt; echo; touch /data/kept /cache/x && echo wrote; sleep 1000";
        let desired = json!({
            "command": ["/bin/sh", "-c", line],
            "volumes": ["data:/data", {"type": "tmpfs", "target": "/cache"}],
            "configs": ["app", {"source": "inline", "target": "/etc/deep/er/inline.txt"}],
        });
        let user = world.service("user", desired).await;
        let status = world.start(&user, 1, "v").await;
        let lines = lines(&world, &status.id, 2).await;
        assert_eq!(lines, ["from a fileinline text", "wrote"]);
        assert!(std::path::Path::new(&made.id).join("kept").exists());
        world.stop(&status.id).await;
        world.delete(&volume, &made).await;
        assert!(!std::path::Path::new(&made.id).exists());
        world.delete(&config, &applied).await;
        world.delete(&inline, &applied).await;
        world.down().await;
    });
}
