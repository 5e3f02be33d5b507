use consort_driver::{Observed, Target};
use consort_model::state::Object;
use consort_model::{Address, Code, Kind, Partial, Value};
use serde_json::json;

use super::support::*;

fn object(id: &str, desired: &Value, attributes: &Value) -> Object {
    Object {
        id: id.into(),
        desired: desired.clone(),
        attributes: attributes.clone(),
        tainted: false,
    }
}

#[test]
fn planning_again_after_apply_changes_nothing_and_keeps_every_promise() {
    block_on(async {
        let world = World::new();
        std::fs::write(world.context.project_directory.join("f"), "text").unwrap();
        let nodes = [
            (
                Kind::Service,
                web(
                    "x",
                    json!({"ports": ["8080"], "ulimits": {"nofile": 1024}, "deploy": {"replicas": 2}}),
                ),
            ),
            (Kind::Volume, json!({"name": "shop_v"})),
            (Kind::Network, json!({"name": "shop_default", "ipam": {}})),
            (Kind::Config, json!({"file": "f"})),
            (Kind::Secret, json!({"content": "s3cret-text"})),
            (Kind::Job, json!({"command": ["true"]})),
        ];
        for (kind, desired) in nodes {
            let address = Address::new(kind, "n");
            let planned = world
                .plan(&address, None, desired.clone().into())
                .await
                .unwrap();
            assert!(
                planned.changes && planned.requires_replacement.is_empty(),
                "{address}"
            );
            let applied = world.apply(&address, &desired).await.unwrap();
            assert_eq!(
                planned.planned.broken_by(&applied.attributes),
                None,
                "{address}"
            );
            let prior = object(&applied.id, &desired, &applied.attributes);
            let again = world
                .plan(&address, Some(prior.clone()), desired.clone().into())
                .await
                .unwrap();
            assert!(!again.changes, "{address}");
            let seen = world
                .target
                .resources()
                .read(&world.context, kind.word(), &prior)
                .await
                .unwrap();
            assert_eq!(
                seen,
                Observed::Present(applied.attributes.clone()),
                "{address}"
            );
            world.delete(&address, &applied).await;
            world.delete(&address, &applied).await;
            if !matches!(kind, Kind::Network | Kind::Job) {
                let gone = world
                    .target
                    .resources()
                    .read(&world.context, kind.word(), &prior)
                    .await
                    .unwrap();
                assert_eq!(gone, Observed::Gone, "{address}");
            }
        }
        world.down().await;
    });
}

#[test]
fn what_cannot_work_here_is_refused_by_the_plan() {
    block_on(async {
        let world = World::new();
        let api = service("api");
        let refused = async |desired: Value| {
            world
                .plan(&api, None, Partial::from(desired))
                .await
                .unwrap_err()
        };
        let image = refused(json!({"image": "nginx"})).await;
        assert_eq!(image.code, Code::TARGET_UNAVAILABLE);
        let remedy = image.remedy.unwrap();
        assert!(
            remedy.contains("process:") && remedy.contains("target: docker"),
            "{remedy}"
        );
        assert_eq!(refused(json!({})).await.code, Code::BLUEPRINT_INVALID);
        assert_eq!(
            refused(json!({"command": ["x"], "ports": ["99999"]}))
                .await
                .code,
            Code::BLUEPRINT_INVALID
        );
        let external = world
            .plan(
                &Address::new(Kind::Volume, "v"),
                None,
                json!({"external": true}).into(),
            )
            .await;
        assert_eq!(external.unwrap_err().code, Code::BLUEPRINT_INVALID);
        let plan = world.plan(
            &api,
            None,
            json!({"command": ["x"], "tty": true, "read_only": true, "network_mode": "host"})
                .into(),
        );
        assert_eq!(plan.await.unwrap().warnings.len(), 3);
        // The plan has done nothing.
        assert_eq!(
            files(&world.context.home_directory),
            Vec::<std::path::PathBuf>::new()
        );
        assert!(world.memory.facts.lock().unwrap().is_empty());
    });
}

#[test]
fn a_plan_waits_for_what_is_unknown() {
    block_on(async {
        let world = World::new();
        let unknown = json!({"$unknown": "apply"});
        let desired = json!({"command": [unknown], "environment": {"A": unknown}, "ports": [unknown], "program": {"$unknown": "build"}});
        let planned = world
            .plan(&service("api"), None, desired.into())
            .await
            .unwrap();
        let text = serde_json::to_value(&planned.planned).unwrap();
        assert_eq!(
            (&text["ports"], &text["program"]),
            (&unknown, &json!({"$unknown": "build"}))
        );
        assert_eq!(text["host"], "api");
    });
}

#[test]
fn the_machine_says_what_it_can_do() {
    block_on(async {
        let world = World::new();
        let all = world.target.capabilities(&world.context).await;
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "mount namespaces",
                "process tracking",
                "cgroup limits",
                "low ports",
                "addresses in 127/8",
                "docker",
                "qemu",
                "port holder"
            ]
        );
        assert!(
            all.iter()
                .all(|one| !one.detail.is_empty() && !one.consequence.is_empty())
        );
    });
}
