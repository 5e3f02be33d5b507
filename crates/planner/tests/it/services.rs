//! Services and what belongs to them.

use consort_model::plan::{Mandate, Question};
use consort_model::service::Order;
use consort_model::{Digest, Why};
use serde_json::{Value, json};

use crate::world::{Wish, World, actions, address, shown, verdicts, wish};

fn roll_out(plan: &consort_model::plan::Plan, at: usize) -> (Order, u32, String) {
    match &plan.actions[at].mandates[0] {
        Mandate::RollOut {
            policy,
            replicas,
            reason,
        } => (policy.order, *replicas, reason.clone()),
        other => panic!("{other:?}"),
    }
}

fn hub(service: Value) -> Wish {
    wish(json!({"volumes": {"data": {}}, "services": {"hub": service}}))
}

#[test]
fn a_service_spells_out_how_it_is_rolled_out_and_why() {
    for (service, order, reason) in [
        (
            json!({"image": "x"}),
            Order::StartFirst,
            "nothing keeps two versions from running side by side",
        ),
        (
            json!({"image": "x", "volumes": ["data:/d"]}),
            Order::StopFirst,
            "it writes to a named volume",
        ),
        (
            json!({"image": "x", "volumes": ["data:/d"], "deploy": {"update_config": {"order": "start-first"}}}),
            Order::StartFirst,
            "update_config.order says so",
        ),
    ] {
        let plan = World::default().plan(&hub(service));
        assert_eq!(roll_out(&plan, 1), (order, 1, reason.to_owned()));
        assert_eq!(plan.actions[1].mandates[1], Mandate::Repair);
        assert!(plan.questions.is_empty());
    }
}

#[test]
fn the_policy_of_a_service_with_unknown_parts_comes_from_the_known_ones() {
    let plan = World::default().plan(&wish(json!({
        "resources": {"a": {"type": "thing", "properties": {}}},
        "services": {"hub": {"image": "x", "ports": ["${ .resources.a.id }:80"], "deploy": {"replicas": 3, "update_config": {"parallelism": 2}},
                              "environment": {"A": "${ .resources.a.id }"}}},
    })));
    assert_eq!(
        actions(&plan),
        ["create resources.a", "create services.hub"]
    );
    assert_eq!(roll_out(&plan, 1).1, 3);
    assert_eq!(
        plan.actions[1]
            .desired
            .get("ports")
            .and_then(consort_model::Partial::unknown),
        Some(Why::Apply)
    );
}

#[test]
fn scaling_is_said_to_be_scaling() {
    let mut world = World::default();
    let of =
        |replicas: u32, image: &str| hub(json!({"image": image, "deploy": {"replicas": replicas}}));
    world.up(&of(2, "x"));
    let plan = world.up(&of(3, "x"));
    assert_eq!(
        verdicts(&plan)[1],
        "services.hub: update (scale from 2 to 3)"
    );
    assert_eq!(
        roll_out(&plan, 0),
        (
            Order::StartFirst,
            3,
            "scale from 2 to 3; no instance is replaced".into()
        )
    );
    let plan = world.up(&of(4, "y"));
    assert_eq!(
        verdicts(&plan)[1],
        "services.hub: update (image, deploy.replicas changed)"
    );
}

#[test]
fn a_program_is_a_setting_and_may_not_be_built_yet() {
    let mut world = World::default();
    let of = |program: Option<&[u8]>| {
        let mut wish = hub(json!({"process": {"build": ["make"], "command": ["./hub"]}}));
        wish.programs
            .extend(program.map(|program| ("hub".into(), Digest::of(program))));
        wish
    };
    let plan = world.plan(&of(None));
    assert_eq!(
        plan.actions[1].desired.get("program"),
        Some(&consort_model::Partial::Unknown(Why::Build))
    );
    world.up(&of(Some(b"one")));
    let plan = world.up(&of(Some(b"two")));
    assert_eq!(verdicts(&plan)[1], "services.hub: update (program changed)");
}

#[test]
fn conditions_of_services_are_waited_for() {
    let mut world = World::default();
    let plan = world.up(&wish(json!({
        "networks": {"back": {}},
        "configs": {"c": {"content": "x"}},
        "services": {
            "web": {"image": "x", "configs": ["c"], "depends_on": {
                "services.db": {"condition": "service_healthy"},
                "services.cache": {},
                "services.gone": {"required": false},
                "services.log": {"condition": "service_healthy", "required": false},
            }},
            "db": {"image": "x", "networks": {"back": null}},
            "cache": {"image": "x"},
            "log": {"image": "x"},
        },
    })));
    let web = plan.actions.last().unwrap();
    assert_eq!(web.id.0, "create services.web");
    assert_eq!(
        json!(web.waits_for),
        json!([["services.db", "service_healthy"]])
    );
    let after: Vec<String> = web.after.iter().map(ToString::to_string).collect();
    assert_eq!(after.len(), 4, "{after:?}");
    let db = plan
        .actions
        .iter()
        .find(|action| action.id.0 == "create services.db")
        .unwrap();
    assert_eq!(json!(db.depends_on), json!(["networks.back"]));
}

#[test]
fn a_service_that_cannot_be_read_is_refused_with_its_place() {
    for (service, message) in [
        (
            json!({"image": "x", "restart": "sometimes"}),
            "`restart`: `sometimes` is none of no, always, on-failure, unless-stopped",
        ),
        (
            json!({"image": "x", "deploy": {"update_config": {"delay": "soon"}}}),
            "soon",
        ),
    ] {
        let problems = World::default().try_plan(&hub(service)).unwrap_err();
        let text = shown(&problems);
        assert!(
            text.contains(message)
                && text.contains("consort.yaml:2:3")
                && text.contains("services.hub"),
            "{text}"
        );
    }
}

#[test]
fn a_compose_project_is_never_asked_and_others_are_where_data_goes() {
    let mut world = World::default();
    world.up(&hub(json!({"image": "x", "volumes": ["data:/d"]})));
    assert!(world.up(&wish(json!({}))).questions.is_empty());

    let mut world = World::default();
    world.up(&wish(json!({"resources": {
        "s": {"type": "store", "properties": {}}, "a": {"type": "thing", "properties": {}},
        "c": {"type": "cloud_thing", "properties": {}},
    }})));
    let plan = world.up(&wish(json!({})));
    assert!(plan.questions.contains(&Question::DestroysData {
        address: address("resources.s")
    }));
    assert!(plan.questions.contains(&Question::CallsProvider {
        driver: "cloud".into()
    }));
    assert_eq!(plan.questions.len(), 2);
}
