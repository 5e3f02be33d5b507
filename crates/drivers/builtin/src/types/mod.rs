//! The built-in types, one file each.

mod certificate;
mod directory;
mod file;
mod password;
mod random_id;
mod signing_key;
mod token;

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, Observed, TypeSchema,
};
use consort_model::state::Object;
use consort_model::{Code, Partial, Value};

/// Every built-in type, in the order of the docs.
pub(crate) fn all() -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(password::Password),
        Box::new(random_id::RandomId),
        Box::new(signing_key::SigningKey),
        Box::new(token::Token),
        Box::new(certificate::Certificate),
        Box::new(directory::Directory),
        Box::new(file::File),
    ]
}

/// One built-in type.
pub(crate) trait Kind: Send + Sync {
    /// Its attributes.
    fn schema(&self) -> TypeSchema;
    /// Checks settings that are all known.
    fn validate(&self, _settings: &Value) -> Result<(), DriverError> {
        Ok(())
    }
    /// What a person should know before it is made.
    fn warnings(&self, _context: &Context, _settings: &Partial) -> Vec<String> {
        Vec::new()
    }
    /// Why what is there must be made anew although no setting differs: it ends soon.
    fn renewal(&self, _context: &Context, _attributes: &Value) -> Option<String> {
        None
    }
    /// Do computed attributes change when settings change in place?
    fn recomputes(&self) -> bool {
        false
    }
    /// Makes or changes it; secrets in the settings have their values.
    fn make(
        &self,
        context: &Context,
        request: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError>;
    /// Deletes it; what is gone is no error.
    fn delete(&self, _context: &Context, _object: &Object) -> Result<(), DriverError> {
        Ok(())
    }
    /// What is there. What is only recorded is as it is recorded.
    fn read(&self, _context: &Context, object: &Object) -> Result<Observed, DriverError> {
        Ok(Observed::Present(masked(&object.attributes)))
    }
    /// Takes up something that exists already.
    fn import(&self, _context: &Context, _id: &str) -> Result<Applied, DriverError> {
        let name = self.schema().type_name;
        Err(DriverError::new(
            Code::USAGE,
            format!("resources of type `{name}` cannot be imported"),
        ))
    }
}

/// What is recorded, with what was seen laid over it.
fn seen(object: &Object, found: Value) -> Observed {
    let mut attributes = masked(&object.attributes);
    if let (Some(attributes), Value::Object(found)) = (attributes.as_object_mut(), found) {
        attributes.extend(found);
    }
    Observed::Present(attributes)
}

/// The attributes with null in the place of secrets, which are not compared.
fn masked(attributes: &Value) -> Value {
    let mut out = attributes.clone();
    for value in out
        .as_object_mut()
        .into_iter()
        .flat_map(|object| object.values_mut())
    {
        if value
            .as_str()
            .is_some_and(|text| text.contains(consort_model::secret::OPEN))
        {
            *value = Value::Null;
        }
    }
    out
}

/// A schema of this driver.
fn schema(type_name: &str, doc: &str, attributes: Vec<Attribute>) -> TypeSchema {
    TypeSchema {
        driver: crate::NAME.into(),
        type_name: type_name.into(),
        doc: doc.into(),
        attributes,
        holds_data: false,
        open: false,
        create_before_destroy: false,
    }
}

/// The setting that replaces a resource when any of its values changes.
fn keepers() -> Attribute {
    Attribute::settable(
        "keepers",
        AttributeKind::Map,
        "Anything; a change of it makes a new value.",
    )
    .forces_replacement()
}

/// The settings as attributes.
fn attributes_of(settings: &Value) -> Value {
    if settings.is_object() {
        settings.clone()
    } else {
        serde_json::json!({})
    }
}
