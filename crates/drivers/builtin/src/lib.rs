//! What needs no cloud: passwords, keys, tokens, certificates, files and folders.
//!
//! A type is one file below `types/` and one line in `types::all`.

mod settings;
mod types;

use async_trait::async_trait;
use consort_driver::{
    Applied, ApplyRequest, Context, Driver, DriverError, Intent, Observed, PlanRequest,
    PlannedChange, Resolution, TypeSchema,
};
use consort_model::plan::Operation;
use consort_model::state::Object;
use consort_model::{Code, Partial, Value, Why, text};
use indexmap::IndexMap;

use types::Kind;

/// The driver of built-in resources.
pub fn driver() -> impl Driver {
    Builtin {
        kinds: types::all(),
    }
}

struct Builtin {
    kinds: Vec<Box<dyn Kind>>,
}

impl Builtin {
    fn kind(&self, name: &str) -> Result<&dyn Kind, DriverError> {
        let found = self
            .kinds
            .iter()
            .find(|kind| kind.schema().type_name == name);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let names: Vec<String> = self
                .kinds
                .iter()
                .map(|kind| kind.schema().type_name)
                .collect();
            let error = DriverError::new(
                Code::BLUEPRINT_INVALID,
                format!("there is no built-in type `{name}`"),
            );
            match text::nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.remedy(format!("Did you mean `{near}`?")),
                None => error.remedy(format!("Built-in types are {}.", names.join(", "))),
            }
        })
    }
}

#[async_trait]
impl Driver for Builtin {
    fn name(&self) -> &str {
        NAME
    }

    fn types(&self) -> Vec<TypeSchema> {
        self.kinds.iter().map(|kind| kind.schema()).collect()
    }

    async fn plan(
        &self,
        context: &Context,
        request: PlanRequest,
    ) -> Result<PlannedChange, DriverError> {
        let kind = self.kind(&request.type_name)?;
        let schema = kind.schema();
        settings::check(&schema, &request.desired)?;
        if let Some(known) = request.desired.known() {
            kind.validate(&known)?;
        }
        let Some(prior) = &request.prior else {
            return Ok(PlannedChange {
                planned: planned(&schema, &request.desired, None),
                requires_replacement: Vec::new(),
                changes: true,
                warnings: kind.warnings(context, &request.desired),
            });
        };
        let mut forced = Vec::new();
        let mut changes = false;
        for attribute in schema
            .attributes
            .iter()
            .filter(|attribute| attribute.settable)
        {
            let after = request
                .desired
                .get(&attribute.name)
                .cloned()
                .unwrap_or(Partial::NULL);
            let before = if after == Partial::NULL {
                None
            } else {
                observed(prior, &attribute.name)
            };
            let before = before
                .or_else(|| prior.desired.get(&attribute.name))
                .cloned()
                .unwrap_or(Value::Null);
            let same = after.known().is_some_and(|after| after == before);
            if !same {
                changes = true;
                if attribute.forces_replacement {
                    forced.push(attribute.name.clone());
                }
            }
        }
        if let Some(reason) = kind.renewal(context, &prior.attributes) {
            changes = true;
            forced.push(reason);
        }
        let keep = if forced.is_empty() {
            Some(&prior.attributes)
        } else {
            None
        };
        Ok(PlannedChange {
            planned: planned(
                &schema,
                &request.desired,
                keep.filter(|_| !changes || !kind.recomputes()),
            ),
            requires_replacement: forced,
            changes,
            warnings: kind.warnings(context, &request.desired),
        })
    }

    async fn apply(
        &self,
        context: &Context,
        request: ApplyRequest,
    ) -> Result<Applied, DriverError> {
        let kind = self.kind(&request.type_name)?;
        if matches!(request.operation, Operation::Delete { .. }) {
            if let Some(prior) = &request.prior {
                kind.delete(context, prior)?;
            }
            return Ok(Applied::default());
        }
        let revealed = settings::reveal(context, &request.desired).await?;
        let mut applied = kind.make(context, &request, &revealed)?;
        if applied.id.is_empty() {
            applied.id = request.address.to_string();
        }
        Ok(applied)
    }

    async fn read(
        &self,
        context: &Context,
        type_name: &str,
        object: &Object,
    ) -> Result<Observed, DriverError> {
        self.kind(type_name)?.read(context, object)
    }

    async fn import(
        &self,
        context: &Context,
        type_name: &str,
        id: &str,
    ) -> Result<Applied, DriverError> {
        self.kind(type_name)?.import(context, id)
    }

    async fn resolve(&self, context: &Context, intent: Intent) -> Result<Resolution, DriverError> {
        // What is only made up (passwords, keys) left nothing in the world; files and folders are
        // written whole or not at all, and writing the same again is safe.
        self.kind(&intent.request.type_name)?;
        let _ = context;
        Ok(Resolution::Repeat)
    }
}

/// What is there, where that was seen: it may differ from what was asked for.
fn observed<'a>(prior: &'a Object, name: &str) -> Option<&'a Value> {
    prior.attributes.get(name).filter(|value| !value.is_null())
}

/// The name of the driver, as plans and state record it.
pub const NAME: &str = "builtin";

/// The attributes after a change: settings as they are, computed ones as before or unknown.
fn planned(schema: &TypeSchema, desired: &Partial, prior: Option<&Value>) -> Partial {
    let mut map = IndexMap::new();
    for attribute in &schema.attributes {
        let value = if attribute.computed {
            match prior.and_then(|prior| prior.get(&attribute.name)) {
                Some(value) => Partial::from(value.clone()),
                None => Partial::Unknown(Why::Apply),
            }
        } else {
            desired
                .get(&attribute.name)
                .cloned()
                .unwrap_or(Partial::NULL)
        };
        map.insert(attribute.name.clone(), value);
    }
    Partial::Map(map)
}
