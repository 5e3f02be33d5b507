//! What must hold for every blueprint: random graphs, random answers, random orders, failures.

use consort_model::plan::{Mode, Operation};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{Wish, World, wish};

/// One node of a random blueprint.
#[derive(Debug, Clone)]
struct Seed {
    present: bool,
    keys: Option<Vec<u8>>,
    zone: u8,
    size: u8,
    uses: Vec<(u8, u8)>,
    after: Option<u8>,
    first: bool,
    protect: bool,
    trigger: Option<u8>,
    ignore: bool,
}

fn seed() -> impl Strategy<Value = Seed> {
    let keys =
        prop_oneof![3 => Just(None), 1 => proptest::collection::vec(0..3_u8, 0..3).prop_map(Some)];
    (
        (prop::bool::weighted(0.85), keys, 0..3_u8, 0..3_u8),
        proptest::collection::vec((any::<u8>(), 0..4_u8), 0..3),
        (
            proptest::option::weighted(0.2, any::<u8>()),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.05),
        ),
        (
            proptest::option::weighted(0.1, any::<u8>()),
            prop::bool::weighted(0.1),
        ),
    )
        .prop_map(
            |((present, keys, zone, size), uses, (after, first, protect), (trigger, ignore))| {
                Seed {
                    present,
                    keys: keys.map(|mut keys: Vec<u8>| {
                        keys.sort_unstable();
                        keys.dedup();
                        keys
                    }),
                    zone,
                    size,
                    uses,
                    after,
                    first,
                    protect,
                    trigger,
                    ignore,
                }
            },
        )
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    proptest::collection::vec(seed(), 1..30)
}

/// The blueprint of these seeds: node `i` uses only nodes before it.
fn document(seeds: &[Seed], protect: bool) -> Wish {
    let mut resources = Map::new();
    let mut locals = Map::new();
    let earlier = |at: usize, pick: u8| {
        let found: Vec<usize> = (0..at).filter(|other| seeds[*other].present).collect();
        found.get(usize::from(pick) % found.len().max(1)).copied()
    };
    for (at, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.present) {
        let mut properties =
            json!({"name": format!("n{at}"), "size": seed.size, "zone": format!("z{}", seed.zone)});
        let mut parts = Vec::new();
        for (pick, how) in &seed.uses {
            let Some(other) = earlier(at, *pick) else {
                continue;
            };
            match (how, &seeds[other].keys) {
                (0, Some(keys)) if !keys.is_empty() => {
                    parts.push(format!("${{ .resources.n{other}.k{}.id }}", keys[0]))
                }
                (1, None) => {
                    properties["tags"] = json!({"from": format!("${{ .resources.n{other}.size }}")})
                }
                (2, None) => parts.push(format!("${{ .resources.n{other}.id }}")),
                (3, None) if at % 3 == 0 => {
                    properties["zone"] = json!(format!("${{ .resources.n{other}.id }}"))
                }
                _ => {
                    locals.insert(
                        format!("l{other}"),
                        json!(format!("${{ .resources.n{other} }}")),
                    );
                    properties["use"] = json!(format!("${{ .locals.l{other} }}"));
                }
            }
        }
        if !parts.is_empty() {
            properties["use"] = json!(parts.join("/"));
        }
        let mut node = json!({"type": if at % 5 == 4 { "store" } else { "thing" }, "properties": properties, "lifecycle": {
            "create_before_destroy": seed.first,
            "prevent_destroy": protect && seed.protect,
            "ignore_changes": if seed.ignore { vec!["size"] } else { vec![] },
            "replace_triggered_by": seed.trigger.and_then(|pick| earlier(at, pick)).map(|on| vec![format!("resources.n{on}")]).unwrap_or_default(),
        }});
        if let Some(keys) = &seed.keys {
            node["for_each"] = keys
                .iter()
                .map(|key| Value::String(format!("k{key}")))
                .collect();
        }
        if let Some(on) = seed.after.and_then(|pick| earlier(at, pick)) {
            node["depends_on"] = json!([format!("resources.n{on}")]);
        }
        resources.insert(format!("n{at}"), node);
    }
    wish(json!({"locals": locals, "resources": resources}))
}

