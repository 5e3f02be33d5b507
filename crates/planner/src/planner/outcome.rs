//! What was decided about one node.

use consort_model::plan::{Difference, VerdictKind};
use consort_model::state::Object;
use consort_model::{Partial, Problem, Template};

/// What was decided about one node, and why.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// What happens to it.
    pub what: VerdictKind,
    /// Why.
    pub reason: String,
    /// Is there an action of this kind? Not if only leftovers of it are deleted.
    pub acts: bool,
    /// What stands for it now, as observed.
    pub prior: Option<Object>,
    /// The settings, evaluated.
    pub desired: Partial,
    /// All attributes afterwards.
    pub planned: Partial,
    /// The settings with their expressions.
    pub template: Option<Template>,
    /// For people.
    pub differences: Vec<Difference>,
    /// Between what is recorded and what was observed.
    pub drift: Vec<Difference>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// It has another type than the recorded one.
    pub retyped: bool,
}

impl Outcome {
    pub(crate) fn new(what: VerdictKind, reason: impl Into<String>) -> Self {
        Self {
            what,
            reason: reason.into(),
            acts: match what {
                VerdictKind::Create
                | VerdictKind::Update
                | VerdictKind::Replace
                | VerdictKind::ReplaceCreateFirst
                | VerdictKind::Delete
                | VerdictKind::Read
                | VerdictKind::Forget => true,
                VerdictKind::Unchanged
                | VerdictKind::Waiting
                | VerdictKind::Held
                | VerdictKind::Skipped => false,
            },
            prior: None,
            desired: Partial::NULL,
            planned: Partial::NULL,
            template: None,
            differences: Vec::new(),
            drift: Vec::new(),
            warnings: Vec::new(),
            retyped: false,
        }
    }
}

impl Outcome {
    /// Gives up what only its actions need, once they are made.
    pub(crate) fn lighten(&mut self) {
        let Self {
            what,
            reason,
            acts,
            retyped,
            ..
        } = self;
        *self = Self {
            acts: *acts,
            retyped: *retyped,
            ..Self::new(*what, std::mem::take(reason))
        };
    }
}

/// How a node was settled: its outcome, and what others may refer to.
pub(crate) enum Settled {
    /// A node that is no node of the plan: a value, a group.
    Value(Option<Partial>),
    /// A node with a verdict.
    Node(Box<Outcome>, Partial),
    /// It cannot be planned. Without problems of its own it waits for the named node.
    Failed(Vec<Problem>, String),
}
