//! Expressions: compiled, and what they refer to looked up.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use consort_expression::{CompileError, PathPart, Program, Scope, compile};
use consort_model::text::nearest;
use consort_model::{Address, Kind};

use super::graph::Use;
use super::{Build, locate};
use crate::diagnostic::{Code, Diagnostic};
use crate::span::Span;

/// The kinds that expressions may refer to, in the order of the docs.
const KINDS: [Kind; 8] = [
    Kind::Input,
    Kind::Local,
    Kind::Data,
    Kind::Resource,
    Kind::Service,
    Kind::Workload,
    Kind::Workflow,
    Kind::Secret,
];

type Compiled = Rc<Result<Program, CompileError>>;

impl Build<'_> {
    /// Compiles every expression and checks every reference; then looks for circles.
    pub(super) fn check_references(&mut self) {
        let scope = Scope {
            variables: Vec::new(),
            clock: false,
            files: true,
        };
        let mut programs: HashMap<String, Compiled> = HashMap::new();
        let uses = std::mem::take(&mut self.graph.uses);
        for one in &uses {
            let compiled = match programs.get(&one.text) {
                Some(compiled) => Rc::clone(compiled),
                None => {
                    let compiled = Rc::new(compile(&one.text, &scope));
                    programs.insert(one.text.clone(), Rc::clone(&compiled));
                    compiled
                }
            };
            match compiled.as_ref() {
                Ok(program) => self.check_program(one, program),
                Err(error) => self.invalid(one, error),
            }
        }
        for (address, span) in std::mem::take(&mut self.graph.pending) {
            let mistake = self.not_declared(&address);
            self.say(mistake.at(span));
        }
        self.check_for_each(&uses);
        self.check_cycles();
    }

    fn invalid(&mut self, one: &Use, error: &CompileError) {
        let span = locate::within(
            &self.loaded.sources,
            one.span,
            &one.text,
            error.span.clone(),
        );
        let diagnostic = Diagnostic::new(
            Code::InvalidExpression,
            span,
            format!("this is not a valid expression: {error}"),
        );
        self.say(match &error.hint {
            Some(hint) => diagnostic.help(hint.clone()),
            None => diagnostic,
        });
    }

    fn check_program(&mut self, one: &Use, program: &Program) {
        for reference in program.references() {
            let span = locate::within(
                &self.loaded.sources,
                one.span,
                &one.text,
                reference.span.clone(),
            );
            match self.targets(one, &reference.path) {
                Ok(targets) => targets
                    .into_iter()
                    .for_each(|target| self.graph.edge(&one.owner, target, span)),
                Err(mistake) => self.say(mistake.at(span)),
            }
        }
    }

    /// The elements that a reference names.
    fn targets(&self, one: &Use, path: &[PathPart]) -> Result<Vec<Address>, Mistake> {
        let Some(PathPart::Key(word)) = path.first() else {
            return Err(Mistake::new(
                "the expression refers to everything at once, so that its dependencies cannot be found",
                "name what it needs, for example `.resources.NAME.id`",
            ));
        };
        match word.as_str() {
            "each" => return each(one, path).map(|()| Vec::new()),
            "deployment" => return Ok(Vec::new()),
            "hosts" | "module" => {
                let help = "this version cannot carry such elements out; take the reference out"
                    .to_owned();
                return Err(Mistake {
                    code: Code::NotThereYet,
                    message: format!("`.{word}` is not there yet"),
                    help: Some(help),
                });
            }
            _ => {}
        }
        let kind = Kind::from_word(word)
            .filter(|kind| KINDS.contains(kind))
            .ok_or_else(|| unknown_root(word))?;
        match path.get(1) {
            None | Some(PathPart::Dynamic) => Ok(self
                .graph
                .addresses()
                .filter(|address| address.kind() == kind)
                .cloned()
                .collect()),
            Some(PathPart::Index(_)) => Err(Mistake::new(
                format!("`.{word}` has names, not numbers"),
                format!("write `.{word}.NAME`"),
            )),
            Some(PathPart::Key(name)) => {
                let address = Address::new(kind, name.as_str());
                let Some(declaration) = self.graph.find(&address) else {
                    return Err(self.not_declared(&address));
                };
                if declaration.has_each
                    && let (Some(keys), Some(PathPart::Key(key))) = (&declaration.keys, path.get(2))
                    && !keys.contains(key)
                {
                    return Err(unknown_instance(
                        &address,
                        key,
                        keys.iter().map(String::as_str),
                    ));
                }
                Ok(vec![address])
            }
        }
    }

    /// What to say of an address that nobody declares.
    pub(super) fn not_declared(&self, address: &Address) -> Mistake {
        let message = format!("there is no `{address}`");
        let help = if let Some(near) = nearest(address.name(), self.graph.names(address.kind())) {
            format!("did you mean `{}`?", Address::new(address.kind(), near))
        } else if address.kind() == Kind::Service
            && self.loaded.disabled.contains_key(address.name())
        {
            "no profile switches it on; use `--profile`".to_owned()
        } else if let Some(other) = self
            .graph
            .addresses()
            .find(|other| other.name() == address.name())
        {
            format!("there is `{other}`")
        } else {
            let names: Vec<&str> = self.graph.names(address.kind()).take(12).collect();
            match names.as_slice() {
                [] => format!("the blueprint declares no {} at all", address.kind()),
                names => format!("`{}` has: {}", address.kind(), names.join(", ")),
            }
        };
        Mistake {
            code: Code::UnknownReference,
            message,
            help: Some(help),
        }
    }

    /// `for_each` is needed before anything is done: it takes inputs, and locals that come from them.
    fn check_for_each(&mut self, uses: &[Use]) {
        for owner in uses.iter().filter(|one| one.for_each) {
            let Some(Ok(program)) = Some(compile(
                &owner.text,
                &Scope {
                    files: true,
                    ..Scope::default()
                },
            )) else {
                continue;
            };
            let late = program.references().iter().find_map(|reference| {
                let targets = self.targets(owner, &reference.path).ok()?;
                let late = targets.iter().find_map(|target| self.late(target))?;
                Some((late, reference.span.clone()))
            });
            if let Some((late, range)) = late {
                let span = locate::within(&self.loaded.sources, owner.span, &owner.text, range);
                let message = format!(
                    "`for_each` of `{}` depends on `{late}`, which is known too late",
                    owner.owner
                );
                self.say(
                    Diagnostic::new(Code::LateForEach, span, message)
                        .help("`for_each` takes inputs, and locals that come from inputs; or write the keys down"),
                );
            }
        }
    }

    /// The first element below this one that is neither an input nor a local.
    fn late(&self, from: &Address) -> Option<Address> {
        let mut seen: HashSet<&Address> = HashSet::new();
        let mut queue = vec![from];
        while let Some(address) = queue.pop() {
            match address.kind() {
                Kind::Input => {}
                Kind::Local => {
                    let edges = self.graph.edges.get(address).into_iter().flatten();
                    queue.extend(edges.map(|(on, _)| on).filter(|on| seen.insert(on)));
                }
                _ => return Some(address.clone()),
            }
        }
        None
    }
}

