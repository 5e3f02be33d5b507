//! What all stages of a load share.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::LoadRequest;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::interpolate;
use crate::node::Node;
use crate::paths::Base;
use crate::source::{ReadError, Source};
use crate::sources::{Role, Sources};
use crate::span::{FileId, Span};
use crate::yaml::{self, Document};

/// The most files that one load reads as blueprints, counting each time that one is included.
const MAX_FILES: usize = 1_000;
/// The most values that `extends` may make.
const MAX_EXTENDED: usize = 1_000_000;

/// A set of files that are laid over each other, with the folder and the variables that they have.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) files: Vec<String>,
    pub(super) folder: String,
    pub(super) variables: BTreeMap<String, String>,
    /// The files that include this one, outermost first.
    pub(super) stack: Vec<String>,
}

/// A file that was parsed.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) id: FileId,
    pub(super) documents: Rc<Vec<Document>>,
}

pub(super) struct Loader<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) sources: Sources,
    pub(super) sink: Sink,
    home: Option<String>,
    stdin: Option<Vec<u8>>,
    parsed: BTreeMap<String, Option<Parsed>>,
    opened: usize,
    extended: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new(request: &LoadRequest, source: &'a dyn Source) -> Self {
        Self {
            source,
            sources: Sources::default(),
            sink: Sink::default(),
            home: request.env.get("HOME").cloned(),
            stdin: request.stdin.clone(),
            parsed: BTreeMap::new(),
            opened: 0,
            extended: 0,
        }
    }

    /// Where relative paths of a folder start.
    pub(super) fn resolve_paths(&self, document: &mut Node, folder: &str) {
        crate::paths::resolve(
            document,
            Base {
                folder,
                home: self.home.as_deref(),
            },
            self.source,
        );
    }

    /// The path of a file that another file names.
    pub(super) fn absolute(&self, folder: &str, path: &str) -> String {
        Base {
            folder,
            home: self.home.as_deref(),
        }
        .absolute(path)
    }

    /// The documents of a blueprint file; each file is parsed once. `from` is who names it.
    pub(super) fn open(&mut self, path: &str, from: Span) -> Option<Parsed> {
        self.opened += 1;
        if self.opened > MAX_FILES {
            let message = format!("more than {MAX_FILES} files are loaded");
            self.sink
                .push(Diagnostic::new(Code::TooManyFiles, from, message));
            return None;
        }
        if let Some(parsed) = self.parsed.get(path) {
            return parsed.clone();
        }
        let parsed = self.read_and_parse(path, from);
        self.parsed.insert(path.to_owned(), parsed.clone());
        parsed
    }

    fn read_and_parse(&mut self, path: &str, from: Span) -> Option<Parsed> {
        let (id, text) = self.read_text(path, Role::Blueprint, from)?;
        match yaml::parse(&text, id) {
            Ok(documents) => Some(Parsed {
                id,
                documents: Rc::new(documents),
            }),
            Err(diagnostic) => {
                self.sink.push(*diagnostic);
                None
            }
        }
    }

    /// The text of a file, which is remembered for messages.
    pub(super) fn read_text(
        &mut self,
        path: &str,
        role: Role,
        from: Span,
    ) -> Option<(FileId, Arc<str>)> {
        let (shown, bytes) = if path == "-" {
            ("<stdin>", self.stdin.take().ok_or(ReadError::Missing))
        } else {
            (path, self.source.read(path))
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                self.sink.push(unreadable(shown, &error, role, from));
                return None;
            }
        };
        match yaml::decode(&bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                let id = self.sources.add(shown, role, &bytes, Arc::clone(&text));
                Some((id, text))
            }
            Err(at) => {
                let lossy: Arc<str> = String::from_utf8_lossy(&bytes).into();
                let id = self.sources.add(shown, role, &bytes, lossy);
                let mut span = Span::line(id, at.line);
                span.start.column = at.column;
                span.end = span.start;
                span.end.column += 1;
                let message = format!(
                    "the file is not UTF-8 text: the byte 0x{:02x} stands here",
                    at.byte
                );
                self.sink.push(
                    Diagnostic::new(Code::NotUtf8, span, message)
                        .help("save it as UTF-8, for example: iconv -f latin1 -t utf-8 FILE"),
                );
                None
            }
        }
    }

    /// Counts the values that `extends` makes; false when there are too many.
    pub(super) fn may_extend(&mut self, size: usize, at: Span) -> bool {
        self.extended = self.extended.saturating_add(size);
        if self.extended > MAX_EXTENDED {
            let message = format!("`extends` makes more than {MAX_EXTENDED} values");
            self.sink
                .push(Diagnostic::new(Code::TooManyNodes, at, message));
        }
        self.extended <= MAX_EXTENDED
    }

    /// The last `name:` of the files, interpolated.
    pub(super) fn written_name(
        &mut self,
        files: &[String],
        variables: &BTreeMap<String, String>,
    ) -> Option<String> {
        let mut found = None;
        for file in files {
            let Some(parsed) = self.open(file, Span::NONE) else {
                continue;
            };
            let mut names = parsed.documents.iter().filter_map(Document::name);
            found = names.next_back().map(str::to_owned).or(found);
        }
        let lookup = |name: &str| variables.get(name).map(String::as_str);
        // A mistake in it is reported when the whole file is interpolated.
        interpolate::compose_only(&found?, &lookup)
            .ok()
            .map(|(name, _)| name)
    }
}

fn unreadable(path: &str, error: &ReadError, role: Role, from: Span) -> Diagnostic {
    let detail = match error {
        ReadError::Io(source) => format!("{error}: {source}"),
        other => other.to_string(),
    };
    let (code, help) = match (error, role) {
        (ReadError::TooLarge { .. }, _) => {
            (Code::FileTooLarge, "put large data into files of its own")
        }
        (ReadError::Missing, Role::Environment) => (
            Code::EnvFileMissing,
            "create it, or write `required: false`",
        ),
        (ReadError::Missing, Role::Labels) => {
            (Code::LabelFileMissing, "create it, or mend its path")
        }
        _ => (Code::Unreadable, "check the path and the permissions"),
    };
    Diagnostic::new(code, from, format!("{path} cannot be read: {detail}")).help(help)
}
