//! Volumes: folders whose content outlives instances.

use std::path::{Path, PathBuf};

use consort_driver::{
    Applied, ApplyRequest, Context, DriverError, Observed, PlanRequest, PlannedChange,
};
use consort_model::state::Object;
use consort_model::{Address, Code, Digest, Partial, Value, Why};
use indexmap::IndexMap;
use serde_json::json;

use super::{differs, known_parts, refuse_external, shown, text_of};
use crate::error;
use crate::layout::{Layout, private, remove_if_empty, remove_tree};
use crate::record::{self, FILES, FileRecord};

pub(super) fn plan(context: &Context, request: &PlanRequest) -> Result<PlannedChange, DriverError> {
    let settings = known_parts(&request.desired);
    refuse_external(&request.address, &settings)?;
    let planned = match request.desired.known() {
        Some(settings) => Partial::from(attributes(context, &request.address, &settings)?),
        None => {
            let unknown =
                ["name", "path"].map(|key| (key.to_owned(), Partial::Unknown(Why::Apply)));
            Partial::Map(IndexMap::from(unknown))
        }
    };
    let before = request
        .prior
        .as_ref()
        .and_then(|prior| text_of(&prior.attributes, "path"));
    let moves = matches!((before, planned.get("path").and_then(Partial::as_str)), (Some(a), Some(b)) if a != b);
    Ok(PlannedChange {
        planned,
        // Another folder holds other data: people must see that.
        requires_replacement: if moves {
            vec!["driver_opts".into()]
        } else {
            Vec::new()
        },
        changes: differs(request),
        warnings: Vec::new(),
    })
}

/// The folder: that of a local bind, else one in the home.
fn folder(context: &Context, address: &Address, settings: &Value) -> Result<PathBuf, DriverError> {
    let options = settings.get("driver_opts").filter(|value| !value.is_null());
    if let Some(options) =
        options.filter(|options| options.as_object().is_some_and(|map| !map.is_empty()))
    {
        let is_bind = text_of(options, "o")
            .is_some_and(|o| o.split(',').any(|part| part == "bind" || part == "rbind"));
        let device = text_of(options, "device").filter(|_| is_bind);
        return match device {
            Some(device) => Ok(context.project_directory.join(device)),
            None => Err(DriverError::new(
                Code::BLUEPRINT_INVALID,
                format!("`driver_opts` of {address} asks for something other than a bound folder"),
            )
            .remedy("Leave `driver_opts` out, or write `{type: none, o: bind, device: PATH}`.")),
        };
    }
    Ok(Layout::of(context)?.volumes().join(folder_name(address)))
}

/// The name where it is plain; else one that is, and stays unique.
fn folder_name(address: &Address) -> String {
    let name = crate::holder::name_of(address);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 128
        && !name.starts_with('.')
        && name.bytes().all(plain)
        && address.key().is_none()
    {
        name
    } else {
        format!("v-{}", Digest::of(address.to_string().as_bytes()).short())
    }
}

fn attributes(
    context: &Context,
    address: &Address,
    settings: &Value,
) -> Result<Value, DriverError> {
    let path = folder(context, address, settings)?;
    Ok(
        json!({"name": text_of(settings, "name").unwrap_or_else(|| address.name()), "path": shown(&path)}),
    )
}

pub(super) async fn apply(
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    refuse_external(&request.address, &request.desired)?;
    let path = folder(context, &request.address, &request.desired)?;
    let is_ours = path.starts_with(Layout::of(context)?.volumes());
    if is_ours {
        private(&path)?;
    } else {
        std::fs::create_dir_all(&path)
            .map_err(error::file(format!("{} cannot be made", path.display())))?;
    }
    let key = record::key(context, &request.address);
    record::put(context, FILES, &key, Some(&FileRecord::Path(shown(&path)))).await?;
    Ok(Applied {
        id: shown(&path),
        attributes: attributes(context, &request.address, &request.desired)?,
        ..Applied::default()
    })
}

/// Removes the folder with its data; a bound folder belongs to others and stays.
pub(super) async fn delete(
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    let volumes = Layout::of(context)?.volumes();
    let path = match &request.prior {
        Some(object) => PathBuf::from(&object.id),
        None => volumes.join(folder_name(&request.address)),
    };
    if path.parent() == Some(Path::new(&volumes)) {
        error::blocking(move || remove_tree(&path)).await??;
        remove_if_empty(&volumes);
        remove_if_empty(&Layout::of(context)?.deployment());
    }
    record::put::<FileRecord>(
        context,
        FILES,
        &record::key(context, &request.address),
        None,
    )
    .await?;
    Ok(Applied::default())
}

pub(super) fn read(object: &Object) -> Result<Observed, DriverError> {
    match std::fs::metadata(&object.id) {
        Ok(found) if found.is_dir() => Ok(Observed::Present(object.attributes.clone())),
        Ok(_) => Ok(Observed::Gone),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(Observed::Gone),
        Err(problem) => Ok(Observed::Unreachable(format!("{}: {problem}", object.id))),
    }
}