/// A mistake without its place.
#[derive(Debug)]
pub(super) struct Mistake {
    code: Code,
    message: String,
    help: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code: Code::UnknownReference,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    pub(super) fn at(self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.code, span, self.message);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

fn each(one: &Use, path: &[PathPart]) -> Result<(), Mistake> {
    if !one.each {
        return Err(Mistake::new(
            "`.each` exists only in an element with `for_each`",
            "add `for_each`, or refer to something else",
        ));
    }
    match path.get(1) {
        Some(PathPart::Key(key)) if !matches!(key.as_str(), "key" | "value") => Err(Mistake::new(
            format!("there is no `.each.{key}`"),
            "there are `.each.key` and `.each.value`",
        )),
        _ => Ok(()),
    }
}

fn unknown_root(word: &str) -> Mistake {
    let words: Vec<&str> = KINDS
        .iter()
        .map(|kind| kind.word())
        .chain(["each", "deployment"])
        .collect();
    let help = match nearest(word, words.iter().copied()) {
        Some(near) => format!("did you mean `.{near}`?"),
        None => format!("expressions may use .{}", words.join(" .")),
    };
    Mistake::new(format!("expressions cannot refer to `.{word}`"), help)
}

fn unknown_instance<'k>(
    address: &Address,
    key: &str,
    keys: impl Iterator<Item = &'k str> + Clone,
) -> Mistake {
    let help = match nearest(key, keys.clone()) {
        Some(near) => format!("did you mean `.{}`?", address.clone().with_key(near)),
        None => format!(
            "write `.{}[\"KEY\"]`; its keys are {}",
            address,
            keys.take(12).collect::<Vec<_>>().join(", ")
        ),
    };
    Mistake::new(
        format!(
            "`{address}` has an instance per key of its `for_each`, and `{key}` is none of them"
        ),
        help,
    )
}
