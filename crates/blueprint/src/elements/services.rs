//! `services` and `jobs`: the canonical Compose form, and our keys among them.

use consort_model::{Address, Kind};

use super::process::{settle_process, tidy};
use super::{Build, Declared};
use crate::diagnostic::{Code, Diagnostic};
use crate::node::{Entry, Map, Node, Value};
use crate::span::Span;

/// Keys that the loader has carried out, or that say something about the node and not what runs.
const NOT_OF_THE_BODY: [&str; 8] = [
    "for_each",
    "depends_on",
    "profiles",
    "extends",
    "env_file",
    "label_file",
    "autoscale",
    "objective",
];

impl Build<'_> {
    pub(super) fn service(&mut self, kind: Kind, name: &str, entry: &Entry) {
        let here = format!("{}.{name}", kind.word());
        let node = &entry.node;
        self.not_acted_upon(&here, node);
        let (depends_on, mut edges) = self.dependencies(&here, node.get("depends_on"));
        edges.extend(implied(node));
        let mut body = node.clone();
        NOT_OF_THE_BODY
            .iter()
            .for_each(|key| drop(body.remove(key)));
        settle_process(&mut body, &mut self.sink);
        replicas(&mut body);
        tidy(&mut body);
        if kind == Kind::Job {
            self.schedules(&here, node.get("triggers"));
        }
        let declared = Declared {
            for_each: node.get("for_each").filter(|node| !node.is_null()).cloned(),
            depends_on,
            edges,
            ..Declared::default()
        };
        self.declare(kind, name, entry.key, &body, declared);
    }

    /// Checks and announces what later versions act upon.
    fn not_acted_upon(&mut self, here: &str, node: &Node) {
        let map = node.as_map();
        for key in ["autoscale", "objective"] {
            let Some(entry) = map
                .and_then(|map| map.get(key))
                .filter(|entry| !entry.node.is_null())
            else {
                continue;
            };
            let message = format!("`{here}.{key}` is not acted upon yet");
            self.say(
                Diagnostic::new(Code::NotActedUpon, entry.key, message)
                    .help("the service runs as if it were not there"),
            );
        }
        let bound = |key: &str| {
            node.at(&["autoscale", key])
                .filter(|node| node.as_int().is_some())
        };
        if let (Some(min), Some(max)) = (bound("min"), bound("max"))
            && min.as_int() > max.as_int()
        {
            let message = format!("`{here}.autoscale.min` is above its `max`");
            self.say(
                Diagnostic::new(Code::Conflict, min.span, message).also(max.span, "`max` is here"),
            );
        }
    }

    /// The times of a job, in cron's five fields.
    fn schedules(&mut self, here: &str, triggers: Option<&Node>) {
        let Some(schedule) = triggers.and_then(|triggers| triggers.get("schedule")) else {
            return;
        };
        let items = match &schedule.value {
            Value::Seq(items) => items
                .iter()
                .map(|item| item.get("cron").unwrap_or(item))
                .collect(),
            _ => vec![schedule],
        };
        for item in items {
            if item
                .as_str()
                .is_some_and(|text| !crate::keys::is_cron(text))
            {
                let text = item.as_str().unwrap_or_default();
                let message = format!("`{here}.triggers.schedule`: `{text}` is not a schedule");
                self.say(Diagnostic::new(Code::NotAllowed, item.span, message).help(
                    "write five fields: minute, hour, day, month, weekday, such as 0 2 * * *",
                ));
            }
        }
    }
}

/// `scale` is how `deploy.replicas` was written once.
fn replicas(body: &mut Node) {
    let Some(scale) = body.remove("scale").filter(|scale| !scale.is_null()) else {
        return;
    };
    if body.get("deploy").is_none_or(Node::is_null) {
        body.set("deploy", Node::new(Value::Map(Map::new()), scale.span));
    }
    if let Some(deploy) = body.get_mut("deploy")
        && deploy.get("replicas").is_none_or(Node::is_null)
    {
        deploy.set("replicas", scale);
    }
}

/// What the settings of a service name.
fn implied(node: &Node) -> Vec<(Address, Span)> {
    let mut found = Vec::new();
    for (name, entry) in node
        .get("networks")
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::iter)
    {
        found.push((Address::new(Kind::Network, name.as_str()), entry.key));
    }
    for (list, kind) in [
        ("volumes", Kind::Volume),
        ("configs", Kind::Config),
        ("secrets", Kind::Secret),
    ] {
        for item in node.get(list).and_then(Node::as_seq).into_iter().flatten() {
            let other =
                kind == Kind::Volume && item.get("type").and_then(Node::as_str) != Some("volume");
            if let Some(source) = item.get("source").and_then(Node::as_str).filter(|_| !other) {
                found.push((Address::new(kind, source), item.span));
            }
        }
    }
    found
}
