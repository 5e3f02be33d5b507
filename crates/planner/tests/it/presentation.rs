//! The plan as a person reads it.

use consort_model::plan::Mode;
use consort_planner::present::{Style, render};
use serde_json::json;

use crate::world::{World, wish};

#[test]
fn a_first_plan_reads_well() {
    let plan = World::default().plan(&wish(json!({
        "resources": {
            "db_password": {"type": "thing", "properties": {"name": "db", "password": "hunter2", "tags": {"owner": "me", "long": "x".repeat(120)}}},
        },
        "volumes": {"data": {}},
        "services": {"api": {
            "image": "shop/api:1.4", "volumes": ["data:/d"],
            "environment": {"DB": "${ .resources.db_password.id }", "TOKEN": "a\u{E0C5}resources.token.value@1\u{E0C6}b"},
            "deploy": {"replicas": 2},
        }},
        "outputs": {"url": "${ .services.api.url }", "id": "${ .resources.db_password.id }"},
    })));
    insta::assert_snapshot!(render(&plan, &Style::default()));
}

#[test]
fn a_plan_of_changes_reads_well() {
    let mut world = World::default();
    let of = |image: &str, zone: &str, more: bool| {
        let mut document = json!({
            "resources": {
                "bucket": {"type": "store", "properties": {"name": "b", "zone": zone}},
                "first": {"type": "first_thing", "properties": {"zone": zone}},
            },
            "services": {"api": {"image": image, "environment": {"B": "${ .resources.bucket.id }"}}},
        });
        if more {
            document["resources"]["old"] = json!({"type": "thing", "properties": {"name": "odd"}});
        }
        wish(document)
    };
    world.up(&of("api:1", "x", true));
    world.things.get_mut("resources.first-1").unwrap()["size"] = json!(9);
    let plan = world.plan(&of("api:2", "y", false).refresh());
    insta::assert_snapshot!(render(&plan, &Style::default()));
}

#[test]
fn nothing_to_do_is_said_in_one_line() {
    let mut world = World::default();
    let wish = wish(json!({"resources": {"a": {"type": "thing", "properties": {}}}}));
    world.up(&wish);
    let plan = world.plan(&wish);
    insta::assert_snapshot!(render(&plan, &Style::default()));
    insta::assert_snapshot!(
        render(
            &plan,
            &Style {
                all: true,
                colour: true,
                ..Style::default()
            }
        )
        .replace('\u{1b}', "^")
    );
}

#[test]
fn destroying_says_what_is_kept() {
    let mut world = World::default();
    let document = json!({"volumes": {"data": {}}, "services": {"api": {"image": "x", "volumes": ["data:/d"]}}});
    world.up(&wish(document.clone()));
    let plan = world.plan(&wish(document).mode(Mode::Destroy { volumes: false }));
    insta::assert_snapshot!(render(&plan, &Style::default()));
}
