//! `replace_triggered_by`: nodes, or attributes of them, whose change replaces another node.

use consort_model::{Address, Code, Kind, Problem};

use super::check;
use super::declaration::{Declarations, Which};
use crate::evaluate::{PathPart, plain_path};
use crate::path::Step;

/// One entry of `replace_triggered_by`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// As written, for reasons.
    pub text: String,
    /// The place of the declaration.
    pub on: usize,
    /// Which instances of it.
    pub which: Which,
    /// The attribute; the whole node if empty.
    pub attribute: Vec<Step>,
}

/// Reads `resources.vpc`, `resources.bucket["eu"]`, `resources.vpc.id`.
pub(super) fn read(graph: &Declarations, text: &str) -> Result<Trigger, Problem> {
    let dotted = if text.starts_with('.') {
        text.to_owned()
    } else {
        format!(".{text}")
    };
    let path = plain_path(&dotted).ok_or_else(|| wrong(text))?;
    let (Some(PathPart::Key(word)), Some(PathPart::Key(name))) = (path.first(), path.get(1)) else {
        return Err(wrong(text));
    };
    let kind = Kind::from_word(word).ok_or_else(|| wrong(text))?;
    let address = Address::new(kind, name.as_str());
    let on = graph
        .find(&address)
        .ok_or_else(|| check::unknown_node(graph, &address, "`replace_triggered_by`"))?;
    let (which, rest) = match path.get(2) {
        Some(PathPart::Key(key)) if graph.list[on].has_keys => {
            (Which::Key(key.clone()), &path[3..])
        }
        _ => (Which::All, &path[2..]),
    };
    let attribute = rest.iter().map(step).collect::<Option<Vec<_>>>();
    Ok(Trigger {
        text: text.to_owned(),
        on,
        which,
        attribute: attribute.ok_or_else(|| wrong(text))?,
    })
}

fn step(part: &PathPart) -> Option<Step> {
    match part {
        PathPart::Key(key) => Some(Step::Key(key.clone())),
        PathPart::Index(index) => usize::try_from(*index).ok().map(Step::Index),
        PathPart::Dynamic => None,
    }
}

fn wrong(text: &str) -> Problem {
    Problem::new(
        Code::BLUEPRINT_INVALID,
        format!("`replace_triggered_by` holds `{text}`, which names no node"),
    )
    .remedy("Write for example `resources.vpc` or `resources.vpc.id`.")
}
