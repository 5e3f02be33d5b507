//! What is observed, against what is recorded.

use consort_model::plan::Mode;
use consort_planner::{Answer, Observed, Planner};
use serde_json::{Value, json};

use crate::world::{World, actions, address, verdicts, wish};

fn two() -> Value {
    json!({"resources": {
        "a": {"type": "thing", "properties": {"name": "a", "size": 1, "password": "p"}},
        "b": {"type": "thing", "properties": {"use": "${ .resources.a.id }"}},
    }})
}

fn drifted(change: fn(&mut World)) -> World {
    let mut world = World::default();
    world.up(&wish(two()));
    change(&mut world);
    world
}

fn set(world: &mut World, name: &str, value: Value) {
    world.things.get_mut("resources.a-1").unwrap()[name] = value;
}

#[test]
fn nothing_is_asked_without_refreshing() {
    let mut world = drifted(|world| set(world, "size", json!(9)));
    assert_eq!(actions(&world.up(&wish(two()))), Vec::<String>::new());
}

#[test]
fn a_setting_that_was_changed_outside_is_changed_back() {
    let mut world = drifted(|world| set(world, "size", json!(9)));
    let plan = world.up(&wish(two()).refresh());
    assert_eq!(
        verdicts(&plan)[0],
        "resources.a: update (size changed outside)"
    );
    let drift = &plan.drift[&address("resources.a")][0];
    assert_eq!(
        (drift.path.as_str(), &drift.before, json!(drift.after)),
        ("size", &json!(1), json!(9))
    );
    let difference = &plan.actions[0].differences[0];
    assert_eq!(
        (&difference.before, json!(difference.after)),
        (&json!(9), json!(1))
    );
    assert_eq!(world.things["resources.a-1"]["size"], json!(1));
}

#[test]
fn secrets_are_not_compared_with_what_is_observed() {
    let mut world = drifted(|world| set(world, "password", json!("other")));
    assert_eq!(
        actions(&world.up(&wish(two()).refresh())),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_gone_is_made_again_and_its_users_follow() {
    let mut world = drifted(|world| {
        world.things.remove("resources.a-1");
    });
    let plan = world.up(&wish(two()).refresh());
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: create (it is gone from the world)",
            "resources.b: update (use changed)"
        ]
    );
}

#[test]
fn what_is_gone_and_not_wanted_any_more_is_forgotten() {
    let mut world = drifted(|world| {
        world.things.remove("resources.b-1");
    });
    let plan = world.up(&wish(json!({})).refresh());
    let expected = ["forget resources.b", "delete resources.a"];
    assert_eq!(actions(&plan), expected);
}

#[test]
fn refresh_only_records_and_changes_nothing() {
    let mut world = drifted(|world| {
        set(world, "size", json!(9));
        world.things.remove("resources.b-1");
    });
    let wish = wish(two()).mode(Mode::RefreshOnly);
    let plan = world.up(&wish);
    assert_eq!(
        verdicts(&plan),
        [
            "resources.a: read (size changed outside)",
            "resources.b: forget (it is gone from the world)"
        ]
    );
    assert_eq!(world.state.len(), 1);
    assert_eq!(
        world.state.values().next().unwrap().attributes().unwrap()["size"],
        json!(9)
    );
    assert_eq!(world.things["resources.a-1"]["size"], json!(9));
}

#[test]
fn what_cannot_be_seen_is_planned_from_its_record_with_a_warning() {
    let world = drifted(|_| {});
    let found = world
        .plan_in_order(&wish(two()).refresh(), &mut |_| 0)
        .unwrap()
        .unwrap();
    assert!(found.warnings.is_empty());
    let mut planner = Planner::new(world.input_of(&wish(two()).refresh())).unwrap();
    while let Some((id, need)) = planner.needs().into_iter().next() {
        let answer = match world.answer(&need) {
            Answer::Observed(_) => Answer::Observed(Observed::Unreachable("no route".into())),
            other => other,
        };
        planner.feed(id, answer).unwrap();
    }
    let plan = planner.finish().unwrap();
    assert!(plan.actions.is_empty());
    assert_eq!(plan.warnings.len(), 2);
    assert!(
        plan.warnings[0]
            .message
            .contains("it cannot be seen now (no route)")
    );
}
