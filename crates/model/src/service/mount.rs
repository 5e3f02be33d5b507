//! Mounts of a service: `data:/b:ro`, `./src:/src`, `/cache`, or the long form.

use serde::{Deserialize, Serialize};

use crate::Value;

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or folder of the machine.
    Bind,
    /// A volume: named by `source`, or anonymous.
    Volume,
    /// A file system in memory.
    Tmpfs,
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    #[serde(rename = "type")]
    pub kind: MountKind,
    /// The path of a bind, the key of a volume; none for tmpfs and anonymous volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it appears.
    pub target: String,
    /// It cannot be written to.
    #[serde(default)]
    pub read_only: bool,
}

impl Mount {
    /// Reads a short or long form.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::parse_short(text),
            other => Self::deserialize(other)
                .map_err(|error| format!("`{other}` is not a mount: {error}")),
        }
    }

    /// Reads Compose's short form: `[SOURCE:]TARGET[:OPTIONS]`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse_short(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => (None, target, ""),
            [source, target] => (Some(source), target, ""),
            [source, target, options] => (Some(source), target, options),
            _ => {
                return Err(format!(
                    "`{text}` is not a mount; write `SOURCE:TARGET` or `SOURCE:TARGET:ro`"
                ));
            }
        };
        if target.is_empty() || source == Some("") {
            return Err(format!("`{text}` is not a mount: a part of it is empty"));
        }
        let is_path = source.is_some_and(|source| source.starts_with(['.', '/', '~']));
        Ok(Self {
            kind: if is_path {
                MountKind::Bind
            } else {
                MountKind::Volume
            },
            source: source.map(str::to_owned),
            target: target.to_owned(),
            read_only: options.split(',').any(|option| option == "ro"),
        })
    }
    /// Is this a named volume that the service can write to?
    pub fn is_writable_volume(&self) -> bool {
        self.kind == MountKind::Volume && self.source.is_some() && !self.read_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms() {
        let mount = |text| Mount::parse_short(text).unwrap();
        assert_eq!(mount("data:/b:ro,z").kind, MountKind::Volume);
        assert!(mount("data:/b:ro,z").read_only && mount("data:/b").is_writable_volume());
        assert_eq!(mount("./src:/src").kind, MountKind::Bind);
        assert_eq!(mount("/cache").source, None);
        assert!(Mount::parse_short("a:b:c:d").is_err() && Mount::parse_short(":/x").is_err());
    }
}
