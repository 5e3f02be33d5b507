//! The checker finds what a wrong planner would do.

use consort_model::Generation;
use consort_model::plan::{ActionId, Mode, Plan, VerdictKind};
use consort_planner::lint::{Finding, Severity, lint};
use serde_json::json;

use crate::world::{Wish, World, address, wish};

/// A way to break a plan.
type Break = fn(&mut Plan);

/// A world in which the plan replaces `a`, updates `b` and deletes `c`, which used `a`.
fn busy() -> (World, Wish) {
    let of = |zone: &str, c: bool| {
        let mut document = json!({"resources": {
            "a": {"type": "thing", "properties": {"zone": zone}},
            "b": {"type": "thing", "properties": {"use": "${ .resources.a.id }"}},
        }});
        if c {
            document["resources"]["c"] =
                json!({"type": "thing", "properties": {"use": "${ .resources.a.id }"}});
        }
        wish(document)
    };
    let mut world = World::default();
    world.up(&of("x", true));
    (world, of("y", false))
}

fn found(break_it: fn(&mut Plan)) -> Vec<String> {
    let (world, wish) = busy();
    let mut plan = world.plan(&wish);
    break_it(&mut plan);
    lint(&plan, &world.state)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn action<'a>(plan: &'a mut Plan, id: &str) -> &'a mut consort_model::plan::Action {
    plan.actions
        .iter_mut()
        .find(|action| action.id.0 == id)
        .unwrap()
}

#[test]
fn each_way_to_break_a_plan_is_found() {
    let cases: [(Break, &str); 13] = [
        (|_| {}, ""),
        (|plan| plan.actions.swap(0, 3), "which it waits for"),
        (
            |plan| action(plan, "update resources.b").after.clear(),
            "does not wait for `create resources.a`",
        ),
        (
            |plan| action(plan, "delete resources.a").after.clear(),
            "does not wait for `delete resources.c`, which used it",
        ),
        (
            |plan| action(plan, "create resources.a").after.clear(),
            "the halves of the replacement of `resources.a`",
        ),
        (
            |plan| {
                action(plan, "update resources.b")
                    .after
                    .push(ActionId("x".into()))
            },
            "which is not in the plan",
        ),
        (
            |plan| plan.actions.push(plan.actions[0].clone()),
            "is there twice",
        ),
        (
            |plan| drop(plan.verdicts.shift_remove(&address("resources.b"))),
            "`resources.b` has no verdict",
        ),
        (
            |plan| plan.verdicts[&address("resources.b")].what = VerdictKind::Unchanged,
            "`resources.b` has the verdict `unchanged` and the actions [\"update resources.b\"]",
        ),
        (
            |plan| action(plan, "delete resources.c").lifecycle.prevent_destroy = true,
            "although prevent_destroy holds it",
        ),
        (
            |plan| {
                plan.read.insert(address("resources.a"), Generation(77));
            },
            "the plan rests on `resources.a` at g1",
        ),
        (
            |plan| action(plan, "update resources.b").desired = json!("\u{E0C5}half").into(),
            "a broken secret token",
        ),
        (
            |plan| plan.mode = Mode::RefreshOnly,
            "does not belong into a plan of this mode",
        ),
    ];
    for (break_it, message) in cases {
        let found = found(break_it);
        if message.is_empty() {
            assert_eq!(found, Vec::<String>::new());
        } else {
            assert!(
                found.iter().any(|finding| finding.contains(message)),
                "{message}: {found:?}"
            );
        }
    }
}

#[test]
fn what_is_only_odd_is_a_warning() {
    assert_eq!(Finding::NoParent.severity(), Severity::Warning);
}
