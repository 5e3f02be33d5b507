//! Configs and secrets: files that services read. Text with secret tokens is never written to a disk;
//! the shim of each instance puts the values in place, in memory.

use std::path::PathBuf;

use consort_driver::{
    Applied, ApplyRequest, Context, DriverError, Observed, PlanRequest, PlannedChange,
};
use consort_model::state::Object;
use consort_model::{Address, Code, Digest, Kind, Partial, Value, Why};
use indexmap::IndexMap;
use serde_json::json;

use super::{differs, known_parts, refuse_external, shown, text_of};
use crate::error;
use crate::layout::{Layout, private};
use crate::record::{self, FILES, FileRecord};

/// A larger file is not a config.
const MOST: u64 = 16 << 20;

/// Where the content comes from.
enum From {
    File(PathBuf),
    Text(String),
}

fn from(context: &Context, address: &Address, settings: &Value) -> Result<From, DriverError> {
    refuse_external(address, settings)?;
    if let Some(path) = text_of(settings, "file") {
        return Ok(From::File(context.project_directory.join(path)));
    }
    // The loader and the planner put the value of `environment` and evaluated expressions here.
    if let Some(text) = settings.get("content").and_then(Value::as_str) {
        return Ok(From::Text(text.to_owned()));
    }
    let message = format!("{address} has no content");
    Err(DriverError::new(Code::BLUEPRINT_INVALID, message)
        .remedy("Give it `file` or `content`; `content` may be an expression, such as a generated password."))
}

pub(super) async fn plan(
    context: &Context,
    request: &PlanRequest,
) -> Result<PlannedChange, DriverError> {
    let Some(settings) = request.desired.known() else {
        refuse_external(&request.address, &known_parts(&request.desired))?;
        let name = Partial::from(Value::from(request.address.name()));
        let planned = IndexMap::from([
            ("name".to_owned(), name),
            ("fingerprint".to_owned(), Partial::Unknown(Why::Apply)),
        ]);
        return Ok(PlannedChange {
            planned: Partial::Map(planned),
            requires_replacement: Vec::new(),
            changes: true,
            warnings: Vec::new(),
        });
    };
    let (_, attributes) = content(context, &request.address, &settings).await?;
    let moved = request
        .prior
        .as_ref()
        .is_none_or(|prior| prior.attributes != attributes);
    Ok(PlannedChange {
        planned: Partial::from(attributes),
        requires_replacement: Vec::new(),
        changes: moved || differs(request),
        warnings: Vec::new(),
    })
}

/// The content, and the attributes that follow from it.
async fn content(
    context: &Context,
    address: &Address,
    settings: &Value,
) -> Result<(Vec<u8>, Value), DriverError> {
    let bytes = match from(context, address, settings)? {
        From::Text(text) => text.into_bytes(),
        From::File(path) => error::blocking(move || read_file(&path)).await??,
    };
    let attributes = json!({
        "name": text_of(settings, "name").unwrap_or_else(|| address.name()),
        "fingerprint": fingerprint(context, &bytes),
    });
    Ok((bytes, attributes))
}

/// Tells contents apart and tells nobody the content: it depends on the home, and is short.
fn fingerprint(context: &Context, bytes: &[u8]) -> String {
    let mut all = context.home.to_string().into_bytes();
    all.extend_from_slice(bytes);
    Digest::of(&all).short()
}

fn read_file(path: &std::path::Path) -> Result<Vec<u8>, DriverError> {
    let failed = || error::file(format!("{} cannot be read", path.display()));
    let found = std::fs::metadata(path).map_err(failed())?;
    if !found.is_file() || found.len() > MOST {
        return Err(failed()(std::io::Error::other(format!(
            "it is not a regular file of at most {MOST} bytes"
        ))));
    }
    std::fs::read(path).map_err(failed())
}

pub(super) async fn apply(
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    let address = &request.address;
    let (bytes, attributes) = content(context, address, &request.desired).await?;
    let record = match from(context, address, &request.desired)? {
        From::Text(text) => FileRecord::Text(text),
        // A secret stays where its owner keeps it; a config is copied, so that it changes by a plan only.
        From::File(path) if address.kind() == Kind::Secret => FileRecord::Path(shown(&path)),
        From::File(_) => FileRecord::Path(shown(&keep(context, bytes).await?)),
    };
    record::put(
        context,
        FILES,
        &record::key(context, address),
        Some(&record),
    )
    .await?;
    Ok(Applied {
        id: format!("{}/{address}", context.deployment),
        attributes,
        ..Applied::default()
    })
}

async fn keep(context: &Context, bytes: Vec<u8>) -> Result<PathBuf, DriverError> {
    let folder = Layout::of(context)?.configs();
    error::blocking(move || {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        private(&folder)?;
        let path = folder.join(Digest::of(&bytes).to_string());
        if std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(path);
        }
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o444)
            .open(&fresh)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()?;
                std::fs::rename(&fresh, &path)
            });
        written.map_err(error::file(format!("{} cannot be written", path.display())))?;
        Ok(path)
    })
    .await?
}

pub(super) async fn delete(
    context: &Context,
    request: &ApplyRequest,
) -> Result<Applied, DriverError> {
    let key = record::key(context, &request.address);
    let before = record::get::<FileRecord>(context, FILES, &key).await?;
    record::put::<FileRecord>(context, FILES, &key, None).await?;
    if let Some(FileRecord::Path(path)) = before {
        let configs = Layout::of(context)?.configs();
        // Two configs of the same content share a file.
        let others = context.facts.fact_list(FILES).await?;
        let is_shared = others.iter().any(|(_, value)| {
            serde_json::from_value::<FileRecord>(value.clone())
                .is_ok_and(|other| other == FileRecord::Path(path.clone()))
        });
        if PathBuf::from(&path).parent() == Some(configs.as_path()) && !is_shared {
            match std::fs::remove_file(&path) {
                Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error::file(format!("{path} cannot be removed"))(problem));
                }
                _ => {}
            }
            crate::layout::remove_if_empty(&configs);
        }
    }
    Ok(Applied::default())
}

pub(super) async fn read(context: &Context, object: &Object) -> Result<Observed, DriverError> {
    let found: Option<FileRecord> = record::get(context, FILES, &object.id).await?;
    Ok(match found {
        None => Observed::Gone,
        Some(FileRecord::Text(_)) => Observed::Present(object.attributes.clone()),
        Some(FileRecord::Path(path)) if std::fs::metadata(&path).is_ok() => {
            Observed::Present(object.attributes.clone())
        }
        Some(FileRecord::Path(_)) => Observed::Gone,
    })
}
