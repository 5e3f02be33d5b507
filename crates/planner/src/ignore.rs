//! `ignore_changes`: attributes whose differences do not count keep the value that they have.

use consort_model::{Partial, Template, Value};

use crate::path::{self, Step};

/// The wanted settings and their template, with every ignored path as it is recorded. `all` stands
/// for everything. What is changed in the template is a constant afterwards, so that evaluating it
/// again while the plan is carried out gives the same.
pub fn keep_ignored(
    ignored: &[String],
    recorded: &Value,
    mut desired: Partial,
    mut template: Template,
) -> (Partial, Template) {
    if ignored.iter().any(|path| path == "all") {
        return (recorded.clone().into(), recorded.clone().into());
    }
    for steps in ignored.iter().filter_map(|text| path::parse(text)) {
        let old = path::get(recorded, &steps);
        set_partial(&mut desired, &steps, old);
        set_template(&mut template, &steps, old, &desired);
    }
    (desired, template)
}

fn set_partial(into: &mut Partial, steps: &[Step], old: Option<&Value>) {
    let Some((first, rest)) = steps.split_first() else {
        *into = old.cloned().unwrap_or(Value::Null).into();
        return;
    };
    match (into, first) {
        (Partial::Map(map), Step::Key(key)) => match (rest.is_empty(), old) {
            (true, None) => {
                map.shift_remove(key);
            }
            (false, None) => {
                if let Some(part) = map.get_mut(key) {
                    set_partial(part, rest, old);
                }
            }
            (_, Some(_)) => {
                let part = map
                    .entry(key.clone())
                    .or_insert_with(|| Partial::Map(indexmap::IndexMap::new()));
                set_partial(part, rest, old);
            }
        },
        (Partial::List(items), Step::Index(index)) => {
            if let Some(part) = items.get_mut(*index) {
                set_partial(part, rest, old);
            }
        }
        (Partial::Unknown(_) | Partial::Scalar(_) | Partial::List(_) | Partial::Map(_), _) => {}
    }
}

/// `desired` is the whole result so far: where an expression yields more than what is ignored, it is
/// replaced by its value.
fn set_template(into: &mut Template, steps: &[Step], old: Option<&Value>, desired: &Partial) {
    let Some((first, rest)) = steps.split_first() else {
        *into = old.cloned().unwrap_or(Value::Null).into();
        return;
    };
    match (into, first) {
        (Template::Map(map), Step::Key(key)) => {
            if rest.is_empty() && old.is_none() {
                map.shift_remove(key);
                return;
            }
            let empty = || Template::Map(indexmap::IndexMap::new());
            let part = match old {
                Some(_) => map.entry(key.clone()).or_insert_with(empty),
                None => match map.get_mut(key) {
                    Some(part) => part,
                    None => return,
                },
            };
            set_template(part, rest, old, desired.get(key).unwrap_or(&Partial::NULL));
        }
        (Template::List(items), Step::Index(index)) => {
            let Partial::List(parts) = desired else {
                return;
            };
            if let (Some(item), Some(part)) = (items.get_mut(*index), parts.get(*index)) {
                set_template(item, rest, old, part);
            }
        }
        (into @ Template::Deferred(_), _) => {
            if let Some(value) = desired.known() {
                *into = value.into();
            }
        }
        (Template::Scalar(_) | Template::List(_) | Template::Map(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ignored_paths_keep_what_is_recorded() {
        let recorded = json!({"a": 1, "tags": {"owner": "me", "x": 1}});
        let wanted = json!({"a": 2, "b": 1, "tags": {"owner": "you", "y": 2}});
        let keep = |ignored: &[&str]| {
            let ignored: Vec<String> = ignored.iter().map(ToString::to_string).collect();
            let (desired, template) = keep_ignored(
                &ignored,
                &recorded,
                wanted.clone().into(),
                wanted.clone().into(),
            );
            assert_eq!(template.known(), desired.known());
            desired.known().unwrap()
        };
        assert_eq!(
            keep(&["a", "tags.owner"]),
            json!({"a": 1, "b": 1, "tags": {"owner": "me", "y": 2}})
        );
        assert_eq!(
            keep(&["b", "tags.x"]),
            json!({"a": 2, "tags": {"owner": "you", "y": 2, "x": 1}})
        );
        assert_eq!(keep(&["all"]), recorded);
        assert_eq!(keep(&["nothing.there[0]", "not a [path"]), wanted);
    }
}
