//! Follows values through the terms of a program. Calls are in [`super::calls`].

use std::ops::Range;

use super::bindings::{Binding, Environment, Input};
use super::references::PathPart;
use super::sources::{MAX_SOURCES, Root, Source, Sources, merge};
use crate::scope::Scope;
use crate::syntax::{
    BinaryOp, Opt, Part, Pattern, PatternOf, StrPartOf, Term, TermOf, literal_integer,
    literal_string, span_in, visit,
};

/// Terms looked at, definitions of the library included. Beyond, everything counts as read.
const MAX_STEPS: usize = 20_000;
/// How deep terms are looked into, through calls too. Beyond, everything counts as read. A term alone
/// is less deep, see [`crate::limits::MAX_CHAIN`].
const MAX_DEPTH: usize = 300;

/// Follows values through a program and records what is read.
pub(super) struct Finder<'t, 's> {
    text: &'t str,
    scope: &'s Scope,
    found: Sources,
    steps: usize,
    depth: usize,
    /// Something was not looked at: everything counts as read.
    pub(super) exhausted: bool,
    /// Definitions whose bodies are being followed, by their place in memory.
    pub(super) open: Vec<usize>,
}

impl<'t, 's> Finder<'t, 's> {
    /// All places that a program may read.
    pub(super) fn run(text: &'t str, term: &Term<'t>, scope: &'s Scope) -> Sources {
        let mut finder = Finder {
            text,
            scope,
            found: Vec::new(),
            steps: MAX_STEPS,
            depth: 0,
            exhausted: false,
            open: Vec::new(),
        };
        let input = Input::new(Root::Input);
        let output = finder.term(term, &input, &Environment::empty(), 0);
        finder.read(output);
        if finder.exhausted {
            finder.everything();
        }
        finder.found
    }

    /// These values are looked at as a whole.
    pub(super) fn read(&mut self, sources: Sources) {
        merge(&mut self.found, sources);
    }

    pub(super) fn everything(&mut self) {
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

    pub(super) fn span(&self, part: &str) -> Option<Range<usize>> {
        let span = span_in(self.text, part)?;
        let dotted = self.text[..span.start].ends_with('.');
        Some(span.start - usize::from(dotted)..span.end)
    }

    /// What a term yields; all that it looks at is recorded.
    pub(super) fn term<'a>(
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

    pub(super) fn inner<'a>(
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

    pub(super) fn variable(&mut self, name: &'t str, env: &Environment<'_, 't>) -> Sources {
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

    pub(super) fn path<'a>(
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

    pub(super) fn index<'a>(
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

    pub(super) fn operator<'a>(
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

    pub(super) fn branches<'a>(
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

    pub(super) fn entry<'a>(
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
    pub(super) fn bind<'a>(
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

    pub(super) fn fold<'a>(
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
}

/// One of these is the source or below it.
fn covered(known: &Sources, source: &Source) -> bool {
    known
        .iter()
        .any(|known| known.root == source.root && known.path.starts_with(&source.path))
}
