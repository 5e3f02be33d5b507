//! Simulated drivers: what they know, what they plan, what there is after an effect.

use consort_model::state::Object;
use consort_model::{Partial, Value, Why};
use consort_planner::{AttributeSchema, Observed, PlannedChange, Schemas, TypeSchema, diff};
use indexmap::IndexMap;
use serde_json::json;

fn attribute(name: &str, settable: bool) -> AttributeSchema {
    AttributeSchema {
        name: name.into(),
        settable,
        computed: !settable,
        doc: "for tests".into(),
        ..Default::default()
    }
}

pub fn schemas() -> Schemas {
    let mut schemas = Schemas::new();
    let mut add = |driver: &str, type_name: &str, change: fn(&mut TypeSchema)| {
        let settings =
            ["name", "size", "zone", "tags", "use", "password"].map(|name| attribute(name, true));
        let found = ["id", "arn"].map(|name| attribute(name, false));
        let mut schema = TypeSchema {
            driver: driver.into(),
            type_name: type_name.into(),
            attributes: settings.into_iter().chain(found).collect(),
            has_read: true,
            ..Default::default()
        };
        for attribute in &mut schema.attributes {
            attribute.sensitive = attribute.name == "password";
            attribute.forces_replacement = attribute.name == "zone";
        }
        change(&mut schema);
        schemas.insert((driver.into(), type_name.into()), schema);
    };
    add("builtin", "thing", |_| {});
    add("builtin", "store", |schema| schema.holds_data = true);
    add("builtin", "first_thing", |schema| {
        schema.create_before_destroy = true
    });
    add("builtin", "named", |schema| {
        schema.attributes[0].required = true
    });
    add("builtin", "lookup", |schema| {
        schema.attributes.push(attribute("result", false));
    });
    add("cloud", "cloud_thing", |_| {});
    for kind in [
        "services", "volumes", "networks", "configs", "secrets", "jobs",
    ] {
        add("process", kind, |schema| {
            schema.open = true;
            schema.holds_data = schema.type_name == "volumes";
        });
    }
    schemas
}

pub fn look_up(desired: &Value) -> Observed {
    match desired.get("name").and_then(Value::as_str) {
        Some("missing") => Observed::Gone,
        name => {
            let mut attributes = desired.as_object().cloned().unwrap_or_default();
            attributes.insert(
                "result".into(),
                format!("found {}", name.unwrap_or("nothing")).into(),
            );
            Observed::Present(Value::Object(attributes))
        }
    }
}

/// All attributes of a thing with these settings.
pub fn attributes(type_name: &str, id: &str, desired: &Value) -> Value {
    if matches!(type_name, "pools" | "workloads" | "workflows") {
        return json!({"definition": id, "id": id});
    }
    let mut map = desired.as_object().cloned().unwrap_or_default();
    map.insert("id".into(), id.into());
    let name = desired.get("name").cloned().unwrap_or(Value::Null);
    map.insert("arn".into(), json!(format!("arn:{name}")));
    if type_name == "services" {
        map.insert("url".into(), json!("http://service"));
    }
    Value::Object(map)
}

pub fn plan_change(type_name: &str, prior: Option<&Object>, desired: &Partial) -> PlannedChange {
    let mut planned = match desired {
        Partial::Map(map) => map.clone(),
        _ => IndexMap::new(),
    };
    let id = prior.map_or(Partial::Unknown(Why::Apply), |prior| {
        Partial::Scalar(prior.id.clone().into())
    });
    planned.insert("id".into(), id);
    let name = desired.get("name").cloned().unwrap_or(Partial::NULL);
    let arn = match name.known() {
        Some(name) => Partial::Scalar(json!(format!("arn:{name}"))),
        None => Partial::Unknown(Why::Apply),
    };
    planned.insert("arn".into(), arn);
    if type_name == "services" {
        planned.insert("url".into(), Partial::Scalar(json!("http://service")));
    }
    let mut requires_replacement = Vec::new();
    let mut changes = prior.is_none();
    let before = prior.map(|prior| {
        // A real driver compares with what is there; secrets only with what was asked for.
        let mut before = prior.attributes.clone();
        for found in ["id", "arn", "url"] {
            before.as_object_mut().map(|map| map.shift_remove(found));
        }
        if let (Some(map), Some(password)) = (before.as_object_mut(), prior.desired.get("password"))
        {
            map.insert("password".into(), password.clone());
        }
        before
    });
    for difference in before
        .iter()
        .flat_map(|before| diff::settings(before, desired))
    {
        changes = true;
        if difference.path == "zone" {
            requires_replacement.push(difference.path);
        }
    }
    let warnings = match desired.get("name").and_then(Partial::as_str) {
        Some("odd") => vec!["`odd` is an odd name".into()],
        _ => Vec::new(),
    };
    PlannedChange {
        planned: Partial::Map(planned),
        requires_replacement,
        changes,
        warnings,
    }
}
