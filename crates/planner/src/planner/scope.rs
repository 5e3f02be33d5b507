//! Which nodes are planned: all, or those that `--only` chooses with what they need.

use std::collections::BTreeMap;

use consort_model::plan::Mode;
use consort_model::text::nearest;
use consort_model::{Address, Code, Problem, StateEntry};

use crate::graph::{Graph, Role};
use crate::input::Options;

/// Whether each node is planned.
pub(crate) fn of(
    graph: &Graph,
    state: &BTreeMap<Address, StateEntry>,
    mode: Mode,
    options: &Options,
) -> Result<Vec<bool>, Vec<Problem>> {
    let mut problems = unknown(graph, &options.replace, "--replace");
    problems.extend(unknown(graph, &options.only, "--only"));
    if !problems.is_empty() {
        return Err(problems);
    }
    if options.only.is_empty() {
        return Ok(vec![true; graph.nodes.len()]);
    }
    let mut chosen = vec![false; graph.nodes.len()];
    let mut open: Vec<u32> = options
        .only
        .iter()
        .flat_map(|address| graph.covered(address))
        .collect();
    let users = match mode {
        Mode::RefreshOnly => Vec::new(),
        Mode::Apply | Mode::Destroy { .. } => recorded_users(graph, state),
    };
    while let Some(at) = open.pop() {
        let node = &graph.nodes[at as usize];
        if std::mem::replace(&mut chosen[at as usize], true) {
            continue;
        }
        open.extend(&node.dependencies);
        // What is deleted takes along what is to be deleted too and uses it.
        if node.role == Role::Removed {
            open.extend(users.get(at as usize).into_iter().flatten());
        }
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        chosen[at] |= match node.role {
            Role::Input | Role::Local | Role::Output | Role::Group | Role::Nothing => true,
            Role::Data | Role::Managed | Role::Removed => false,
        };
    }
    Ok(chosen)
}

fn unknown(graph: &Graph, addresses: &[Address], option: &str) -> Vec<Problem> {
    let missing = addresses
        .iter()
        .filter(|address| graph.covered(address).next().is_none());
    missing
        .map(|address| {
            let problem = Problem::new(
                Code::NODE_UNKNOWN,
                format!("`{option}` names `{address}`, which does not exist"),
            );
            let all: Vec<String> = graph
                .nodes
                .iter()
                .map(|node| node.address.to_string())
                .collect();
            match nearest(&address.to_string(), all.iter().map(String::as_str)) {
                Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
                None => problem.remedy("`consort graph` shows all nodes."),
            }
        })
        .collect()
}

/// For each node, the nodes that are no longer declared and have used it.
pub(crate) fn recorded_users(
    graph: &Graph,
    state: &BTreeMap<Address, StateEntry>,
) -> Vec<Vec<u32>> {
    let mut users = vec![Vec::new(); graph.nodes.len()];
    for entry in state.values() {
        let Some(user) = graph.find(&entry.address) else {
            continue;
        };
        if graph.nodes[user as usize].role != Role::Removed {
            continue;
        }
        for on in entry
            .depends_on
            .iter()
            .flat_map(|address| graph.covered(address))
        {
            users[on as usize].push(user);
        }
    }
    users
}
