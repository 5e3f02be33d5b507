//! Events to a raw tree. Built with a stack of its own, so that depth is bounded by a number and not by
//! the stack of the thread.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as EventSpan, Tag as EventTag};

use super::MAX_DEPTH;
use crate::diagnostic::{Code, Diagnostic};
use crate::span::{FileId, Position, Span};

/// A value before scalars are resolved and aliases expanded.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    pub(super) tag: Option<Tag>,
    start: Position,
    end: Position,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        plain: bool,
    },
    Seq(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
    /// An anchored value or a use of it.
    Shared(Rc<Raw>),
}

/// An explicit tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    Reset,
    Override,
    /// `!!name`.
    Core(String),
    /// Any other, as written.
    Other(String),
}

impl Raw {
    /// The text of a scalar under this key of a mapping.
    pub(super) fn top_text(&self, wanted: &str) -> Option<&str> {
        match &self.kind {
            Kind::Shared(target) => target.top_text(wanted),
            Kind::Map(entries) => {
                entries
                    .iter()
                    .find_map(|(key, value)| match (&key.kind, &value.kind) {
                        (Kind::Scalar { text: name, .. }, Kind::Scalar { text, .. })
                            if name == wanted =>
                        {
                            Some(text.as_str())
                        }
                        _ => None,
                    })
            }
            Kind::Scalar { .. } | Kind::Seq(_) => None,
        }
    }
    pub(super) fn span(&self, file: FileId) -> Span {
        Span {
            file,
            start: self.start,
            end: self.end,
        }
    }
}

pub(super) fn parse(text: &str, file: FileId) -> Result<Vec<Raw>, Box<Diagnostic>> {
    let mut builder = Builder {
        file,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        documents: Vec::new(),
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| Box::new(syntax(&error, file, text)))?;
        if matches!(event, Event::StreamEnd) {
            break;
        }
        builder.event(event, span)?;
    }
    Ok(builder.documents)
}

struct Builder {
    file: FileId,
    stack: Vec<Frame>,
    /// `None` while the anchored value is still being read.
    anchors: BTreeMap<usize, Option<Rc<Raw>>>,
    documents: Vec<Raw>,
}

struct Frame {
    anchor: usize,
    tag: Option<Tag>,
    start: Position,
    items: Items,
}

enum Items {
    Seq(Vec<Raw>),
    Map {
        entries: Vec<(Raw, Raw)>,
        key: Option<Raw>,
    },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: EventSpan) -> Result<(), Box<Diagnostic>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                let (start, end) = (position(span.start), position(span.end));
                self.complete(
                    Raw {
                        kind,
                        tag: tag.map(|tag| read_tag(&tag)),
                        start,
                        end,
                    },
                    anchor,
                );
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(
                    anchor,
                    tag.map(|tag| read_tag(&tag)),
                    span,
                    Items::Seq(Vec::new()),
                )?;
            }
            Event::MappingStart(anchor, tag) => {
                let items = Items::Map {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(anchor, tag.map(|tag| read_tag(&tag)), span, items)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.alias(id, span)?,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<Tag>,
        span: EventSpan,
        items: Items,
    ) -> Result<(), Box<Diagnostic>> {
        let start = position(span.start);
        if self.stack.len() >= MAX_DEPTH {
            let span = Span {
                file: self.file,
                start,
                end: position(span.end),
            };
            return Err(Box::new(too_deep(span)));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.stack.push(Frame {
            anchor,
            tag,
            start,
            items,
        });
        Ok(())
    }

    fn close(&mut self, span: EventSpan) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let (kind, last) = match frame.items {
            Items::Seq(items) => {
                let last = items.last().map(|item| item.end);
                (Kind::Seq(items), last)
            }
            Items::Map { entries, .. } => {
                let last = entries.last().map(|(key, value)| key.end.max(value.end));
                (Kind::Map(entries), last)
            }
        };
        // The end event of a block collection stands at the next token, often lines below.
        let end = if span.start.index() == span.end.index() {
            last
        } else {
            None
        };
        let end = end.unwrap_or_else(|| position(span.end));
        self.complete(
            Raw {
                kind,
                tag: frame.tag,
                start: frame.start,
                end,
            },
            frame.anchor,
        );
    }

    fn alias(&mut self, id: usize, span: EventSpan) -> Result<(), Box<Diagnostic>> {
        let (start, end) = (position(span.start), position(span.end));
        match self.anchors.get(&id) {
            Some(Some(target)) => {
                let kind = Kind::Shared(Rc::clone(target));
                self.complete(
                    Raw {
                        kind,
                        tag: None,
                        start,
                        end,
                    },
                    0,
                );
                Ok(())
            }
            Some(None) | None => Err(Box::new(
                Diagnostic::new(
                    Code::AnchorCycle,
                    Span {
                        file: self.file,
                        start,
                        end,
                    },
                    "this alias stands inside the value that it refers to",
                )
                .help("take the alias out of the value with its anchor"),
            )),
        }
    }

    fn complete(&mut self, raw: Raw, anchor: usize) {
        let raw = if anchor > 0 {
            let (start, end) = (raw.start, raw.end);
            let shared = Rc::new(raw);
            self.anchors.insert(anchor, Some(Rc::clone(&shared)));
            Raw {
                kind: Kind::Shared(shared),
                tag: None,
                start,
                end,
            }
        } else {
            raw
        };
        match self.stack.last_mut().map(|frame| &mut frame.items) {
            None => self.documents.push(raw),
            Some(Items::Seq(items)) => items.push(raw),
            Some(Items::Map { entries, key }) => match key.take() {
                None => *key = Some(raw),
                Some(name) => entries.push((name, raw)),
            },
        }
    }
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TooDeep,
        span,
        format!("values are nested more than {MAX_DEPTH} levels deep"),
    )
}

fn position(marker: Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position {
        line: number(marker.line()),
        column: number(marker.col()).saturating_add(1),
        offset: number(marker.index()),
    }
}

fn read_tag(tag: &EventTag) -> Tag {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", "reset") => Tag::Reset,
        ("!", "override") => Tag::Override,
        ("tag:yaml.org,2002:", suffix) => Tag::Core(suffix.to_owned()),
        (handle, suffix) => Tag::Other(format!("{handle}{suffix}")),
    }
}

/// The reader's message with the place, and what usually causes it.
fn syntax(error: &saphyr_parser::ScanError, file: FileId, text: &str) -> Diagnostic {
    let start = position(*error.marker());
    let span = Span {
        file,
        start,
        end: start,
    };
    let info = error.info();
    if info.contains("recursion limit") {
        return too_deep(span);
    }
    let line = text
        .lines()
        .nth((start.line as usize).saturating_sub(1))
        .unwrap_or("");
    let diagnostic = Diagnostic::new(Code::Syntax, span, format!("this is not YAML: {info}"));
    if line.contains("${ ") {
        diagnostic.help("put an expression in single quotes: '${ … }'")
    } else if line.contains('\t') {
        diagnostic.help("YAML is indented with spaces, never with tabs")
    } else if info.contains("unknown anchor") {
        diagnostic.help("an alias `*name` needs an anchor `&name` before it in the same file")
    } else {
        diagnostic
            .help("look at the indentation, and at quotes and brackets that were not closed above")
    }
}
