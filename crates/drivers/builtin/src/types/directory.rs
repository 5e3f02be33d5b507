//! `directory`: a folder of this machine.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, Observed, TypeSchema,
};
use consort_model::state::Object;
use consort_model::{Code, Value};
use serde_json::json;

use super::{Kind, attributes_of, schema, seen};
use crate::settings::{flag, invalid, text_of};

pub(super) struct Directory;

impl Kind for Directory {
    fn schema(&self) -> TypeSchema {
        let mut schema = schema(
            "directory",
            "A folder of this machine, with the folders above it.",
            vec![
                Attribute::settable(
                    "path",
                    AttributeKind::String,
                    "Where; relative to the blueprint.",
                )
                .required()
                .forces_replacement(),
                Attribute::settable(
                    "mode",
                    AttributeKind::String,
                    "Permissions in octal digits; `0755` if nothing is said.",
                ),
                Attribute::settable(
                    "force_delete",
                    AttributeKind::Boolean,
                    "Delete it with what is in it; else it must be empty.",
                ),
                Attribute::computed(
                    "absolute_path",
                    AttributeKind::String,
                    "Where, from the root.",
                ),
            ],
        );
        schema.holds_data = true;
        schema
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        mode(settings, 0o755).map(|_| ())
    }

    fn make(
        &self,
        context: &Context,
        _: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        let path = resolve(context, settings)?;
        let mode = mode(settings, 0o755)?;
        let failed = |error: std::io::Error| unusable(&path, "made").because(error);
        match std::fs::symlink_metadata(&path) {
            Ok(found) if !found.is_dir() => {
                return Err(unusable(&path, "made: something else is there"));
            }
            Ok(_) => {}
            Err(_) => std::fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&path)
                .map_err(failed)?,
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        let mut attributes = attributes_of(settings);
        attributes["mode"] = format!("{mode:04o}").into();
        attributes["absolute_path"] = path.display().to_string().into();
        Ok(Applied {
            id: path.display().to_string(),
            attributes,
            ..Applied::default()
        })
    }

    fn delete(&self, _: &Context, object: &Object) -> Result<(), DriverError> {
        let path = Path::new(&object.id);
        let deleted = if flag(&object.desired, "force_delete", false) {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_dir(path)
        };
        match deleted {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                Err(unusable(path, "deleted: it is not empty")
                    .remedy("Empty it, or set `force_delete: true` and apply that first."))
            }
            other => other.map_err(|error| unusable(path, "deleted").because(error)),
        }
    }

    fn read(&self, _: &Context, object: &Object) -> Result<Observed, DriverError> {
        let path = Path::new(&object.id);
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                let mode = found.permissions().mode() & 0o7777;
                Ok(seen(object, json!({"mode": format!("{mode:04o}")})))
            }
            Ok(_) => Ok(Observed::Gone),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Observed::Gone),
            Err(error) => Ok(Observed::Unreachable(error.to_string())),
        }
    }

    fn import(&self, context: &Context, id: &str) -> Result<Applied, DriverError> {
        let settings = json!({"path": id});
        let path = resolve(context, &settings)?;
        let found = std::fs::symlink_metadata(&path)
            .map_err(|error| unusable(&path, "imported").because(error))?;
        if !found.is_dir() {
            return Err(unusable(&path, "imported: it is no folder"));
        }
        let mode = format!("{:04o}", found.permissions().mode() & 0o7777);
        let shown = path.display().to_string();
        Ok(Applied {
            id: shown.clone(),
            attributes: json!({"path": id, "mode": mode, "absolute_path": shown}),
            ..Applied::default()
        })
    }
}

/// The absolute path of `path`.
pub(super) fn resolve(context: &Context, settings: &Value) -> Result<PathBuf, DriverError> {
    let text = text_of(settings, "path").filter(|text| !text.is_empty() && !text.contains('\0'));
    let text = text.ok_or_else(|| invalid("property `path` must be a path"))?;
    let path = context.project_directory.join(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(invalid(format!(
            "`{text}` is relative, and it is not known to what"
        )))
    }
}

/// Permissions in octal digits.
pub(super) fn mode(settings: &Value, default: u32) -> Result<u32, DriverError> {
    let Some(value) = settings.get("mode").filter(|value| !value.is_null()) else {
        return Ok(default);
    };
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let octal = text.trim_start_matches("0o");
    u32::from_str_radix(octal, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| {
            invalid(format!(
                "property `mode` must be octal digits such as \"0644\" (in quotes), and is `{text}`"
            ))
        })
}

/// A path that something cannot be done with.
pub(super) fn unusable(path: &Path, what: &str) -> DriverError {
    DriverError::new(
        Code::NODE_FAILED,
        format!("{} cannot be {what}", path.display()),
    )
}
