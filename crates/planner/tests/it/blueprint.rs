//! Blueprints from JSON, in the shape of the language; `${ … }` inside text is an expression.

use consort_model::blueprint::{Blueprint, Dependency, InputDecl, NodeDecl, OutputDecl};
use consort_model::template::{Deferred, Place, TextPart};
use consort_model::{Address, Kind, Template, Value};
use indexmap::IndexMap;

fn place(line: u32) -> Place {
    Place {
        file: "consort.yaml".into(),
        line,
        column: 3,
    }
}

/// Where the bracket that the text begins with is closed.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return at;
        }
    }
    panic!("not closed: {text}")
}

/// A template from JSON.
pub fn template(value: &Value, line: u32) -> Template {
    match value {
        Value::String(text) if text.contains("${ ") => {
            let mut parts = Vec::new();
            let mut rest = text.as_str();
            while let Some(start) = rest.find("${ ") {
                let end = start + 1 + closing(&rest[start + 1..]);
                if start > 0 {
                    parts.push(TextPart::Text(rest[..start].into()));
                }
                parts.push(TextPart::Expression(rest[start + 2..end].into()));
                rest = &rest[end + 1..];
            }
            if !rest.is_empty() {
                parts.push(TextPart::Text(rest.into()));
            }
            Template::Deferred(Deferred {
                parts,
                place: place(line),
            })
        }
        Value::Array(items) => {
            Template::List(items.iter().map(|item| template(item, line)).collect())
        }
        Value::Object(map) => Template::Map(
            map.iter()
                .map(|(key, item)| (key.clone(), template(item, line)))
                .collect(),
        ),
        scalar => Template::Scalar(scalar.clone()),
    }
}

fn dependencies(value: &Value) -> Vec<Dependency> {
    let one = |address: &str, more: &Value| {
        let mut long = more.as_object().cloned().unwrap_or_default();
        long.insert("on".into(), address.into());
        serde_json::from_value(Value::Object(long)).unwrap()
    };
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| one(item.as_str().unwrap(), &Value::Null))
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(address, more)| one(address, more))
            .collect(),
        _ => Vec::new(),
    }
}

/// A blueprint from JSON: `{"resources": {"a": {"type": "thing", "properties": {…}}}, …}`.
pub fn blueprint(document: &Value) -> Blueprint {
    let mut found = Blueprint {
        name: "shop".into(),
        target: None,
        target_settings: Template::default(),
        inputs: IndexMap::new(),
        nodes: IndexMap::new(),
        outputs: IndexMap::new(),
        objectives: None,
        warnings: Vec::new(),
    };
    let mut line = 0;
    for (section, elements) in document.as_object().into_iter().flatten() {
        for (name, element) in elements.as_object().into_iter().flatten() {
            line += 1;
            match Kind::from_word(section).expect("a kind") {
                Kind::Input => {
                    let mut decl = element.as_object().unwrap().clone();
                    decl.insert("place".into(), serde_json::to_value(place(line)).unwrap());
                    let decl: InputDecl = serde_json::from_value(Value::Object(decl)).unwrap();
                    found.inputs.insert(name.clone(), decl);
                }
                Kind::Output => {
                    let value = template(element, line);
                    found.outputs.insert(
                        name.clone(),
                        OutputDecl {
                            value,
                            sensitive: false,
                            description: None,
                            place: place(line),
                        },
                    );
                }
                kind => {
                    found
                        .nodes
                        .insert(Address::new(kind, name.as_str()), node(kind, element, line));
                }
            }
        }
    }
    found
}

fn node(kind: Kind, element: &Value, line: u32) -> NodeDecl {
    let is_typed = matches!(kind, Kind::Resource | Kind::Data);
    let get = |key: &str| element.get(key).cloned().unwrap_or(Value::Null);
    let body = match kind {
        Kind::Resource | Kind::Data => get("properties"),
        Kind::Local => element.clone(),
        _ => {
            let mut body = element.clone();
            for own in ["depends_on", "lifecycle", "for_each"] {
                body.as_object_mut().map(|body| body.shift_remove(own));
            }
            body
        }
    };
    NodeDecl {
        type_name: if is_typed {
            get("type").as_str().unwrap().into()
        } else {
            kind.word().into()
        },
        body: template(&body, line),
        for_each: element.get("for_each").map(|keys| template(keys, line)),
        depends_on: if kind == Kind::Local {
            Vec::new()
        } else {
            dependencies(&get("depends_on"))
        },
        lifecycle: serde_json::from_value(
            element
                .get("lifecycle")
                .cloned()
                .unwrap_or(serde_json::json!({})),
        )
        .unwrap(),
        time_limit: None,
        place: place(line),
    }
}
