//! The files of one load: texts for messages, digests for the bundle.

use std::sync::Arc;

use consort_model::Digest;
use consort_model::template::Place;

use crate::span::{FileId, Span};

/// What a file was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A blueprint or Compose file.
    Blueprint,
    /// Variables: `.env`, `--env-file`, `env_file`.
    Environment,
    /// Labels: `label_file`.
    Labels,
    /// The definition of a workflow.
    Workflow,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As it was opened; `<stdin>` for standard input.
    pub path: String,
    /// What it was read as.
    pub role: Role,
    /// Of its bytes.
    pub digest: Digest,
    text: Arc<str>,
}

/// All files of a load, by [`FileId`].
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file. `text` is what its positions count in.
    pub(crate) fn add(&mut self, path: &str, role: Role, bytes: &[u8], text: Arc<str>) -> FileId {
        self.files.push(SourceFile {
            path: path.to_owned(),
            role,
            digest: Digest::of(bytes),
            text,
        });
        FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX))
    }

    /// The file of this number.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        (id.0 as usize)
            .checked_sub(1)
            .and_then(|index| self.files.get(index))
    }

    /// The file that was read last.
    pub(crate) fn last(&self) -> FileId {
        FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX))
    }

    /// The files, in the order of their reading.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The paths of the files, in the order of their reading.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }

    /// The text of a file.
    pub(crate) fn text(&self, id: FileId) -> Option<&str> {
        self.get(id).map(|file| &*file.text)
    }

    /// A line of a file, counted from 1, without its end.
    pub fn line(&self, id: FileId, line: u32) -> Option<&str> {
        let file = self.get(id)?;
        file.text.lines().nth((line as usize).checked_sub(1)?)
    }

    /// The start of a span, for the model.
    pub fn place(&self, span: Span) -> Place {
        Place {
            file: self
                .get(span.file)
                .map(|file| file.path.clone())
                .unwrap_or_default(),
            line: span.start.line,
            column: span.start.column,
        }
    }
}
