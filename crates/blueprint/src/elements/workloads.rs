//! `workloads`: graphs of tasks with an objective.

use std::collections::{BTreeMap, BTreeSet};

use consort_model::{Address, Kind};

use super::pools::fill;
use super::process::{settle_process, tidy};
use super::{Build, Declared};
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};

/// The most tasks of one workload.
const MAX_TASKS: usize = 10_000;

impl Build<'_> {
    pub(super) fn workload(&mut self, name: &str, entry: &Entry) {
        let here = format!("workloads.{name}");
        let mut body = entry.node.clone();
        tidy(&mut body);
        settle_process(&mut body, &mut self.sink);
        let mut edges = Vec::new();
        self.no_expression(&format!("{here}.pool"), body.get("pool"));
        if let Some((pool, span)) = body
            .get("pool")
            .and_then(|node| Some((node.as_str()?, node.span)))
        {
            let address = Address::new(Kind::Pool, pool);
            if self.loaded.document.at(&["pools", pool]).is_none() {
                self.graph.pending.push((address, span));
            } else {
                edges.push((address, span));
            }
        }
        self.objective(&here, &mut body);
        if let Some(triggers) = body
            .get_mut("triggers")
            .filter(|triggers| triggers.get("schedule").is_some())
        {
            fill(triggers, "time_zone", Value::String("UTC".to_owned()));
        }
        if let Some(Node {
            value: Value::Map(tasks),
            span,
            ..
        }) = body.remove("tasks")
        {
            self.tasks(&here, &tasks, span);
            let shares_program = body.get("process").is_some();
            let mut tasks = self.settle_tasks(tasks);
            for (task, entry) in &mut tasks {
                tidy(&mut entry.node);
                self.task(&format!("{here}.tasks.{task}"), entry, shares_program);
            }
            body.set("tasks", Node::new(Value::Map(tasks), span));
        }
        self.declare(
            Kind::Workload,
            name,
            entry.key,
            &body,
            Declared {
                edges,
                ..Declared::default()
            },
        );
    }

    /// A deadline at the least cost, or a budget at the least time.
    fn objective(&mut self, here: &str, body: &mut Node) {
        let Some(objective) = body
            .get_mut("objective")
            .filter(|node| node.as_map().is_some())
        else {
            return;
        };
        let span = objective.span;
        let wanted = match (objective.get("deadline"), objective.get("budget")) {
            (Some(_), None) => "cost",
            (None, Some(_)) => "makespan",
            (Some(deadline), Some(budget)) => {
                let message =
                    format!("`{here}.objective`: `deadline` and `budget` exclude each other");
                let (budget, deadline) = (budget.span, deadline.span);
                return self.say(
                    Diagnostic::new(Code::Exclusive, budget, message)
                        .also(deadline, "`deadline` is here")
                        .help(
                            "keep one: a deadline at the least cost, or a budget at the least time",
                        ),
                );
            }
            (None, None) => {
                let message = format!("`{here}.objective` needs `deadline` or `budget`");
                return self.say(
                    Diagnostic::new(Code::NeedsOneOf, span, message)
                        .help("write {deadline: 4h} or {budget: 5 USD}"),
                );
            }
        };
        fill(objective, "minimize", Value::String(wanted.to_owned()));
        let minimize = objective
            .get("minimize")
            .filter(|node| node.as_str().is_some_and(|word| word != wanted));
        if let Some(minimize) = minimize {
            let given = if wanted == "cost" {
                "deadline"
            } else {
                "budget"
            };
            let message = format!("`{here}.objective`: with a {given}, `minimize` is `{wanted}`");
            let span = minimize.span;
            self.say(
                Diagnostic::new(Code::Conflict, span, message)
                    .help(format!("write `minimize: {wanted}`, or leave it away")),
            );
        }
    }

    /// The names in `needs`, and circles of them.
    fn tasks(&mut self, here: &str, tasks: &Map, span: crate::span::Span) {
        if tasks.is_empty() || tasks.len() > MAX_TASKS {
            let message = format!(
                "`{here}.tasks` has {} tasks; a workload has 1 to {MAX_TASKS}",
                tasks.len()
            );
            self.say(
                Diagnostic::new(Code::NotAllowed, span, message)
                    .help("add a task, or split the workload"),
            );
            return;
        }
        for (name, entry) in tasks {
            self.no_expression(
                &format!("{here}.tasks.{name}.needs"),
                entry.node.get("needs"),
            );
            for need in needs(&entry.node)
                .filter(|need| !need.as_str().is_some_and(|need| tasks.contains_key(need)))
            {
                let Some(word) = need.as_str() else { continue };
                let message =
                    format!("`{here}.tasks.{name}` needs the task `{word}`, which is not there");
                self.say(
                    Diagnostic::new(Code::Undefined, need.span, message)
                        .nearest(word, tasks.keys().map(String::as_str)),
                );
            }
        }
        if let Some(circle) = circle(tasks, &unordered(tasks)) {
            let first = circle.first().copied().unwrap_or_default();
            let span = tasks.get(first).map_or(span, |entry| entry.key);
            let message = format!(
                "tasks of `{here}` need each other in a circle: {} -> {first}",
                circle.join(" -> ")
            );
            self.say(
                Diagnostic::new(Code::ElementCycle, span, message)
                    .help("remove one of these `needs`"),
            );
        }
    }

    fn task(&mut self, here: &str, entry: &mut Entry, shares_program: bool) {
        let node = &mut entry.node;
        if node.as_map().is_none() {
            return;
        }
        let has = |key: &str| node.get(key).is_some();
        if !has("image") && !has("process") && !has("command") && !has("entrypoint") {
            let message = format!("`{here}` has nothing to run");
            self.say(
                Diagnostic::new(Code::NothingToRun, entry.key, message)
                    .help("add `command:`, `image:` or `process:`"),
            );
        }
        for key in ["build", "artifacts", "context", "sources"] {
            if let Some(inner) = node.at(&["process", key]) {
                let message =
                    format!("`{here}.process.{key}`: the tasks of a workload share one program");
                let help = if shares_program {
                    "remove it"
                } else {
                    "write it in `process` of the workload"
                };
                self.say(Diagnostic::new(Code::NotAllowed, inner.span, message).help(help));
            }
        }
        self.cpus(&format!("{here}.cpus"), node.get("cpus"));
        fill(node, "cpus", Value::Int(1));
        fill(node, "retries", Value::Int(0));
    }
}

