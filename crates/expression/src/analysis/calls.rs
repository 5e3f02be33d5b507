//! Follows values through calls: of local definitions, of arguments, of the library.

use super::bindings::{Binding, Callee, Environment, Input};
use super::finder::Finder;
use super::references::PathPart;
use super::sources::Sources;
use crate::syntax::{Def, Term};

/// How deep calls are followed.
const MAX_CALLS: usize = 12;

impl<'t> Finder<'t, '_> {
    pub(super) fn call<'a>(
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
            Some(Callee::Closure(..)) if calls >= MAX_CALLS => {
                self.exhausted = true;
                Vec::new()
            }
            Some(Callee::Closure(term, closed)) => self.term(term, input, &closed, calls + 1),
            Some(Callee::Definition(definition, frame)) => {
                let place = std::ptr::from_ref(definition) as usize;
                if calls >= MAX_CALLS {
                    // A definition that calls itself has been followed before: what it captures is
                    // known, and its input is read as a whole.
                    self.exhausted |= !self.open.contains(&place);
                    return self.opaque_call(arguments, input, env, calls);
                }
                let inner = self.arguments(definition, arguments, frame, input, env, calls);
                self.open.push(place);
                let yielded = self.term(&definition.body, input, &inner, calls + 1);
                self.open.pop();
                yielded
            }
            None => self.library_call(name, arguments, input, env, calls),
        }
    }

    pub(super) fn arguments<'a>(
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
    pub(super) fn library_call<'a>(
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

    pub(super) fn positions(&mut self, input: &Input, part: PathPart) -> Sources {
        input
            .take()
            .iter()
            .map(|source| source.extended(part.clone(), None))
            .collect()
    }

    /// A function that may do anything with its input: arguments get parts of it, or what it made.
    pub(super) fn opaque_call<'a>(
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
