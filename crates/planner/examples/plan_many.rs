//! How long planning takes: a first plan and a plan with nothing to do, for 1,000, 10,000 and 100,000
//! nodes (or those given as arguments).
//!
//! `cargo run --release -p consort-planner --example plan_many`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use consort_model::blueprint::{Blueprint, NodeDecl, TargetKind};
use consort_model::plan::{Mode, Plan};
use consort_model::revision::RevisionNumber;
use consort_model::state::{Object, Site};
use consort_model::template::{Deferred, Place, TextPart};
use consort_model::{
    Address, Generation, Kind, Partial, StateEntry, Template, Timestamp, Value, Why,
};
use consort_planner::{
    Answer, AttributeSchema, Need, Options, PlanInput, PlannedChange, Planner, Schemas, TypeSchema,
};
use indexmap::IndexMap;
use serde_json::json;

fn main() {
    let given: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let counts = if given.is_empty() {
        vec![1_000, 10_000, 100_000]
    } else {
        given
    };
    let mut out = String::from("nodes    first plan    nothing to do    peak memory\n");
    for count in counts {
        let blueprint = Arc::new(blueprint(count));
        let begun = Instant::now();
        let first = plan(&blueprint, BTreeMap::new());
        let first_took = begun.elapsed();
        let (state, actions) = (applied(&first), first.actions.len());
        drop(first);
        let begun = Instant::now();
        let again = plan(&blueprint, state);
        let again_took = begun.elapsed();
        assert_eq!((actions, again.actions.len()), (count, 0));
        out.push_str(&format!(
            "{count:<8} {first_took:<13.1?} {again_took:<16.1?} {}\n",
            peak_memory()
        ));
    }
    // Data of the command, not a message of the crate.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes());
}

/// Every node uses the attributes of two others; every tenth one by an expression that is computed.
fn blueprint(count: usize) -> Blueprint {
    let place = Place {
        file: "consort.yaml".into(),
        line: 1,
        column: 1,
    };
    let deferred = |parts| {
        Template::Deferred(Deferred {
            parts,
            place: place.clone(),
        })
    };
    let mut nodes = IndexMap::new();
    for at in 0..count {
        let mut body = IndexMap::new();
        body.insert("name".into(), Template::Scalar(json!(format!("n{at}"))));
        body.insert(
            "tags".into(),
            Template::from(json!({"owner": "me", "list": [1, 2, 3]})),
        );
        if at > 0 {
            let path = format!(" .resources.n{}.id ", at / 2);
            body.insert("use".into(), deferred(vec![TextPart::Expression(path)]));
            let other = match at % 10 {
                0 => format!(" .resources.n{}.name + \"-x\" ", at.saturating_sub(7)),
                _ => format!(" .resources.n{}.name ", at.saturating_sub(7)),
            };
            body.insert(
                "near".into(),
                deferred(vec![
                    TextPart::Text("near ".into()),
                    TextPart::Expression(other),
                ]),
            );
        }
        let decl = NodeDecl {
            type_name: "thing".into(),
            body: Template::Map(body),
            for_each: None,
            depends_on: Vec::new(),
            lifecycle: Default::default(),
            time_limit: None,
            place: place.clone(),
        };
        nodes.insert(Address::new(Kind::Resource, format!("n{at}")), decl);
    }
    Blueprint {
        name: "many".into(),
        target: None,
        target_settings: Template::default(),
        inputs: IndexMap::new(),
        nodes,
        outputs: IndexMap::new(),
        objectives: None,
        warnings: Vec::new(),
    }
}

fn schemas() -> Schemas {
    let attribute = |name: &str, settable| AttributeSchema {
        name: name.into(),
        settable,
        ..Default::default()
    };
    let mut attributes: Vec<AttributeSchema> = ["name", "tags", "use", "near"]
        .map(|name| attribute(name, true))
        .into();
    attributes.push(attribute("id", false));
    let schema = TypeSchema {
        driver: "builtin".into(),
        type_name: "thing".into(),
        attributes,
        ..Default::default()
    };
    Schemas::from([(("builtin".into(), "thing".into()), schema)])
}

fn plan(blueprint: &Arc<Blueprint>, state: BTreeMap<Address, StateEntry>) -> Plan {
    let input = PlanInput {
        blueprint: blueprint.clone(),
        bundle: None,
        programs: BTreeMap::new(),
        deployment: "many".into(),
        deployment_attributes: IndexMap::new(),
        target: TargetKind::Process,
        parent: (!state.is_empty()).then_some(RevisionNumber(1)),
        mode: Mode::Apply,
        inputs: BTreeMap::new(),
        state,
        options: Options::default(),
        schemas: schemas(),
        created: Timestamp::from_millis(0),
        files: None,
    };
    let mut planner = Planner::new(input).expect("the blueprint is valid");
    loop {
        let needs = planner.fresh_needs();
        if needs.is_empty() {
            return planner.finish().expect("nothing forbids the plan");
        }
        for (id, need) in needs {
            planner.feed(id, answer(need)).expect("it was asked for");
        }
    }
}

fn answer(need: Need) -> Answer {
    let Need::PlanChange { prior, desired, .. } = need else {
        panic!("nothing else is needed")
    };
    let Partial::Map(mut planned) = desired.clone() else {
        panic!("settings are a mapping")
    };
    let id = prior
        .as_ref()
        .map_or(Partial::Unknown(Why::Apply), |prior| {
            Partial::Scalar(json!(prior.id))
        });
    planned.insert("id".into(), id);
    let changes =
        prior.is_none_or(|prior| !consort_planner::diff::is_same(&prior.desired, &desired));
    Answer::Planned(PlannedChange {
        planned: Partial::Map(planned),
        requires_replacement: Vec::new(),
        changes,
        warnings: Vec::new(),
    })
}

/// What would be recorded after the plan.
fn applied(plan: &Plan) -> BTreeMap<Address, StateEntry> {
    let known = |partial: &Partial| filled(partial);
    plan.actions
        .iter()
        .map(|action| {
            let object = Object {
                id: format!("id-{}", action.address.name()),
                desired: known(&action.desired),
                attributes: {
                    let mut attributes = known(&action.planned);
                    attributes["id"] = json!(format!("id-{}", action.address.name()));
                    attributes
                },
                tainted: false,
            };
            let mut object = object;
            if let Some(at) = action.address.name()[1..]
                .parse::<usize>()
                .ok()
                .filter(|at| *at > 0)
            {
                object.desired["use"] = json!(format!("id-n{}", at / 2));
                object.attributes["use"] = object.desired["use"].clone();
            }
            let entry = StateEntry {
                address: action.address.clone(),
                driver: action.driver.clone(),
                type_name: action.type_name.clone(),
                site: Site::local(),
                object: Some(object),
                deposed: Vec::new(),
                generation: Generation(1),
                depends_on: action.depends_on.clone(),
                lifecycle: action.lifecycle.clone(),
                changed: Timestamp::from_millis(0),
            };
            (entry.address.clone(), entry)
        })
        .collect()
}

fn filled(partial: &Partial) -> Value {
    match partial {
        Partial::Unknown(_) => Value::Null,
        Partial::Scalar(value) => value.clone(),
        Partial::List(items) => items.iter().map(filled).collect(),
        Partial::Map(map) => Value::Object(
            map.iter()
                .map(|(key, part)| (key.clone(), filled(part)))
                .collect(),
        ),
    }
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}
