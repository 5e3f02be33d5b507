//! What a target does not do with the keys of a document.

use consort_model::blueprint::TargetKind;

use crate::diagnostic::{Code, Diagnostic};
use crate::keys::{JOB, Level, Object, SERVICE};
use crate::node::{Map, Node};

/// One warning for each key of a service or job that the target ignores or carries out in part.
pub fn warnings(document: &Node, target: TargetKind) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for (section, object) in [("services", &SERVICE), ("jobs", &JOB)] {
        for (name, entry) in document
            .get(section)
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::iter)
        {
            service(
                &entry.node,
                &format!("{section}.{name}"),
                object,
                target,
                &mut all,
            );
        }
    }
    all
}

fn service(
    node: &Node,
    place: &str,
    object: &'static Object,
    target: TargetKind,
    all: &mut Vec<Diagnostic>,
) {
    let word = match target {
        TargetKind::Process => "process",
        TargetKind::Docker => "docker",
        TargetKind::Kubernetes => "kubernetes",
    };
    for (name, entry) in node.as_map().into_iter().flat_map(Map::iter) {
        // What the loader itself put there is not for people to mend.
        if entry.key == node.span || entry.node.is_null() {
            continue;
        }
        let Some(key) = object.key(name) else {
            continue;
        };
        let (code, message) = match key.support.on(target) {
            Level::Ignored => (
                Code::NotCarriedOut,
                format!("the target {word} does nothing with `{place}.{name}`"),
            ),
            Level::Partial => (
                Code::PartlyCarriedOut,
                format!("the target {word} carries `{place}.{name}` out in part"),
            ),
            Level::Supported | Level::Inherited => continue,
        };
        all.push(
            Diagnostic::new(code, entry.key, message)
                .help(format!("`consort explain services.*.{name}` says more")),
        );
    }
}
