//! `file`: a file of this machine, with content that may come from other nodes.

use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, Observed, TypeSchema,
};
use consort_model::state::Object;
use consort_model::{Digest, Partial, Value, secret};
use serde_json::json;

use super::directory::{mode, resolve, unusable};
use super::{Kind, attributes_of, schema, seen};
use crate::settings::invalid;

pub(super) struct File;

/// Content may be so large.
const MOST: u64 = 16 << 20;

impl Kind for File {
    fn schema(&self) -> TypeSchema {
        schema(
            "file",
            "A file of this machine; written whole, never in part.",
            vec![
                Attribute::settable(
                    "path",
                    AttributeKind::String,
                    "Where; relative to the blueprint.",
                )
                .required()
                .forces_replacement(),
                Attribute::settable("content", AttributeKind::String, "What is in it.").required(),
                Attribute::settable(
                    "mode",
                    AttributeKind::String,
                    "Permissions in octal digits; `0644`, or `0600` when the content holds a secret.",
                ),
                Attribute::computed(
                    "absolute_path",
                    AttributeKind::String,
                    "Where, from the root.",
                ),
                Attribute::computed("digest", AttributeKind::String, "BLAKE3 of the content."),
                Attribute::computed("size", AttributeKind::Number, "Bytes."),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        mode(settings, 0o644)?;
        content(settings).map(|_| ())
    }

    fn warnings(&self, context: &Context, settings: &Partial) -> Vec<String> {
        let Some(path) = settings.get("path").and_then(Partial::as_str) else {
            return Vec::new();
        };
        let parent = context.project_directory.join(path);
        let open = parent
            .parent()
            .and_then(|parent| std::fs::metadata(parent).ok())
            .is_some_and(|found| found.permissions().mode() & 0o1002 == 0o0002);
        if open {
            vec![format!(
                "everybody can replace files in the folder of `{path}`"
            )]
        } else {
            Vec::new()
        }
    }

    fn recomputes(&self) -> bool {
        true
    }

    fn make(
        &self,
        context: &Context,
        request: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        let path = resolve(context, settings)?;
        let content = content(settings)?;
        let secret = !secret::handles(&request.desired).is_empty();
        let mode = mode(settings, if secret { 0o600 } else { 0o644 })?;
        write(&path, content.as_bytes(), mode)?;
        if let Some(old) = request
            .prior
            .as_ref()
            .filter(|prior| prior.id != path.display().to_string())
        {
            remove(Path::new(&old.id))?;
        }
        // The settings as they were asked for: with handles, not with values.
        let mut attributes = attributes_of(&request.desired);
        attributes["mode"] = format!("{mode:04o}").into();
        attributes["absolute_path"] = path.display().to_string().into();
        attributes["digest"] = Digest::of(content.as_bytes()).to_string().into();
        attributes["size"] = content.len().into();
        Ok(Applied {
            id: path.display().to_string(),
            attributes,
            ..Applied::default()
        })
    }

    fn delete(&self, _: &Context, object: &Object) -> Result<(), DriverError> {
        remove(Path::new(&object.id))
    }

    fn read(&self, _: &Context, object: &Object) -> Result<Observed, DriverError> {
        let path = Path::new(&object.id);
        match open(path) {
            Ok((bytes, mode)) => Ok(seen(object, differences(object, bytes, mode))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Observed::Gone),
            // A link or a folder in its place: what was made is gone.
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(Observed::Gone),
            Err(error) => Ok(Observed::Unreachable(error.to_string())),
        }
    }

    fn import(&self, context: &Context, id: &str) -> Result<Applied, DriverError> {
        let path = resolve(context, &json!({"path": id}))?;
        let (bytes, mode) =
            open(&path).map_err(|error| unusable(&path, "imported").because(error))?;
        let text = String::from_utf8(bytes)
            .map_err(|error| unusable(&path, "imported: it is not text").because(error))?;
        let shown = path.display().to_string();
        let attributes = json!({
            "path": id, "mode": format!("{mode:04o}"), "absolute_path": shown,
            "digest": Digest::of(text.as_bytes()).to_string(), "size": text.len(), "content": text,
        });
        Ok(Applied {
            id: shown,
            attributes,
            ..Applied::default()
        })
    }
}

fn content(settings: &Value) -> Result<String, DriverError> {
    match settings.get("content") {
        Some(Value::Null) | None => Ok(String::new()),
        Some(Value::String(text)) if text.len() as u64 > MOST => {
            Err(invalid("property `content` may have 16 MiB"))
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(scalar.to_string()),
        Some(_) => Err(invalid(
            "property `content` must be text; `tojson` in an expression makes text of a value",
        )),
    }
}

/// What was seen. Content that is not what was written is shown, unless that held a secret.
fn differences(object: &Object, bytes: Vec<u8>, mode: u32) -> Value {
    let digest = Digest::of(&bytes).to_string();
    let mut found = json!({"mode": format!("{mode:04o}"), "digest": digest, "size": bytes.len()});
    if object.attributes.get("digest").and_then(Value::as_str) != Some(&digest) {
        let secret = !secret::handles(&object.desired).is_empty();
        let text = String::from_utf8(bytes).ok().filter(|_| !secret);
        found["content"] = text
            .unwrap_or_else(|| format!("(other content, digest {digest})"))
            .into();
    }
    found
}

/// Reads a file without following a link in its last part.
fn open(path: &Path) -> std::io::Result<(Vec<u8>, u32)> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(std::io::Error::from_raw_os_error(libc::ELOOP));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok((bytes, found.permissions().mode() & 0o7777))
}

/// Writes the whole or nothing: a fresh file, synced, put in the place of the old one, and the folder
/// synced. A link in the place of the file is replaced, never followed.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), DriverError> {
    let failed = |error: std::io::Error| unusable(path, "written").because(error);
    let parent = path
        .parent()
        .ok_or_else(|| unusable(path, "written: it is no file"))?;
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return Err(unusable(path, "written: a folder is there"));
    }
    let name = path
        .file_name()
        .ok_or_else(|| unusable(path, "written: it has no name"))?;
    let mut fresh: PathBuf = parent.to_owned();
    fresh.push(format!(
        ".{}.consort-{}",
        name.to_string_lossy(),
        std::process::id()
    ));
    let _ = std::fs::remove_file(&fresh);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&fresh)
        .and_then(|mut file| {
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&fresh, path))
        .and_then(|()| std::fs::File::open(parent)?.sync_all());
    written.map_err(|error| {
        let _ = std::fs::remove_file(&fresh);
        failed(error)
    })
}

fn remove(path: &Path) -> Result<(), DriverError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| unusable(path, "deleted").because(error)),
    }
}
