use consort_model::{Address, Kind};
use serde_json::json;

use super::support::*;

const VALUE: &str = "correct-horse-battery-staple";

#[test]
fn values_reach_environment_and_files_and_never_a_disk() {
    block_on(async {
        let world = World::new();
        let token = world.secret("resources.db_password.value", VALUE);
        let config = Address::new(Kind::Config, "app");
        let text = format!("url = postgres://u:{token}@db\n");
        let made = world
            .apply(&config, &json!({"content": text}))
            .await
            .unwrap();
        let secret = Address::new(Kind::Secret, "db");
        let sealed = world
            .apply(&secret, &json!({"content": token}))
            .await
            .unwrap();
        assert!(!made.attributes.to_string().contains(VALUE));
        let desired = web(
            "x",
            json!({
                "environment": {"PASSWORD": token, "URL": format!("pg://u:{token}@db")},
                "configs": [{"source": "app", "target": "/etc/app.conf"}],
                "secrets": ["db"],
            }),
        );
        let api = world.service("api", desired).await;
        let status = world.run(&api, 1, "s").await.remove(0);
        let env = fetch(api.at(), "/env").await;
        assert!(
            env.contains(&format!("PASSWORD={VALUE}\n"))
                && env.contains(&format!("URL=pg://u:{VALUE}@db\n"))
        );
        assert_eq!(fetch(api.at(), "/run/secrets/db").await, VALUE);
        assert_eq!(
            fetch(api.at(), "/etc/app.conf").await,
            format!("url = postgres://u:{VALUE}@db\n")
        );
        let found: Vec<_> = files(world.folder.path())
            .into_iter()
            .filter(|path| {
                std::fs::read(path).is_ok_and(|bytes| {
                    bytes
                        .windows(VALUE.len())
                        .any(|part| part == VALUE.as_bytes())
                })
            })
            .collect();
        assert!(found.is_empty(), "{found:?}");
        assert!(!std::path::Path::new("/run/secrets/db").exists());
        let arguments = std::fs::read(format!("/proc/{}/cmdline", status.pid.unwrap())).unwrap();
        assert!(!String::from_utf8_lossy(&arguments).contains(VALUE));
        world.stop(&status.id).await;
        world.delete(&config, &made).await;
        world.delete(&secret, &sealed).await;
        world.down().await;
    });
}

#[test]
fn a_secret_file_is_bound_and_its_change_is_seen_by_its_fingerprint() {
    block_on(async {
        let world = World::new();
        let path = world.context.project_directory.join("key");
        std::fs::write(&path, [0, 159, 146, 150]).unwrap();
        let secret = Address::new(Kind::Secret, "key");
        let desired = json!({"file": path.display().to_string()});
        let made = world.apply(&secret, &desired).await.unwrap();
        let prior = consort_model::state::Object {
            id: made.id.clone(),
            desired: desired.clone(),
            attributes: made.attributes.clone(),
            tainted: false,
        };
        let same = world
            .plan(&secret, Some(prior.clone()), desired.clone().into())
            .await
            .unwrap();
        assert!(!same.changes);
        std::fs::write(&path, "rotated").unwrap();
        let changed = world
            .plan(&secret, Some(prior), desired.into())
            .await
            .unwrap();
        assert!(changed.changes);
        let missing = world
            .apply(&secret, &json!({"environment": "X"}))
            .await
            .unwrap_err();
        assert!(missing.to_string().contains("has no content"));
        world.delete(&secret, &made).await;
        world.down().await;
    });
}
