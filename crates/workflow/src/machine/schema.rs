//! The schemas of a document, compiled once.

use std::collections::BTreeMap;

use consort_model::Value;
use jsonschema::Validator;

use crate::error::{Fault, types};

/// Validators by the pointer of their `schema`.
#[derive(Debug)]
pub(super) struct Schemas(BTreeMap<String, Validator>);

/// Compiles the schema of `{format, document}`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    let document = schema.get("document").ok_or("a schema needs `document`")?;
    jsonschema::validator_for(document).map_err(|error| format!("the schema is not valid: {error}"))
}

impl Schemas {
    pub(super) fn of(document: &Value) -> Self {
        let mut found = BTreeMap::new();
        walk(document, String::new(), &mut found);
        Self(found)
    }

    /// Does the value fit what stands at the pointer?
    pub(super) fn check(&self, pointer: &str, value: &Value) -> Result<(), Fault> {
        let Some(validator) = self.0.get(pointer) else {
            return Ok(());
        };
        let problems: Vec<String> = validator
            .iter_errors(value)
            .take(5)
            .map(|error| format!("{error} (at `{}`)", error.instance_path()))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Fault::standard(types::VALIDATION, problems.join("; ")))
        }
    }
}

fn walk(value: &Value, pointer: String, found: &mut BTreeMap<String, Validator>) {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| walk(item, format!("{pointer}/{index}"), found)),
        Value::Object(object) => {
            for (key, item) in object {
                let place = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                if key == "schema"
                    && ["/input", "/output", "/export"]
                        .iter()
                        .any(|end| pointer.ends_with(end))
                    && let Ok(validator) = compile(item)
                {
                    found.insert(place, validator);
                } else {
                    walk(item, place, found);
                }
            }
        }
        _ => {}
    }
}
