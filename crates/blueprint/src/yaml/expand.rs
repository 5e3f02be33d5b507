//! The raw tree to the tree of the loader: tags noted, aliases expanded, merge keys applied.

use super::events::{Kind, Raw, Tag, too_deep};
use super::{MAX_DEPTH, MAX_NODES, scalar};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Entry, Map, Node, Value};
use crate::span::FileId;

/// A document ready for the next stage.
#[derive(Debug, Default)]
pub struct Expansion {
    /// Its tree. [`Value::Invalid`] where a mistake was reported.
    pub root: Node,
    /// The paths of `!reset` and `!override`, without the segments of merge keys.
    pub tagged: Vec<Vec<String>>,
    /// It has more values than are allowed; the tree is not whole.
    pub too_large: bool,
}

pub(super) fn expand(raw: &Raw, file: FileId, sink: &mut Sink) -> Expansion {
    walk(raw, file, Vec::new(), sink)
}

/// As below `workflows.NAME.definition`.
pub(super) fn expand_plain(raw: &Raw, file: FileId, sink: &mut Sink) -> Expansion {
    walk(
        raw,
        file,
        ["workflows", "", "definition"].map(str::to_owned).to_vec(),
        sink,
    )
}

fn walk(raw: &Raw, file: FileId, path: Vec<String>, sink: &mut Sink) -> Expansion {
    let mut walk = Walk {
        file,
        sink,
        visits: 0,
        path,
        tagged: Vec::new(),
        stopped: false,
    };
    let root = walk.value(raw, 0).unwrap_or_default();
    Expansion {
        root,
        tagged: walk.tagged,
        too_large: walk.stopped,
    }
}

struct Walk<'a> {
    file: FileId,
    sink: &'a mut Sink,
    visits: usize,
    path: Vec<String>,
    tagged: Vec<Vec<String>>,
    stopped: bool,
}

