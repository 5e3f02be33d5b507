//! Built-in resources and services: up, nothing to do, change, kill, drift, down.

use super::world::World;

const RESOURCES: &str = r#"
name: shop
inputs:
  region: {type: string, default: eu}
resources:
  password: {type: password, properties: {length: 20}}
  name: {type: random_id, properties: {bytes: 4}}
  folder: {type: directory, properties: {path: data}}
  config:
    type: file
    depends_on: [resources.folder]
    properties:
      path: data/app.conf
      content: "region=${ .inputs.region }\nname=${ .resources.name.hex }\n"
outputs:
  name: {value: "${ .resources.name.hex }"}
  password: {value: "${ .resources.password.value }", sensitive: true}
"#;

#[test]
fn resources_come_up_change_nothing_when_planned_again_and_go() {
    let world = World::new(RESOURCES);
    let plan = world.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{}{}", plan.out, plan.err);
    assert!(
        plan.out.contains("(known after apply)") && plan.out.contains("resources.config"),
        "{}",
        plan.out
    );
    world.run(&["up"]).ok();
    let content = std::fs::read_to_string(world.path("data/app.conf")).unwrap();
    assert!(content.starts_with("region=eu\nname="), "{content}");
    let again = world.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert!(world.run(&["up"]).ok().err.contains("Nothing to do"));
    world.run(&["up", "--input", "region=us"]).ok();
    assert!(
        std::fs::read_to_string(world.path("data/app.conf"))
            .unwrap()
            .starts_with("region=us\n")
    );
    assert_eq!(
        world
            .run(&["state", "list", "--output", "json"])
            .ok()
            .json()
            .as_array()
            .map(Vec::len),
        Some(4)
    );
    // The folder holds data: its deletion must be approved.
    world.run(&["down"]).fails(3, "must be approved");
    world.run(&["down", "--yes"]).ok();
    assert!(!world.path("data").exists());
    assert!(world.run(&["down"]).ok().err.contains("not deployed"));
}

#[test]
fn a_secret_is_nowhere_but_where_it_is_asked_for() {
    let world = World::new(RESOURCES);
    world.run(&["up"]).ok();
    let masked = world.run(&["output"]).ok();
    assert!(
        masked.out.contains("(secret resources.password.value@1)"),
        "{}",
        masked.out
    );
    let secret = world
        .run(&["output", "password"])
        .ok()
        .out
        .trim()
        .to_owned();
    assert_eq!(secret.len(), 20);
    assert_eq!(world.files_with(&secret), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_file_that_was_edited_by_hand_is_drift_and_put_right() {
    let world = World::new(RESOURCES);
    world.run(&["up"]).ok();
    assert_eq!(world.run(&["drift"]).code, 0);
    std::fs::write(world.path("data/app.conf"), "by hand").unwrap();
    let drift = world.run(&["drift"]);
    assert_eq!(drift.code, 2, "{}{}", drift.out, drift.err);
    assert!(
        drift.out.contains("resources.config") && drift.out.contains("digest"),
        "{}",
        drift.out
    );
    world.run(&["up"]).ok();
    assert!(
        std::fs::read_to_string(world.path("data/app.conf"))
            .unwrap()
            .starts_with("region=eu\n")
    );
}

#[test]
fn a_plan_file_is_carried_out_exactly_or_refused() {
    let world = World::new(RESOURCES);
    world.run(&["plan", "--out", "one.plan"]).ok();
    world.run(&["plan", "--out", "two.plan"]).ok();
    let tampered = std::fs::read_to_string(world.path("one.plan"))
        .unwrap()
        .replace("data/app.conf", "data/evil.conf");
    world.write("bad.plan", &tampered);
    world.run(&["up", "bad.plan"]).fails(4, "plan/tampered");
    world.run(&["up", "one.plan"]).ok();
    world.run(&["up", "two.plan"]).fails(4, "plan/stale");
}

#[test]
fn mistakes_are_told_with_their_places_all_at_once() {
    let world = World::new(
        "name: shop\nservices:\n  api:\n    imagee: x\n    ports: [\"x:80\"]\nresources:\n  a: {type: pasword}\n",
    );
    let said = world.run(&["validate"]);
    assert_ne!(said.code, 0);
    assert!(
        said.err.contains("consort.yaml:4") && said.err.contains("`image`"),
        "{}",
        said.err
    );
    // The end of the test needs a blueprint that says what it is about.
    world.write("consort.yaml", RESOURCES);
}
