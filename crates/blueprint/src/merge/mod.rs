//! How a later file is laid over an earlier one (Compose merge rules, compose-go 2.9).
//!
//! The special rules run only when both sides set the path; else the value is taken as it is.

mod forms;
mod ipam;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Map, Node, Value};
use crate::path;

pub(crate) use forms::{build_mapping, dependency, join_text, nothing};
pub use forms::{to_mapping, to_sequence};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The later value stands alone.
    Replace,
    /// Both become lists of `key=value`; the later is appended, unicity sorts out the rest.
    Sequence,
    /// The same, but an identical entry is not repeated.
    Hosts,
    /// Text is `{context: text}`, then mappings are merged.
    Build,
    /// A list is a mapping with these values, then mappings are merged.
    DependsOn,
    Names,
    /// Mappings of the same driver are merged, else the later stands alone.
    Logging,
    /// Pools are paired by their subnet.
    Pools,
}

const RULES: &[(&str, Rule)] = &[
    ("networks.*.ipam.config", Rule::Pools),
    ("networks.*.labels", Rule::Sequence),
    ("volumes.*.labels", Rule::Sequence),
    ("services.*.annotations", Rule::Sequence),
    ("services.*.build", Rule::Build),
    ("services.*.build.args", Rule::Sequence),
    ("services.*.build.additional_contexts", Rule::Sequence),
    ("services.*.build.extra_hosts", Rule::Hosts),
    ("services.*.build.labels", Rule::Sequence),
    ("services.*.command", Rule::Replace),
    ("services.*.depends_on", Rule::DependsOn),
    ("services.*.deploy.labels", Rule::Sequence),
    ("services.*.dns", Rule::Sequence),
    ("services.*.dns_opt", Rule::Sequence),
    ("services.*.dns_search", Rule::Sequence),
    ("services.*.entrypoint", Rule::Replace),
    ("services.*.env_file", Rule::Sequence),
    ("services.*.label_file", Rule::Sequence),
    ("services.*.environment", Rule::Sequence),
    ("services.*.extra_hosts", Rule::Hosts),
    ("services.*.healthcheck.test", Rule::Replace),
    ("services.*.labels", Rule::Sequence),
    ("services.*.logging", Rule::Logging),
    ("services.*.models", Rule::Names),
    ("services.*.networks", Rule::Names),
    ("services.*.sysctls", Rule::Sequence),
    ("services.*.tmpfs", Rule::Sequence),
    ("services.*.ulimits.*", Rule::Replace),
];

/// Lays `over` on `base`. Values of different kinds are reported, and the base is kept.
pub fn merge(base: Node, over: Node, path: &mut Vec<String>, sink: &mut Sink) -> Node {
    let rule = RULES
        .iter()
        .find(|(pattern, _)| path::matches(pattern, path))
        .map(|(_, rule)| *rule);
    match rule {
        Some(Rule::Replace) => over,
        Some(rule) if base.is_opaque() || over.is_opaque() => {
            // Which side an expression stands for is known to the planner only: the later one counts.
            let _ = rule;
            over
        }
        Some(Rule::Sequence) => append(to_sequence(base), to_sequence(over)),
        Some(Rule::Hosts) => {
            let base = to_sequence(base);
            let mut over = to_sequence(over);
            if let (Value::Seq(have), Value::Seq(new)) = (&base.value, &mut over.value) {
                new.retain(|item| !have.contains(item));
            }
            append(base, over)
        }
        Some(Rule::Build) => mappings(build_mapping(base), build_mapping(over), path, sink),
        Some(Rule::DependsOn) => mappings(
            to_mapping(base, dependency),
            to_mapping(over, dependency),
            path,
            sink,
        ),
        Some(Rule::Names) => mappings(
            to_mapping(base, nothing),
            to_mapping(over, nothing),
            path,
            sink,
        ),
        Some(Rule::Logging) => {
            let (old, new) = (base.get("driver").cloned(), over.get("driver").cloned());
            let same = old.is_none() || new.is_none() || old == new;
            if same {
                mappings(base, over, path, sink)
            } else {
                over
            }
        }
        Some(Rule::Pools) => ipam::merge_pools(base, over, path, sink),
        None => plain(base, over, path, sink),
    }
}

fn plain(base: Node, over: Node, path: &mut Vec<String>, sink: &mut Sink) -> Node {
    if over.is_null() {
        return base;
    }
    if base.is_opaque() || over.is_opaque() {
        return over;
    }
    match (&base.value, &over.value) {
        (Value::Map(_), Value::Map(_)) => mappings(base, over, path, sink),
        (Value::Seq(_), Value::Seq(_)) => append(base, over),
        (Value::Map(_) | Value::Seq(_), _) => {
            sink.push(clash(&base, &over, path));
            base
        }
        _ => over,
    }
}

/// Merges mappings key by key. A side that is not a mapping counts as an empty one if it is null.
pub(crate) fn mappings(base: Node, over: Node, path: &mut Vec<String>, sink: &mut Sink) -> Node {
    let span = over.span;
    match (base.value, over.value) {
        (Value::Map(base_map), Value::Map(over_map)) => Node {
            value: Value::Map(merge_maps(base_map, over_map, path, sink)),
            span: base.span,
            interpolated: false,
        },
        (base_value, Value::Null) => Node {
            value: base_value,
            ..base
        },
        (Value::Null, over_value) => Node {
            value: over_value,
            span,
            interpolated: over.interpolated,
        },
        (base_value, over_value) => {
            let (base, over) = (
                Node {
                    value: base_value,
                    ..base
                },
                Node::new(over_value, span),
            );
            sink.push(clash(&base, &over, path));
            base
        }
    }
}

fn merge_maps(mut base: Map, over: Map, path: &mut Vec<String>, sink: &mut Sink) -> Map {
    for (key, entry) in over {
        match base.get_mut(&key) {
            None => {
                base.insert(key, entry);
            }
            Some(slot) => {
                path.push(key);
                let old = std::mem::take(&mut slot.node);
                slot.node = merge(old, entry.node, path, sink);
                path.pop();
            }
        }
    }
    base
}

fn append(mut base: Node, over: Node) -> Node {
    match (&mut base.value, over.value) {
        (Value::Seq(items), Value::Seq(more)) => {
            items.extend(more);
            base
        }
        (Value::Seq(_), _) => base,
        (_, value @ Value::Seq(_)) => Node {
            value,
            span: over.span,
            interpolated: false,
        },
        _ => base,
    }
}

fn clash(base: &Node, over: &Node, path: &[String]) -> Diagnostic {
    Diagnostic::new(
        Code::CannotOverride,
        over.span,
        format!(
            "cannot override `{}`: {} is laid over {}",
            path::shown(path),
            over.kind(),
            base.kind()
        ),
    )
    .label(format!("{} here", over.kind()))
    .also(base.span, format!("{} here", base.kind()))
    .help("give both the same form, or tag the later one `!override`")
}
