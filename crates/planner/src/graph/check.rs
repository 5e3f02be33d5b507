//! What a reference may name, and what to say when it names nothing.

use consort_model::blueprint::NodeDecl;
use consort_model::text::nearest;
use consort_model::{Address, Code, Kind, Problem};

use super::declaration::{Declarations, Edge};
use crate::evaluate::{PathPart, Root, shown};

/// Kinds that the language keeps room for and that cannot be planned yet.
pub(super) fn not_there_yet(address: &Address, decl: &NodeDecl) -> Option<Problem> {
    match address.kind() {
        Kind::Host | Kind::Provider | Kind::Module => Some(Problem {
            place: Some(decl.place.clone()),
            ..Problem::new(
                Code::PLAN_IMPOSSIBLE,
                format!("`{}` are not there yet", address.kind()),
            )
            .at(address)
            .remedy("Take the element out of the blueprint.")
        }),
        Kind::Local if decl.for_each.is_some() => Some(Problem {
            place: Some(decl.place.clone()),
            ..Problem::new(Code::BLUEPRINT_INVALID, "a local cannot have `for_each`")
                .at(address)
                .remedy("Build the mapping in the expression of the local.")
        }),
        Kind::Input
        | Kind::Local
        | Kind::Resource
        | Kind::Data
        | Kind::Network
        | Kind::Volume
        | Kind::Config
        | Kind::Secret
        | Kind::Build
        | Kind::Service
        | Kind::Job
        | Kind::Pool
        | Kind::Workload
        | Kind::Workflow
        | Kind::Output => None,
    }
}

/// The root of a reference.
pub(super) fn root(path: &[PathPart], has_each: bool) -> Result<Root, Problem> {
    let Some(PathPart::Key(word)) = path.first() else {
        return Err(Problem::new(
            Code::EXPRESSION_FAILED,
            "an expression refers to everything at once, so that its dependencies cannot be found",
        )
        .remedy("Name what it needs, for example `.resources.NAME.id`."));
    };
    let Some(root) = Root::from_word(word) else {
        let words: Vec<&str> = Root::words().collect();
        let problem = Problem::new(
            Code::EXPRESSION_FAILED,
            format!("expressions cannot refer to `.{word}`"),
        );
        return Err(match nearest(word, words.iter().copied()) {
            Some(near) => problem.remedy(format!("Did you mean `.{near}`?")),
            None => problem.remedy(format!("They may use .{}.", words.join(" ."))),
        });
    };
    if root == Root::Each && !has_each {
        return Err(Problem::new(
            Code::EXPRESSION_FAILED,
            "`.each` exists only in a node with `for_each`",
        )
        .remedy("Add `for_each`, or refer to something else."));
    }
    Ok(root)
}

/// A reference whose name is not declared.
pub(super) fn unknown_reference(
    graph: &Declarations,
    kind: Kind,
    name: &str,
    path: &[PathPart],
) -> Problem {
    let problem = Problem::new(
        Code::EXPRESSION_FAILED,
        format!(
            "`{}` refers to `{}`, which is not declared",
            shown(path),
            Address::new(kind, name)
        ),
    );
    with_names(graph, kind, name, problem)
}

/// An address (`depends_on`, `replace_triggered_by`) that is not declared.
pub(super) fn unknown_node(graph: &Declarations, address: &Address, by: &str) -> Problem {
    let problem = Problem::new(
        Code::BLUEPRINT_INVALID,
        format!("{by} names `{address}`, which is not declared"),
    );
    with_names(graph, address.kind(), address.name(), problem)
}

fn with_names(graph: &Declarations, kind: Kind, name: &str, problem: Problem) -> Problem {
    if let Some(near) = nearest(name, graph.names(kind)) {
        return problem.remedy(format!("Did you mean `{}`?", Address::new(kind, near)));
    }
    let elsewhere = graph
        .list
        .iter()
        .find(|declaration| declaration.address.name() == name);
    if let Some(other) = elsewhere {
        return problem.remedy(format!("There is `{}`.", other.address));
    }
    let names: Vec<&str> = graph.names(kind).take(12).collect();
    if names.is_empty() {
        problem.remedy(format!("The blueprint declares no {kind} at all."))
    } else {
        problem.remedy(format!(
            "The blueprint declares in {kind}: {}.",
            names.join(", ")
        ))
    }
}

/// `for_each` must be known before anything is done: it takes inputs and locals that come from them.
pub(super) fn for_each_references(
    graph: &Declarations,
    address: &Address,
    decl: &NodeDecl,
    edges: &[Edge],
) -> Vec<Problem> {
    let allowed = |kind| matches!(kind, Kind::Input | Kind::Local);
    edges
        .iter()
        .map(|edge| &graph.list[edge.on].address)
        .filter(|on| !allowed(on.kind()))
        .map(|on| late_for_each(address, decl, on))
        .collect()
}

/// A `for_each` that depends on something that is known too late.
pub(crate) fn late_for_each(address: &Address, decl: &NodeDecl, on: &Address) -> Problem {
    Problem {
        place: Some(decl.place.clone()),
        ..Problem::new(
            Code::BLUEPRINT_INVALID,
            format!(
                "`for_each` refers to `{on}`; it can use inputs, and locals that come from them"
            ),
        )
        .at(address)
        .remedy("Take the keys from an input or write them down.")
    }
}