fn needs(task: &Node) -> impl Iterator<Item = &Node> {
    task.get("needs")
        .and_then(Node::as_seq)
        .into_iter()
        .flatten()
}

/// The tasks that no order can hold (Kahn): each stands in a circle or needs one that does.
fn unordered(tasks: &Map) -> BTreeSet<&str> {
    let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, entry) in tasks {
        let known = needs(&entry.node)
            .filter_map(Node::as_str)
            .filter(|need| tasks.contains_key(*need));
        let count = known
            .map(|need| followers.entry(need).or_default().push(name))
            .count();
        waits.insert(name, count);
    }
    let mut free: Vec<&str> = waits
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = free.pop() {
        waits.remove(name);
        for follower in followers.remove(name).unwrap_or_default() {
            if let Some(count) = waits.get_mut(follower) {
                *count -= 1;
                if *count == 0 {
                    free.push(follower);
                }
            }
        }
    }
    waits.into_keys().collect()
}

/// One circle among tasks, each of which has a need among them.
fn circle<'t>(tasks: &'t Map, left: &BTreeSet<&'t str>) -> Option<Vec<&'t str>> {
    let mut path: Vec<&str> = vec![left.first()?];
    let mut seen: BTreeSet<&str> = path.iter().copied().collect();
    loop {
        let last = tasks.get(*path.last()?)?;
        let next = needs(&last.node)
            .filter_map(Node::as_str)
            .find(|need| left.contains(need))?;
        if !seen.insert(next) {
            let from = path.iter().position(|name| *name == next)?;
            return Some(path.split_off(from));
        }
        path.push(next);
    }
}