/// A source of choices from a list of numbers.
fn choices(numbers: &[u16]) -> impl FnMut(usize) -> usize + use<> {
    let numbers = numbers.to_vec();
    let mut at = 0;
    move |count| {
        at += 1;
        usize::from(numbers.get(at % numbers.len().max(1)).copied().unwrap_or(0)) % count
    }
}

fn numbers() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 1..60)
}

/// Few cases, unless `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if default.cases == 256 {
        40
    } else {
        default.cases
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..default
    }
}

/// The records that differ in more than the counters of ids.
fn differing(one: &World, other: &World) -> Vec<String> {
    let (one, other) = (one.essence(), other.essence());
    let all: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = all
        .into_iter()
        .filter(|key| one.get(*key) != other.get(*key));
    differ
        .map(|key| format!("{key}: {:?} | {:?}", one.get(key), other.get(key)))
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_each_plan_is_carried_out_planning_again_is_empty(one in seeds(), two in seeds()) {
        let mut world = World::default();
        world.up(&document(&one, false));
        world.up(&document(&two, false));
        world.up(&document(&two, false).refresh());
        world.up(&document(&[], false).mode(Mode::Destroy { volumes: true }));
        prop_assert!(world.state.is_empty() && world.things.is_empty());
    }

    #[test]
    fn any_order_of_answers_gives_the_same_plan(one in seeds(), two in seeds(), order in numbers()) {
        let mut world = World::default();
        world.up(&document(&one, false));
        let wish = document(&two, true).refresh();
        let text = |choose: &mut dyn FnMut(usize) -> usize| match world.plan_in_order(&wish, choose).unwrap() {
            Ok(plan) => serde_json::to_string(&plan).unwrap(),
            Err(failed) => format!("{:?}", (failed.problems, failed.plan)),
        };
        let (first, other) = (text(&mut |_| 0), text(&mut choices(&order)));
        let at = first.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(0);
        prop_assert!(first == other, "differ at: {:.300} | {:.300}", &first[at..], &other[at..]);
    }

    #[test]
    fn any_two_legal_orders_converge(one in seeds(), two in seeds(), order in numbers()) {
        let mut world = World::default();
        world.up(&document(&one, false));
        let wish = document(&two, false);
        let plan = world.plan(&wish);
        let mut other = world.clone();
        world.apply(&wish, &plan);
        other.apply_in_order(&wish, &plan, usize::MAX, &mut choices(&order));
        prop_assert_eq!(differing(&world, &other), Vec::<String>::new());
        other.assert_settled(&wish);
    }

    #[test]
    fn a_failed_prefix_and_a_new_plan_converge(one in seeds(), two in seeds(), limit in 0..40_usize, order in numbers()) {
        let mut world = World::default();
        world.up(&document(&one, false));
        let wish = document(&two, false);
        let plan = world.plan(&wish);
        let mut failed = world.clone();
        world.apply(&wish, &plan);
        failed.apply_in_order(&wish, &plan, limit, &mut choices(&order));
        failed.up(&wish);
        prop_assert_eq!(differing(&world, &failed), Vec::<String>::new());
        prop_assert_eq!(world.things.len(), failed.things.len());
    }

    #[test]
    fn nothing_that_is_protected_is_ever_deleted(one in seeds(), two in seeds()) {
        let mut world = World::default();
        let first = document(&one, true);
        world.up(&first);
        for wish in [document(&two, true), document(&[], true).mode(Mode::Destroy { volumes: true })] {
            let plan = match world.plan_in_order(&wish, &mut |_| 0).unwrap() {
                Ok(plan) => plan,
                Err(failed) => {
                    prop_assert!(failed.problems.iter().all(|problem| problem.code.as_str() == "lifecycle/prevent-destroy"), "{:?}", failed.problems);
                    *failed.plan
                }
            };
            for action in &plan.actions {
                let recorded = world.state.get(&action.address).is_some_and(|entry| entry.lifecycle.prevent_destroy);
                let declared = wish.blueprint.nodes.get(&action.address.declaration());
                let lifted = action.lifecycle.prevent_destroy != recorded;
                let protected = declared.is_some_and(|decl| decl.lifecycle.prevent_destroy) || (recorded && !lifted);
                prop_assert!(!(protected && matches!(action.operation, Operation::Delete { .. })), "{}", action.id);
            }
        }
    }
}
