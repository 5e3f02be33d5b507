//! Secret tokens in what a plan holds: whole, or not at all.

use consort_model::plan::Action;
use consort_model::secret::{CLOSE, OPEN, Piece, pieces};
use consort_model::template::TextPart;
use consort_model::{Partial, Template, Value};

/// The part of an action that holds a broken token.
pub(super) fn broken(action: &Action) -> Option<&'static str> {
    let template = action.template.as_ref().is_some_and(in_template);
    let prior = action
        .prior
        .as_ref()
        .is_some_and(|prior| in_value(&prior.desired) || in_value(&prior.attributes));
    [
        (in_partial(&action.desired), "wanted settings"),
        (in_partial(&action.planned), "planned attributes"),
        (template, "settings"),
        (prior, "prior object"),
    ]
    .into_iter()
    .find_map(|(broken, part)| broken.then_some(part))
}

fn in_text(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
        && pieces(text).into_iter().any(|piece| match piece {
            Piece::Text(text) => text.contains([OPEN, CLOSE]),
            Piece::Secret(_) => false,
        })
}

fn in_value(value: &Value) -> bool {
    match value {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().any(in_value),
        Value::Object(object) => object
            .iter()
            .any(|(key, item)| key.contains([OPEN, CLOSE]) || in_value(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn in_partial(value: &Partial) -> bool {
    match value {
        Partial::Unknown(_) => false,
        Partial::Scalar(value) => in_value(value),
        Partial::List(items) => items.iter().any(in_partial),
        Partial::Map(map) => map
            .iter()
            .any(|(key, item)| key.contains([OPEN, CLOSE]) || in_partial(item)),
    }
}

fn in_template(template: &Template) -> bool {
    match template {
        Template::Scalar(value) => in_value(value),
        Template::Deferred(deferred) => deferred.parts.iter().any(|part| match part {
            TextPart::Text(text) | TextPart::Expression(text) => in_text(text),
        }),
        Template::List(items) => items.iter().any(in_template),
        Template::Map(map) => map
            .iter()
            .any(|(key, item)| key.contains([OPEN, CLOSE]) || in_template(item)),
    }
}