impl Walk<'_> {
    /// The value, or nothing when it is tagged `!reset`.
    fn value(&mut self, raw: &Raw, depth: usize) -> Option<Node> {
        if let Kind::Shared(target) = &raw.kind {
            // The value keeps the place where it was written, so that messages point there.
            return self.value(target, depth);
        }
        let span = raw.span(self.file);
        let invalid = Some(Node::new(Value::Invalid, span));
        self.visits += 1;
        if self.visits > MAX_NODES {
            if !self.stopped {
                self.stopped = true;
                self.sink.push(
                    Diagnostic::new(
                        Code::TooManyNodes,
                        span,
                        format!("the document has more than {MAX_NODES} values"),
                    )
                    .label("the limit is reached here")
                    .help("each use of an alias counts as all that it stands for"),
                );
            }
            return invalid;
        }
        if depth > MAX_DEPTH {
            self.sink.push(too_deep(span));
            return invalid;
        }
        if !self.verbatim() {
            match &raw.tag {
                Some(Tag::Reset) => {
                    self.tagged.push(self.path.clone());
                    return None;
                }
                Some(Tag::Override) => self.tagged.push(self.path.clone()),
                Some(Tag::Core(_) | Tag::Other(_)) | None => {}
            }
        }
        let value = match &raw.kind {
            Kind::Scalar { text, plain } => self.scalar(raw, text, *plain),
            Kind::Seq(items) => self.sequence(raw, items, depth),
            Kind::Map(entries) => self.mapping(raw, entries, depth),
            Kind::Shared(_) => Value::Invalid,
        };
        Some(Node::new(value, span))
    }

    /// Workflow definitions are another language: below `workflows.NAME` only plain YAML counts.
    fn verbatim(&self) -> bool {
        self.path.len() > 2 && self.path[0] == "workflows"
    }

    fn scalar(&mut self, raw: &Raw, text: &str, plain: bool) -> Value {
        match &raw.tag {
            Some(tag @ (Tag::Core(_) | Tag::Other(_))) => {
                self.unknown_tag(raw);
                scalar::tagged(text, plain, tag).unwrap_or_else(|| {
                    self.bad_tag(raw);
                    Value::Invalid
                })
            }
            _ if !plain => Value::String(text.to_owned()),
            _ if self.path.first().is_some_and(|key| key == "workflows") => scalar::core(text),
            _ => scalar::compose(text),
        }
    }

    fn sequence(&mut self, raw: &Raw, items: &[Raw], depth: usize) -> Value {
        self.collection_tag(raw, "seq");
        let mut nodes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            self.path.push(index.to_string());
            let node = self.value(item, depth + 1);
            self.path.pop();
            nodes.extend(node);
            if self.stopped {
                break;
            }
        }
        Value::Seq(nodes)
    }

    fn mapping(&mut self, raw: &Raw, entries: &[(Raw, Raw)], depth: usize) -> Value {
        self.collection_tag(raw, "map");
        let mut map = Map::with_capacity(entries.len());
        let mut seen = std::collections::BTreeMap::new();
        let mut merges = Vec::new();
        for (key, value) in entries {
            if self.stopped {
                break;
            }
            let Some((name, is_merge)) = self.key(key) else {
                continue;
            };
            let span = key.span(self.file);
            if let Some(first) = seen.insert(name.clone(), span) {
                self.sink.push(
                    Diagnostic::new(
                        Code::DuplicateKey,
                        span,
                        format!("the key `{name}` is written twice"),
                    )
                    .label("again here")
                    .also(first, "first here"),
                );
                continue;
            }
            if is_merge {
                let node = self.value(value, depth + 1);
                merges.extend(node.into_iter().filter(|node| self.merge_value_fits(node)));
                continue;
            }
            self.path.push(name.clone());
            let node = self.value(value, depth + 1);
            self.path.pop();
            if let Some(node) = node {
                map.insert(name, Entry { key: span, node });
            }
        }
        merges
            .into_iter()
            .for_each(|node| merge_keys(&mut map, node));
        Value::Map(map)
    }

    /// The text of a key, and whether it is the merge key.
    fn key(&mut self, raw: &Raw) -> Option<(String, bool)> {
        let mut target = raw;
        while let Kind::Shared(next) = &target.kind {
            target = next;
        }
        let Kind::Scalar { text, plain } = &target.kind else {
            self.sink.push(
                Diagnostic::new(
                    Code::KeyNotText,
                    raw.span(self.file),
                    "a list or a mapping cannot be a key",
                )
                .help("put text that starts with `{` or `[` in quotes"),
            );
            return None;
        };
        if *plain && text == "<<" {
            return Some((text.clone(), true));
        }
        let resolved = match (&target.tag, plain) {
            (Some(tag), _) => scalar::tagged(text, *plain, tag),
            (None, true) => Some(scalar::compose(text)),
            (None, false) => Some(Value::String(text.clone())),
        };
        match resolved {
            Some(Value::String(name))
                if name == consort_model::template::DEFERRED || name == "$unknown" =>
            {
                self.sink.push(Diagnostic::new(
                    Code::ReservedKey,
                    raw.span(self.file),
                    format!("`{name}` cannot be a key"),
                ));
                None
            }
            Some(Value::String(name)) => Some((name, false)),
            other => {
                let kind = other.map_or("not text", |value| {
                    Node::new(value, crate::span::Span::NONE).kind()
                });
                self.sink.push(
                    Diagnostic::new(
                        Code::KeyNotText,
                        raw.span(self.file),
                        format!("the key `{text}` is {kind}; keys are text"),
                    )
                    .help(format!("put it in quotes: \"{text}\"")),
                );
                None
            }
        }
    }

    fn merge_value_fits(&mut self, node: &Node) -> bool {
        let fits = match &node.value {
            Value::Map(_) | Value::Invalid => true,
            Value::Seq(items) => items
                .iter()
                .all(|item| matches!(item.value, Value::Map(_) | Value::Invalid)),
            _ => false,
        };
        if !fits {
            self.sink.push(Diagnostic::new(
                Code::BadMergeKey,
                node.span,
                format!(
                    "`<<` takes a mapping or a list of mappings, not {}",
                    node.kind()
                ),
            ));
        }
        fits
    }

    fn collection_tag(&mut self, raw: &Raw, own: &str) {
        match &raw.tag {
            Some(Tag::Core(name)) if name != own => self.bad_tag(raw),
            Some(Tag::Other(_)) => self.unknown_tag(raw),
            _ => {}
        }
    }

    fn unknown_tag(&mut self, raw: &Raw) {
        if let Some(Tag::Other(name)) = &raw.tag
            && name != "!"
        {
            let diagnostic = Diagnostic::new(
                Code::TagIgnored,
                raw.span(self.file),
                format!("the tag `{name}` has no meaning and is ignored"),
            );
            self.sink
                .push(diagnostic.nearest(name, ["!reset", "!override"]));
        }
    }

    fn bad_tag(&mut self, raw: &Raw) {
        if let Some(Tag::Core(name)) = &raw.tag {
            let message = format!("the value does not fit its tag `!!{name}`");
            self.sink
                .push(Diagnostic::new(Code::BadTag, raw.span(self.file), message));
        }
    }
}

/// Adds the keys that are not there yet. Of a list, earlier mappings win.
fn merge_keys(map: &mut Map, node: Node) {
    match node.value {
        Value::Map(other) => {
            for (key, entry) in other {
                map.entry(key).or_insert(entry);
            }
        }
        Value::Seq(items) => items.into_iter().for_each(|item| merge_keys(map, item)),
        _ => {}
    }
}
