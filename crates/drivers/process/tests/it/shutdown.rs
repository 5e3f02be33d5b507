use std::collections::BTreeSet;
use std::path::Path;

use consort_driver::Target;
use serde_json::json;

use super::support::*;

/// Processes, mounts, listeners and cgroups that belong to a home, and all its files.
fn listing(world: &World) -> BTreeSet<String> {
    let marks = [
        world.folder.path().display().to_string(),
        world.context.home.to_string(),
    ];
    let ours = |text: &str| marks.iter().any(|mark| text.contains(mark.as_str()));
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        if entry
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            && (ours(&read("cmdline"))
                || read("environ").contains(&format!("CONSORT_INSTANCE={}", marks[1])))
        {
            all.insert(format!("process {}", read("cmdline")));
        }
    }
    for line in std::fs::read_to_string("/proc/self/mountinfo")
        .unwrap()
        .lines()
        .filter(|line| ours(line))
    {
        all.insert(format!("mount {line}"));
    }
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    for line in sockets.lines().filter(|line| ours(line)) {
        all.insert(format!("socket {line}"));
    }
    let home = consort_model::Digest::of(world.context.home.to_string().as_bytes()).short();
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
    {
        for at in [hierarchy.path().join("consort"), hierarchy.path()] {
            if at.join(&home).exists() {
                all.insert(format!("cgroup {}", at.join(&home).display()));
            }
        }
    }
    let kept = |path: &Path| {
        path.starts_with(&world.context.home_directory)
            || path.starts_with(&world.context.socket_directory)
    };
    for path in files(world.folder.path())
        .into_iter()
        .filter(|path| kept(path))
    {
        all.insert(format!("file {}", path.display()));
    }
    all
}

#[test]
fn nothing_is_left_in_the_end() {
    block_on(async {
        let world = World::new();
        let before = listing(&world);
        let token = world.secret("resources.p.value", "a-secret-value");
        let desired = web(
            "x",
            json!({"environment": {"P": token}, "volumes": ["/cache"], "cpus": 0.5, "mem_limit": "64m"}),
        );
        let api = world.service("api", desired).await;
        let digest = world.program(&[("data", b"x", false)]);
        let mut request = world.request(&api, 1, "n");
        request.program = Some(digest);
        let id = world
            .target
            .instances()
            .instance_start(&world.context, request)
            .await
            .unwrap()
            .id;
        world.route(&api, 1, &[id], &[]).await;
        world
            .target
            .endpoints()
            .deployment_url(&world.context)
            .await
            .unwrap();
        assert_eq!(fetch(api.at(), "/").await, "x");
        let ports = [api.at(), api.published()];
        assert!(listing(&world).len() > before.len() + 5);
        // While a service is there, its ports stay.
        world.target.shutdown(&world.context).await.unwrap();
        assert_eq!(fetch(api.at(), "/").await, "x");
        world.down().await;
        assert_eq!(listing(&world), before);
        assert!(!world.context.home_directory.join("process").exists());
        for at in ports {
            assert!(get(at, "/").is_err());
        }
        assert!(
            world.memory.facts.lock().unwrap().is_empty(),
            "{:?}",
            world.memory.facts.lock().unwrap()
        );
        world.target.shutdown(&world.context).await.unwrap();
    });
}
