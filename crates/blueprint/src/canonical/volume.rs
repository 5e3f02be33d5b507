//! Mounts: `[SOURCE:]TARGET[:OPTIONS]` (compose-go's `format.ParseVolume`).

use crate::node::{Map, Node, Value};
use crate::paths;

/// A mount in short form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// A path or the name of a volume; empty for an anonymous volume.
    pub source: String,
    /// The path inside.
    pub target: String,
    /// `ro`.
    pub read_only: bool,
    /// `nocopy`.
    pub no_copy: bool,
    /// `rprivate` and its kin; `bind` only.
    pub propagation: Option<String>,
    /// `z` or `Z`.
    pub selinux: Option<String>,
    /// The two or fewer characters of a target that stands alone: Compose gives it no settings.
    bare: bool,
}

/// Why a mount could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// Nothing is there.
    #[error("a mount cannot be empty: [SOURCE:]TARGET[:OPTIONS]")]
    Empty,
    /// `a::b`.
    #[error("a part between two colons of the mount `{0}` is empty")]
    EmptyPart(String),
    /// `a:b:c:d`.
    #[error("the mount `{0}` has too many colons: [SOURCE:]TARGET[:OPTIONS]")]
    TooManyColons(String),
}

/// Reads a short form. A single letter before a colon is taken as a Windows drive, as in Compose.
///
/// # Errors
/// When a part is empty or there are too many.
pub fn parse(spec: &str) -> Result<Mount, MountError> {
    if spec.is_empty() {
        return Err(MountError::Empty);
    }
    if spec.len() <= 2 {
        return Ok(Mount {
            target: spec.to_owned(),
            bare: true,
            ..Mount::default()
        });
    }
    let mut mount = Mount::default();
    let parts = split(spec);
    let last = parts.len() - 1;
    for (index, part) in parts.iter().enumerate() {
        if part.is_empty() {
            return Err(MountError::EmptyPart(spec.to_owned()));
        }
        if mount.source.is_empty() && index == last {
            mount.target.clone_from(part);
        } else if mount.source.is_empty() {
            mount.source.clone_from(part);
        } else if mount.target.is_empty() {
            mount.target.clone_from(part);
        } else if index < last {
            return Err(MountError::TooManyColons(spec.to_owned()));
        } else {
            part.split(',').for_each(|option| mount.option(option));
        }
    }
    Ok(mount)
}

/// Splits at colons, except after a lone letter.
fn split(spec: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in spec.chars() {
        let current = parts.last_mut().map_or("", |part| part.as_str());
        let drive =
            c == ':' && current.chars().count() == 1 && current.chars().all(char::is_alphabetic);
        if c == ':' && !drive {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

impl Mount {
    /// Unknown options are ignored, as in Compose.
    fn option(&mut self, option: &str) {
        match option {
            "ro" => self.read_only = true,
            "rw" => self.read_only = false,
            "nocopy" => self.no_copy = true,
            "z" | "Z" => self.selinux = Some(option.to_owned()),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                self.propagation = Some(option.to_owned());
            }
            _ => {}
        }
    }

    /// Whether the source is a path of the host.
    pub fn is_bind(&self) -> bool {
        let mut chars = self.source.chars();
        match chars.next() {
            Some('.' | '/' | '~') => true,
            Some(first) => {
                self.source.starts_with("\\\\")
                    || (first.is_alphabetic() && chars.next() == Some(':'))
            }
            None => false,
        }
    }

    /// The long form, standing where the short one stood.
    pub(super) fn to_node(&self, from: &Node) -> Node {
        let mut node = Node {
            value: Value::Map(Map::new()),
            ..from.clone()
        };
        let text = |text: &str| from.with(Value::String(text.to_owned()));
        let bind = self.is_bind();
        node.set("type", text(if bind { "bind" } else { "volume" }));
        if !self.source.is_empty() {
            node.set("source", text(&self.source));
        }
        node.set("target", text(&paths::clean(&self.target)));
        if self.read_only {
            node.set("read_only", from.with(Value::Bool(true)));
        }
        let mut settings = Node {
            value: Value::Map(Map::new()),
            ..from.clone()
        };
        if bind || self.propagation.is_some() || self.selinux.is_some() {
            if let Some(selinux) = &self.selinux {
                settings.set("selinux", text(selinux));
            }
            if let Some(propagation) = &self.propagation {
                settings.set("propagation", text(propagation));
            }
            if bind {
                settings.set("create_host_path", from.with(Value::Bool(true)));
            }
            node.set("bind", settings.clone());
        }
        if self.no_copy {
            let mut volume = from.with(Value::Map(Map::new()));
            volume.set("nocopy", from.with(Value::Bool(true)));
            node.set("volume", volume);
        } else if !bind && !self.bare {
            node.set("volume", from.with(Value::Map(Map::new())));
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read_as_compose_reads_them() {
        let table = [
            ("data:/b:ro,z", "data", "/b", false),
            ("/d", "", "/d", false),
            ("./a:/a", "./a", "/a", true),
            ("~/a:/a", "~/a", "/a", true),
            ("a:/a", "", "a:/a", false),
            ("v:/c:nocopy", "v:/c", "nocopy", true),
            ("C:\\x:/x", "C:\\x", "/x", true),
            ("\\\\pipe:/x", "\\\\pipe", "/x", true),
            ("/srv", "", "/srv", false),
        ];
        for (spec, source, target, bind) in table {
            let mount = parse(spec).unwrap();
            assert_eq!(
                (
                    mount.source.as_str(),
                    mount.target.as_str(),
                    mount.is_bind()
                ),
                (source, target, bind),
                "{spec}"
            );
        }
        for spec in ["", "aa::/b", ":/bb", "/aa:/b:ro:rw", "aa:"] {
            assert!(parse(spec).is_err(), "{spec}");
        }
    }
}
