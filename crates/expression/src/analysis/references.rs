//! Which parts of its input and variables an expression may read: found by following paths through
//! pipes, variables and definitions. What cannot be followed is reported as its longest known prefix,
//! so a dependency is never missed.

use std::ops::Range;
use std::rc::Rc;

use super::sources::{MAX_SOURCES, Root, Source, Sources, merge};
use crate::scope::Scope;
use crate::syntax::{
    BinaryOp, Def, Opt, Part, Pattern, PatternOf, StrPartOf, Term, TermOf, literal_integer,
    literal_string, span_in, visit,
};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPart {
    /// Into an object.
    Key(String),
    /// Into an array; negative numbers count from its end.
    Index(i64),
    /// Somewhere that is known only when the expression runs.
    Dynamic,
}

/// A path from the input that an expression may read, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// From `.`; empty for the whole input.
    pub path: Vec<PathPart>,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
}

/// A path from a variable that an expression may read, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableReference {
    /// The variable, without `$`.
    pub name: String,
    /// From the variable; empty for the whole.
    pub path: Vec<PathPart>,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
}

/// All references, sorted by path, each once.
pub(crate) fn find(
    text: &str,
    term: &Term<'_>,
    scope: &Scope,
) -> (Vec<Reference>, Vec<VariableReference>) {
    let mut finder = Finder {
        text,
        scope,
        found: Vec::new(),
        steps: MAX_STEPS,
        depth: 0,
        exhausted: false,
    };
    let environment = Environment(None);
    let output = finder.term(term, &Input::new(Root::Input), &environment, 0);
    finder.read(output);
    if finder.exhausted {
        finder.everything();
    }
    split(text, finder.found)
}

