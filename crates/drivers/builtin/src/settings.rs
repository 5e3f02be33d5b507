//! Settings of resources: checked against the schema, read with clear problems, revealed where needed.

use std::collections::BTreeMap;

use consort_driver::{AttributeKind, Context, DriverError, TypeSchema};
use consort_model::{Code, Partial, SecretHandle, Value, secret, text};

/// A mistake in a setting.
pub(crate) fn invalid(message: impl Into<String>) -> DriverError {
    DriverError::new(Code::BLUEPRINT_INVALID, message)
}

/// Checks names, presence and types of what is known.
pub(crate) fn check(schema: &TypeSchema, desired: &Partial) -> Result<(), DriverError> {
    let empty = indexmap::IndexMap::new();
    let settings = match desired {
        Partial::Map(map) => map,
        Partial::Scalar(Value::Null) => &empty,
        Partial::Unknown(_) => return Ok(()),
        Partial::Scalar(_) | Partial::List(_) => {
            return Err(invalid("`properties` must be a mapping"));
        }
    };
    let settable = || {
        schema
            .attributes
            .iter()
            .filter(|attribute| attribute.settable)
    };
    for (name, value) in settings {
        let Some(attribute) = settable().find(|attribute| attribute.name == *name) else {
            let names = settable().map(|attribute| attribute.name.as_str());
            let error = invalid(format!(
                "type `{}` has no property `{name}`",
                schema.type_name
            ));
            return Err(match text::nearest(name, names) {
                Some(near) => error.remedy(format!("Did you mean `{near}`?")),
                None => error.remedy(format!(
                    "`consort explain resources.{}` lists them.",
                    schema.type_name
                )),
            });
        };
        check_type(name, attribute.kind, value)?;
    }
    for attribute in settable().filter(|attribute| attribute.required) {
        if settings
            .get(&attribute.name)
            .is_none_or(|value| *value == Partial::NULL)
        {
            return Err(invalid(format!(
                "property `{}` of type `{}` is missing",
                attribute.name, schema.type_name
            )));
        }
    }
    Ok(())
}

fn check_type(name: &str, kind: AttributeKind, value: &Partial) -> Result<(), DriverError> {
    let good = match (kind, value) {
        (_, Partial::Unknown(_) | Partial::Scalar(Value::Null)) | (AttributeKind::Any, _) => true,
        (AttributeKind::String, Partial::Scalar(value)) => {
            value.is_string() || value.is_number() || value.is_boolean()
        }
        (AttributeKind::Number, Partial::Scalar(value)) => value.is_number(),
        (AttributeKind::Boolean, Partial::Scalar(value)) => value.is_boolean(),
        (AttributeKind::List, Partial::List(_)) | (AttributeKind::Map, Partial::Map(_)) => true,
        _ => false,
    };
    let word = match kind {
        AttributeKind::String => "text",
        AttributeKind::Number => "a number",
        AttributeKind::Boolean => "true or false",
        AttributeKind::List => "a list",
        AttributeKind::Map => "a mapping",
        AttributeKind::Any => "a value",
    };
    if good {
        Ok(())
    } else {
        Err(invalid(format!("property `{name}` must be {word}")))
    }
}

/// The settings with the values of secrets: for the one who writes them down.
pub(crate) async fn reveal(context: &Context, desired: &Value) -> Result<Value, DriverError> {
    let mut values: BTreeMap<SecretHandle, String> = BTreeMap::new();
    for handle in secret::handles(desired) {
        let value = context.secrets.secret_value(&handle).await?;
        values.insert(handle, value.reveal().to_owned());
    }
    secret::reveal(desired, &mut |handle| {
        values
            .get(handle)
            .cloned()
            .ok_or_else(|| invalid(format!("secret {handle} has no value")))
    })
}

/// A text setting.
pub(crate) fn text_of<'a>(settings: &'a Value, name: &str) -> Option<&'a str> {
    settings.get(name).and_then(Value::as_str)
}

/// A whole number in bounds, or the default.
pub(crate) fn whole(
    settings: &Value,
    name: &str,
    default: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64, DriverError> {
    match settings.get(name).filter(|value| !value.is_null()) {
        None => Ok(default),
        Some(value) => value
            .as_u64()
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                invalid(format!(
                    "property `{name}` must be a whole number from {} to {}, and is {value}",
                    bounds.start(),
                    bounds.end()
                ))
            }),
    }
}

/// True or false, or the default.
pub(crate) fn flag(settings: &Value, name: &str, default: bool) -> bool {
    settings
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or(default)
}

/// A list of texts.
pub(crate) fn texts(settings: &Value, name: &str) -> Result<Vec<String>, DriverError> {
    let Some(value) = settings.get(name).filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let list = value.as_array().and_then(|items| {
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    });
    list.ok_or_else(|| invalid(format!("property `{name}` must be a list of texts")))
}

/// A duration, or the default.
pub(crate) fn span(
    settings: &Value,
    name: &str,
) -> Result<Option<consort_model::time::Span>, DriverError> {
    text_of(settings, name)
        .map(|text| {
            text.parse()
                .map_err(|error: consort_model::time::SpanError| {
                    invalid(format!("property `{name}`: {error}"))
                })
        })
        .transpose()
}

/// Random bytes of the kernel.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), DriverError> {
    getrandom::fill(bytes).map_err(|error| {
        DriverError::new(Code::INTERNAL, "the kernel gives no random bytes").because(error)
    })
}
