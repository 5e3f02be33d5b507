//! Which driver makes a node real, and the static check of settings against its schema.

use consort_model::blueprint::{NodeDecl, TargetKind};
use consort_model::text::nearest;
use consort_model::{Address, Code, Kind, Problem, Template, Value};

use crate::contract::TypeSchema;
use crate::graph::{Declarations, Source, source};
use crate::input::{BUILTIN, ENGINE, PlanInput, Schemas, target_driver};

/// The driver of a node of this kind and type.
pub(crate) fn driver(kind: Kind, type_name: &str, target: TargetKind, schemas: &Schemas) -> String {
    match kind {
        Kind::Resource | Kind::Data => {
            let builtin = (BUILTIN.to_owned(), type_name.to_owned());
            match type_name.split_once('_') {
                Some((prefix, _)) if !schemas.contains_key(&builtin) => prefix.to_owned(),
                _ => BUILTIN.to_owned(),
            }
        }
        Kind::Pool | Kind::Workload | Kind::Workflow => ENGINE.to_owned(),
        Kind::Input
        | Kind::Local
        | Kind::Provider
        | Kind::Host
        | Kind::Network
        | Kind::Volume
        | Kind::Config
        | Kind::Secret
        | Kind::Build
        | Kind::Service
        | Kind::Job
        | Kind::Module
        | Kind::Output => target_driver(target).to_owned(),
    }
}

/// Everything in the blueprint that the schemas forbid: unknown types, unknown and missing settings,
/// references to attributes that do not exist.
pub(crate) fn check(input: &PlanInput, declarations: &Declarations) -> Vec<Problem> {
    let mut problems = Vec::new();
    let schema_of = |at: usize| {
        let declaration = &declarations.list[at];
        let kind = declaration.address.kind();
        let driver = driver(kind, &declaration.type_name, input.target, &input.schemas);
        input.schemas.get(&(driver, declaration.type_name.clone()))
    };
    for (at, declaration) in declarations.list.iter().enumerate() {
        let address = &declaration.address;
        if let Some(Source::Node(decl)) = source(&input.blueprint, address)
            && matches!(address.kind(), Kind::Resource | Kind::Data)
        {
            match schema_of(at) {
                Some(schema) => problems.extend(settings(address, decl, schema)),
                None => problems.push(unknown_type(address, decl, input)),
            }
        }
        for reference in &declaration.attributes {
            let on = &declarations.list[reference.on];
            let Some(schema) = schema_of(reference.on).filter(|schema| !schema.open) else {
                continue;
            };
            if schema.attribute(&reference.name).is_none() {
                let problem = Problem::new(
                    Code::EXPRESSION_FAILED,
                    format!(
                        "`{}` ({}) has no attribute `{}`",
                        on.address, on.type_name, reference.name
                    ),
                );
                problems.push(Problem {
                    place: Some(reference.place.clone()),
                    ..with_names(problem, &reference.name, schema, |_| true).at(address)
                });
            }
        }
    }
    problems
}

fn unknown_type(address: &Address, decl: &NodeDecl, input: &PlanInput) -> Problem {
    let what = if address.kind() == Kind::Data {
        "data"
    } else {
        "resource"
    };
    let problem = Problem {
        place: Some(decl.place.clone()),
        ..Problem::new(
            Code::PLAN_IMPOSSIBLE,
            format!("there is no {what} of type `{}`", decl.type_name),
        )
        .at(address)
    };
    let types = || {
        input
            .schemas
            .values()
            .filter(|schema| schema.driver == BUILTIN)
            .map(|schema| schema.type_name.as_str())
    };
    match nearest(&decl.type_name, types()) {
        Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
        None if types().next().is_none() => problem.remedy("No driver knows any type."),
        None => problem.remedy(format!(
            "Built in are {}.",
            types().collect::<Vec<_>>().join(", ")
        )),
    }
}

fn settings(address: &Address, decl: &NodeDecl, schema: &TypeSchema) -> Vec<Problem> {
    let empty = indexmap::IndexMap::new();
    let map = match &decl.body {
        Template::Map(map) => map,
        Template::Scalar(Value::Null) => &empty,
        Template::Deferred(_) => return Vec::new(),
        Template::Scalar(_) | Template::List(_) => {
            return vec![placed(
                decl,
                address,
                Problem::new(Code::BLUEPRINT_INVALID, "`properties` must be a mapping")
                    .remedy("Write `name: value` lines."),
            )];
        }
    };
    let wrong = map.keys().filter_map(|name| setting(decl, name, schema));
    let is_resource = address.kind() == Kind::Resource;
    let required = schema.attributes.iter().filter(|attribute| {
        is_resource && attribute.required && !map.contains_key(&attribute.name)
    });
    let missing = required.map(|attribute| {
        Problem::new(
            Code::BLUEPRINT_INVALID,
            format!("{} needs the setting `{}`", decl.type_name, attribute.name),
        )
        .remedy(format!("Add it to `properties`: {}", attribute.doc))
    });
    wrong
        .chain(missing)
        .map(|problem| placed(decl, address, problem))
        .collect()
}

/// What is wrong with a setting of this name.
fn setting(decl: &NodeDecl, name: &str, schema: &TypeSchema) -> Option<Problem> {
    let type_name = &decl.type_name;
    match schema.attribute(name) {
        _ if schema.open => None,
        Some(attribute) if attribute.settable => None,
        Some(_) => {
            let message =
                format!("`{name}` of {type_name} is found out by its driver and cannot be set");
            Some(Problem::new(Code::BLUEPRINT_INVALID, message).remedy("Take it away."))
        }
        None => {
            let message = format!("{type_name} has no setting `{name}`");
            let problem = Problem::new(Code::BLUEPRINT_INVALID, message);
            Some(with_names(problem, name, schema, |a| a.settable))
        }
    }
}

fn placed(decl: &NodeDecl, address: &Address, problem: Problem) -> Problem {
    Problem {
        place: Some(decl.place.clone()),
        ..problem.at(address)
    }
}

fn with_names(
    problem: Problem,
    name: &str,
    schema: &TypeSchema,
    choose: fn(&crate::AttributeSchema) -> bool,
) -> Problem {
    let names: Vec<&str> = schema
        .attributes
        .iter()
        .filter(|a| choose(a))
        .map(|a| a.name.as_str())
        .collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
        None => problem.remedy(format!("There are {}.", names.join(", "))),
    }
}