fn split(text: &str, found: Sources) -> (Vec<Reference>, Vec<VariableReference>) {
    let mut references = Vec::new();
    let mut variables = Vec::new();
    for Source { root, path, span } in found {
        let span = span.unwrap_or(0..text.len());
        match root {
            Root::Input => references.push(Reference { path, span }),
            Root::Variable(name) => variables.push(VariableReference {
                name: name.to_string(),
                path,
                span,
            }),
        }
    }
    references.sort_by(|a: &Reference, b| a.path.cmp(&b.path));
    variables.sort_by(|a: &VariableReference, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    (references, variables)
}

/// Terms looked at, definitions of the library included. Beyond, everything counts as read.
const MAX_STEPS: usize = 20_000;
/// How deep terms are looked into, through calls too. Beyond, everything counts as read. A term alone
/// is less deep, see [`crate::limits::MAX_CHAIN`].
const MAX_DEPTH: usize = 600;
/// How deep calls are followed. Beyond, their input counts as read.
const MAX_CALLS: usize = 12;

/// The value that a term gets, and whether anything looked at it.
struct Input {
    sources: Sources,
    taken: std::cell::Cell<bool>,
}

impl Input {
    fn new(root: Root) -> Self {
        Self::of(vec![Source {
            root,
            path: Vec::new(),
            span: None,
        }])
    }
    fn of(sources: Sources) -> Self {
        Self {
            sources,
            taken: std::cell::Cell::new(false),
        }
    }
    fn made() -> Self {
        Self::of(Vec::new())
    }
    fn take(&self) -> Sources {
        self.taken.set(true);
        self.sources.clone()
    }
}

/// Names in scope, innermost first, as a list shared by closures.
#[derive(Clone)]
struct Environment<'a, 't>(Option<Rc<Frame<'a, 't>>>);

struct Frame<'a, 't> {
    binding: Binding<'a, 't>,
    outer: Environment<'a, 't>,
}

enum Binding<'a, 't> {
    Variable(&'t str, Sources),
    /// The environment of a definition is the frame itself, so that it may call itself.
    Definition(&'a Def<'t>),
    Closure(&'t str, &'a Term<'t>, Environment<'a, 't>),
}

impl<'a, 't> Environment<'a, 't> {
    fn with(&self, binding: Binding<'a, 't>) -> Self {
        Self(Some(Rc::new(Frame {
            binding,
            outer: self.clone(),
        })))
    }

    fn find<T>(&self, mut test: impl FnMut(&Binding<'a, 't>, &Self) -> Option<T>) -> Option<T> {
        let mut at = self;
        while let Some(frame) = &at.0 {
            if let Some(found) = test(&frame.binding, at) {
                return Some(found);
            }
            at = &frame.outer;
        }
        None
    }
}

enum Callee<'a, 't> {
    Definition(&'a Def<'t>, Environment<'a, 't>),
    Closure(&'a Term<'t>, Environment<'a, 't>),
}

struct Finder<'t, 's> {
    text: &'t str,
    scope: &'s Scope,
    found: Sources,
    steps: usize,
    depth: usize,
    exhausted: bool,
}

impl<'t> Finder<'t, '_> {
    /// These values are looked at as a whole.
    fn read(&mut self, sources: Sources) {
        merge(&mut self.found, sources);
    }

    fn everything(&mut self) {
        let roots = self
            .scope
            .variables
            .iter()
            .map(|name| Root::Variable(name.as_str().into()));
        let all = roots.chain([Root::Input]).map(|root| Source {
            root,
            path: Vec::new(),
            span: None,
        });
        let all = all.collect();
        self.read(all);
    }

    fn span(&self, part: &str) -> Option<Range<usize>> {
        let span = span_in(self.text, part)?;
        let dotted = self.text[..span.start].ends_with('.');
        Some(span.start - usize::from(dotted)..span.end)
    }

    /// What a term yields; all that it looks at is recorded.
    fn term<'a>(
        &mut self,
        term: &'a Term<'t>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        if self.steps == 0 || self.depth > MAX_DEPTH {
            self.exhausted = true;
            return Vec::new();
        }
        self.steps -= 1;
        self.depth += 1;
        let yielded = self.inner(term, input, env, calls);
        self.depth -= 1;
        yielded
    }

    fn inner<'a>(
        &mut self,
        term: &'a Term<'t>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        match term {
            TermOf::Id => input.take(),
            TermOf::Var(name) => self.variable(name, env),
            TermOf::Path(head, path) => {
                let head = self.term(head, input, env, calls);
                self.path(head, &path.0, input, env, calls)
            }
            TermOf::Str(None, parts)
                if !parts.iter().any(|part| matches!(part, StrPartOf::Term(_))) =>
            {
                Vec::new()
            }
            TermOf::Num(_) | TermOf::Break(_) | TermOf::Arr(None) => Vec::new(),
            TermOf::BinOp(left, op, right) => self.operator(left, op, right, input, env, calls),
            TermOf::TryCatch(body, catch) => {
                let mut yielded = self.term(body, input, env, calls);
                if let Some(catch) = catch {
                    // What the message shows has been recorded where the error comes from.
                    merge(&mut yielded, self.term(catch, &Input::made(), env, calls));
                }
                yielded
            }
            TermOf::IfThenElse(branches, otherwise) => {
                self.branches(branches, otherwise.as_deref(), input, env, calls)
            }
            TermOf::Label(_, body) => self.term(body, input, env, calls),
            TermOf::Def(definitions, body) => {
                let mut env = env.clone();
                for definition in definitions {
                    env = env.with(Binding::Definition(definition));
                }
                self.term(body, input, &env, calls)
            }
            TermOf::Fold(_, source, pattern, arguments) => {
                self.fold(source, pattern, arguments, input, env, calls)
            }
            TermOf::Call(name, arguments) => self.call(name, arguments, input, env, calls),
            TermOf::Obj(entries) => {
                for (key, value) in entries {
                    self.entry(key, value.as_ref(), input, env, calls);
                }
                Vec::new()
            }
            TermOf::Recurse => {
                self.read(input.take());
                Vec::new()
            }
            TermOf::Str(..) | TermOf::Arr(Some(_)) | TermOf::Neg(_) => {
                visit::children(term, &mut |child| {
                    let yielded = self.term(child, input, env, calls);
                    self.read(yielded);
                });
                Vec::new()
            }
        }
    }

    fn variable(&mut self, name: &'t str, env: &Environment<'_, 't>) -> Sources {
        let local = env.find(|binding, _| match binding {
            Binding::Variable(known, sources) if *known == name => Some(sources.clone()),
            _ => None,
        });
        local.unwrap_or_else(|| {
            let root = Root::Variable(name.strip_prefix('$').unwrap_or(name).into());
            vec![Source {
                root,
                path: Vec::new(),
                span: self.span(name),
            }]
        })
    }

    fn path<'a>(
        &mut self,
        mut at: Sources,
        parts: &'a [(Part<Term<'t>>, Opt)],
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        for (part, _) in parts {
            at = match part {
                Part::Index(index) => {
                    let (part, span) = self.index(index, input, env, calls);
                    at.iter()
                        .map(|source| source.extended(part.clone(), span.as_ref()))
                        .collect()
                }
                Part::Range(None, None) => at
                    .iter()
                    .map(|source| source.extended(PathPart::Dynamic, None))
                    .collect(),
                Part::Range(from, to) => {
                    for bound in from.iter().chain(to) {
                        let yielded = self.term(bound, input, env, calls);
                        self.read(yielded);
                    }
                    // Positions in a slice are not those of the whole.
                    self.read(at);
                    Vec::new()
                }
            };
        }
        at
    }

    fn index<'a>(
        &mut self,
        index: &'a Term<'t>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> (PathPart, Option<Range<usize>>) {
        if let Some(key) = literal_string(index) {
            let TermOf::Str(_, parts) = index else {
                return (PathPart::Key(key), None);
            };
            let span = parts.iter().find_map(|part| match part {
                StrPartOf::Str(text) => self.span(text),
                _ => None,
            });
            return (PathPart::Key(key), span);
        }
        if let Some(number) = literal_integer(index) {
            return (PathPart::Index(number), None);
        }
        let yielded = self.term(index, input, env, calls);
        self.read(yielded);
        (PathPart::Dynamic, None)
    }

    fn operator<'a>(
        &mut self,
        left: &'a Term<'t>,
        op: &'a BinaryOp<&'t str>,
        right: &'a Term<'t>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        match op {
            BinaryOp::Pipe(None) => {
                let piped = Input::of(self.term(left, input, env, calls));
                let yielded = self.term(right, &piped, env, calls);
                if !piped.taken.get() {
                    // Nobody looks at the values, but how many there are still counts.
                    self.read(piped.sources);
                }
                yielded
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let bound = self.term(left, input, env, calls);
                let inner = self.bind(pattern, bound.clone(), input, env, calls);
                let yielded = self.term(right, input, &inner, calls);
                // Nobody may look at the variable, but how many values it has still counts.
                let unseen =
                    |source: &Source| !covered(&self.found, source) && !covered(&yielded, source);
                let ignored = bound.into_iter().filter(unseen).collect();
                self.read(ignored);
                yielded
            }
            BinaryOp::Comma | BinaryOp::Alt => {
                let mut yielded = self.term(left, input, env, calls);
                merge(&mut yielded, self.term(right, input, env, calls));
                if yielded.len() > MAX_SOURCES {
                    self.read(yielded.clone());
                }
                yielded
            }
            BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                for side in [left, right] {
                    let yielded = self.term(side, input, env, calls);
                    self.read(yielded);
                }
                Vec::new()
            }
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                // The result is the whole input with changes.
                self.read(input.take());
                let whole = Input::of(input.sources.clone());
                for side in [left, right] {
                    let yielded = self.term(side, &whole, env, calls);
                    self.read(yielded);
                }
                Vec::new()
            }
        }
    }

    fn branches<'a>(
        &mut self,
        branches: &'a [(Term<'t>, Term<'t>)],
        otherwise: Option<&'a Term<'t>>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        let mut yielded = Vec::new();
        for (condition, then) in branches {
            let tested = self.term(condition, input, env, calls);
            self.read(tested);
            merge(&mut yielded, self.term(then, input, env, calls));
        }
        let rest = match otherwise {
            Some(otherwise) => self.term(otherwise, input, env, calls),
            None => input.take(),
        };
        merge(&mut yielded, rest);
        yielded
    }

    fn entry<'a>(
        &mut self,
        key: &'a Term<'t>,
        value: Option<&'a Term<'t>>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) {
        let yielded = match (key, value) {
            // `{$x}`
            (TermOf::Var(_), None) => self.term(key, input, env, calls),
            // `{a}` is `{a: .a}`
            (key, None) => {
                let (part, span) = self.index(key, input, env, calls);
                input
                    .take()
                    .iter()
                    .map(|source| source.extended(part.clone(), span.as_ref()))
                    .collect()
            }
            (key, Some(value)) => {
                let named = self.term(key, input, env, calls);
                self.read(named);
                self.term(value, input, env, calls)
            }
        };
        self.read(yielded);
    }

    /// Binds the variables of a pattern to the parts of what it takes apart.
    fn bind<'a>(
        &mut self,
        pattern: &'a Pattern<'t>,
        bound: Sources,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Environment<'a, 't> {
        match pattern {
            PatternOf::Var(name) => env.with(Binding::Variable(name, bound)),
            PatternOf::Arr(items) => {
                let mut inner = env.clone();
                for (at, item) in items.iter().enumerate() {
                    let part = PathPart::Index(at as i64);
                    let element = bound
                        .iter()
                        .map(|source| source.extended(part.clone(), None))
                        .collect();
                    inner = self.bind(item, element, input, &inner, calls);
                }
                inner
            }
            PatternOf::Obj(entries) => {
                let mut inner = env.clone();
                for (key, item) in entries {
                    let (part, span) = self.index(key, input, &inner, calls);
                    let element = bound
                        .iter()
                        .map(|source| source.extended(part.clone(), span.as_ref()))
                        .collect();
                    inner = self.bind(item, element, input, &inner, calls);
                }
                inner
            }
        }
    }

    fn fold<'a>(
        &mut self,
        source: &'a Term<'t>,
        pattern: &'a Pattern<'t>,
        arguments: &'a [Term<'t>],
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        let bound = self.term(source, input, env, calls);
        // How many there are counts, whether or not the variables are used.
        self.read(bound.clone());
        let inner = self.bind(pattern, bound, input, env, calls);
        for (at, argument) in arguments.iter().enumerate() {
            // After the first, the input is what the fold made from what is recorded here.
            let yielded = match at {
                0 => self.term(argument, input, env, calls),
                _ => self.term(argument, &Input::made(), &inner, calls),
            };
            self.read(yielded);
        }
        Vec::new()
    }

    fn call<'a>(
        &mut self,
        name: &'t str,
        arguments: &'a [Term<'t>],
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        let callee = env.find(|binding, frame| match binding {
            Binding::Definition(definition)
                if definition.name == name && definition.args.len() == arguments.len() =>
            {
                Some(Callee::Definition(definition, frame.clone()))
            }
            Binding::Closure(known, term, closed) if *known == name && arguments.is_empty() => {
                Some(Callee::Closure(term, closed.clone()))
            }
            _ => None,
        });
        match callee {
            Some(_) if calls >= MAX_CALLS => self.opaque_call(arguments, input, env, calls),
            Some(Callee::Closure(term, closed)) => self.term(term, input, &closed, calls + 1),
            Some(Callee::Definition(definition, frame)) => {
                let inner = self.arguments(definition, arguments, frame, input, env, calls);
                self.term(&definition.body, input, &inner, calls + 1)
            }
            None => self.library_call(name, arguments, input, env, calls),
        }
    }

    fn arguments<'a>(
        &mut self,
        definition: &'a Def<'t>,
        arguments: &'a [Term<'t>],
        mut inner: Environment<'a, 't>,
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Environment<'a, 't> {
        for (name, argument) in definition.args.iter().zip(arguments) {
            inner = inner.with(if name.starts_with('$') {
                let value = self.term(argument, input, env, calls);
                self.read(value.clone());
                Binding::Variable(name, value)
            } else {
                Binding::Closure(name, argument, env.clone())
            });
        }
        inner
    }

    /// Functions of the library that hand on parts of their input are followed; for all others the
    /// whole input counts as read.
    fn library_call<'a>(
        &mut self,
        name: &'t str,
        arguments: &'a [Term<'t>],
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        match (name, arguments) {
            ("empty" | "true" | "false" | "null" | "now" | "infinite" | "nan", []) => Vec::new(),
            ("first", []) => self.positions(input, PathPart::Index(0)),
            ("last", []) => self.positions(input, PathPart::Index(-1)),
            (
                "values" | "scalars" | "strings" | "numbers" | "objects" | "arrays" | "iterables"
                | "booleans",
                [],
            ) => input.take(),
            ("select", [condition]) => {
                let tested = self.term(condition, input, env, calls);
                self.read(tested);
                input.take()
            }
            ("first" | "last", [stream]) => self.term(stream, input, env, calls),
            ("limit" | "skip" | "nth", [count, stream]) => {
                let counted = self.term(count, input, env, calls);
                self.read(counted);
                self.term(stream, input, env, calls)
            }
            ("map" | "any" | "all" | "add", [each]) => {
                let element = if name == "add" {
                    input.take()
                } else {
                    self.positions(input, PathPart::Dynamic)
                };
                let element = Input::of(element);
                let yielded = self.term(each, &element, env, calls);
                if !element.taken.get() {
                    self.read(element.sources);
                }
                self.read(yielded);
                Vec::new()
            }
            ("has", [key]) => {
                // Whether it is there is as much a dependency as what it is.
                let (part, span) = self.index(key, input, env, calls);
                let there = input
                    .take()
                    .iter()
                    .map(|source| source.extended(part.clone(), span.as_ref()))
                    .collect();
                self.read(there);
                Vec::new()
            }
            (
                "error" | "file" | "template" | "cidrhost" | "cidrsubnet" | "cidrnetmask"
                | "cidrcontains",
                [_, ..],
            ) => {
                for argument in arguments {
                    let yielded = self.term(argument, input, env, calls);
                    self.read(yielded);
                }
                Vec::new()
            }
            _ => self.opaque_call(arguments, input, env, calls),
        }
    }

    fn positions(&mut self, input: &Input, part: PathPart) -> Sources {
        input
            .take()
            .iter()
            .map(|source| source.extended(part.clone(), None))
            .collect()
    }

    /// A function that may do anything with its input: arguments get parts of it, or what it made.
    fn opaque_call<'a>(
        &mut self,
        arguments: &'a [Term<'t>],
        input: &Input,
        env: &Environment<'a, 't>,
        calls: usize,
    ) -> Sources {
        self.read(input.take());
        for argument in arguments {
            let yielded = self.term(argument, &Input::made(), env, calls);
            self.read(yielded);
        }
        Vec::new()
    }
}

/// One of these is the source or below it.
fn covered(known: &Sources, source: &Source) -> bool {
    known
        .iter()
        .any(|known| known.root == source.root && known.path.starts_with(&source.path))
}
