//! A loaded blueprint in the shape of `docker compose config --format json`. Our own elements, which
//! Compose does not have, are added as they are. A `$` is printed as `$$`, so that the output can be loaded
//! again.

mod fields;

use consort_model::{Object as JsonObject, Value as Json};

use crate::load::Loaded;
use crate::node::{Map, Node, Value};
use crate::quantity;

use fields::{Field, Form, Keep};

/// The shape of Compose.
pub fn compose_json(loaded: &Loaded) -> Json {
    let mut out = JsonObject::new();
    out.insert("name".to_owned(), Json::String(loaded.name.clone()));
    out.insert("services".to_owned(), Json::Object(JsonObject::new()));
    for (key, entry) in loaded.document.as_map().into_iter().flat_map(Map::iter) {
        let value = match key.as_str() {
            "name" | "version" | "include" | "models" => continue,
            "services" | "jobs" => elements(&entry.node, fields::SERVICE, true),
            "networks" => elements(&entry.node, fields::NETWORK, false),
            "volumes" => elements(&entry.node, fields::VOLUME, false),
            "secrets" | "configs" => elements(&entry.node, fields::FILE_OBJECT, false),
            _ => entry.node.to_json(),
        };
        let resource = matches!(
            key.as_str(),
            "networks" | "volumes" | "secrets" | "configs" | "jobs"
        );
        if !resource || !is_zero(&value) {
            out.insert(key.clone(), value);
        }
    }
    escape(Json::Object(out))
}

fn elements(node: &Node, fields: &[Field], workloads: bool) -> Json {
    let print = |node: &Node| {
        let mut object = object(node, fields);
        if workloads {
            ours(node, &mut object);
        }
        Json::Object(object)
    };
    let map = node.as_map().into_iter().flat_map(Map::iter);
    Json::Object(
        map.map(|(name, entry)| (name.clone(), print(&entry.node)))
            .collect(),
    )
}

/// The keys that we add to services, and `triggers` of jobs, which Compose does not print yet.
fn ours(node: &Node, out: &mut JsonObject) {
    for key in ["process", "autoscale", "objective", "for_each", "triggers"] {
        if let Some(value) = node.get(key) {
            out.insert(key.to_owned(), value.to_json());
        }
    }
}

fn object(node: &Node, fields: &[Field]) -> JsonObject {
    let mut out = JsonObject::new();
    for field in fields {
        let value = node
            .get(field.key)
            .filter(|value| !value.is_null())
            .map(|value| print(value, &field.form));
        let value = match (value, field.keep) {
            (Some(value), Keep::IfSet) if is_zero(&value) => continue,
            (Some(value), _) => value,
            (None, Keep::Null) => Json::Null,
            (None, Keep::Object) => {
                print(&Node::new(Value::Map(Map::new()), node.span), &field.form)
            }
            (None, _) => continue,
        };
        out.insert(field.printed().to_owned(), value);
    }
    out
}

fn print(node: &Node, form: &Form) -> Json {
    if node.is_opaque() {
        return node.to_json();
    }
    match form {
        Form::Plain => node.to_json(),
        Form::Text => text(node),
        Form::Number => number(node),
        Form::Float => float(node),
        Form::Flag => flag(node),
        Form::Bytes => bytes(node),
        Form::Duration => duration(node),
        Form::Mode => mode(node),
        Form::Count => match node.as_str() {
            Some(text) if text.eq_ignore_ascii_case("all") => (-1).into(),
            _ => number(node),
        },
        Form::Limit => match &node.value {
            Value::Map(_) => print(node, &Form::Object(fields::LIMIT)),
            _ => number(node),
        },
        Form::Texts => match node.as_seq() {
            Some(items) => Json::Array(items.iter().map(text).collect()),
            None => Json::Array(vec![text(node)]),
        },
        Form::Sorted => sorted(node),
        Form::Ssh => ssh(node),
        Form::List(item) => Json::Array(
            node.as_seq()
                .into_iter()
                .flatten()
                .map(|node| print(node, item))
                .collect(),
        ),
        Form::Object(fields) => Json::Object(object(node, fields)),
        Form::TextMap => mapping(node, |value| {
            Json::String(value.scalar_text().unwrap_or_default())
        }),
        Form::NullableTextMap => mapping(node, text),
        Form::Options => mapping(node, |value| print(value, &Form::Texts)),
        Form::Map(value) => mapping(node, |node| {
            if node.is_null() {
                Json::Null
            } else {
                print(node, value)
            }
        }),
    }
}

