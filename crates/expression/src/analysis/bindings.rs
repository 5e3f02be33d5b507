//! What names and inputs stand for while references are followed.

use std::rc::Rc;

use super::sources::{Root, Source, Sources};
use crate::syntax::{Def, Term};

/// The value that a term gets, and whether anything looked at it.
pub(super) struct Input {
    pub(super) sources: Sources,
    pub(super) taken: std::cell::Cell<bool>,
}

impl Input {
    pub(super) fn new(root: Root) -> Self {
        Self::of(vec![Source {
            root,
            path: Vec::new(),
            span: None,
        }])
    }
    pub(super) fn of(sources: Sources) -> Self {
        Self {
            sources,
            taken: std::cell::Cell::new(false),
        }
    }
    pub(super) fn made() -> Self {
        Self::of(Vec::new())
    }
    pub(super) fn take(&self) -> Sources {
        self.taken.set(true);
        self.sources.clone()
    }
}

/// Names in scope, innermost first, as a list shared by closures.
#[derive(Clone)]
pub(super) struct Environment<'a, 't>(Option<Rc<Frame<'a, 't>>>);

pub(super) struct Frame<'a, 't> {
    binding: Binding<'a, 't>,
    outer: Environment<'a, 't>,
}

pub(super) enum Binding<'a, 't> {
    Variable(&'t str, Sources),
    /// The environment of a definition is the frame itself, so that it may call itself.
    Definition(&'a Def<'t>),
    Closure(&'t str, &'a Term<'t>, Environment<'a, 't>),
}

impl<'a, 't> Environment<'a, 't> {
    pub(super) fn empty() -> Self {
        Self(None)
    }

    pub(super) fn with(&self, binding: Binding<'a, 't>) -> Self {
        Self(Some(Rc::new(Frame {
            binding,
            outer: self.clone(),
        })))
    }

    pub(super) fn find<T>(
        &self,
        mut test: impl FnMut(&Binding<'a, 't>, &Self) -> Option<T>,
    ) -> Option<T> {
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

pub(super) enum Callee<'a, 't> {
    Definition(&'a Def<'t>, Environment<'a, 't>),
    Closure(&'a Term<'t>, Environment<'a, 't>),
}