fn text(node: &Node) -> Json {
    node.scalar_text().map_or(Json::Null, Json::String)
}

fn flag(node: &Node) -> Json {
    match node.as_str() {
        Some(text) => Json::Bool(matches!(text, "true" | "1" | "t" | "T" | "TRUE" | "True")),
        None => node.to_json(),
    }
}

fn sorted(node: &Node) -> Json {
    let mut texts: Vec<String> = node
        .as_seq()
        .into_iter()
        .flatten()
        .filter_map(Node::scalar_text)
        .collect();
    texts.sort();
    Json::Array(texts.into_iter().map(Json::String).collect())
}

/// `ID=PATH`, or the id alone for the agent.
fn ssh(node: &Node) -> Json {
    let keys = node
        .as_map()
        .into_iter()
        .flat_map(Map::iter)
        .map(|(id, entry)| match entry.node.as_str() {
            Some(path) => Json::String(format!("{id}={path}")),
            None => Json::String(id.clone()),
        });
    Json::Array(keys.collect())
}

fn mapping(node: &Node, value: impl Fn(&Node) -> Json) -> Json {
    let map = node.as_map().into_iter().flat_map(Map::iter);
    Json::Object(
        map.map(|(key, entry)| (key.clone(), value(&entry.node)))
            .collect(),
    )
}

/// Text that stands for a number becomes one.
fn number(node: &Node) -> Json {
    match node.as_str().map(str::parse::<i64>) {
        Some(Ok(value)) => value.into(),
        _ => node.to_json(),
    }
}

/// Compose keeps these with 32 bits.
fn float(node: &Node) -> Json {
    let text = node.scalar_text().unwrap_or_default();
    let short = text
        .parse::<f32>()
        .ok()
        .and_then(|value| value.to_string().parse::<f64>().ok());
    short
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| node.to_json(), Json::Number)
}

fn bytes(node: &Node) -> Json {
    let value = match &node.value {
        Value::String(text) => {
            quantity::bytes(text).map_or_else(|_| text.clone(), |bytes| bytes.to_string())
        }
        _ => node.scalar_text().unwrap_or_default(),
    };
    Json::String(value)
}

fn duration(node: &Node) -> Json {
    let text = node.scalar_text().unwrap_or_default();
    Json::String(quantity::nanoseconds(&text).map_or(text, quantity::duration_text))
}

/// Permissions in octal. A number in YAML is one already; text is read as octal.
fn mode(node: &Node) -> Json {
    let value = match &node.value {
        Value::String(text) => i128::from_str_radix(text, 8).ok(),
        _ => node.as_int(),
    };
    value.map_or_else(
        || node.to_json(),
        |value| Json::String(format!("0{value:o}")),
    )
}

/// What Go's `omitempty` leaves out.
fn is_zero(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty() || text == "0s",
        Json::Array(items) => items.is_empty(),
        Json::Object(object) => object.is_empty(),
    }
}

fn escape(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(dollars(text)),
        Json::Array(items) => Json::Array(items.into_iter().map(escape).collect()),
        Json::Object(object) => Json::Object(
            object
                .into_iter()
                .map(|(key, value)| (dollars(key), escape(value)))
                .collect(),
        ),
        other => other,
    }
}

fn dollars(text: String) -> String {
    if text.contains('$') {
        text.replace('$', "$$")
    } else {
        text
    }
}
