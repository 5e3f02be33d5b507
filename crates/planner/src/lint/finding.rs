//! What can be wrong with a plan.

use consort_model::plan::{ActionId, VerdictKind};
use consort_model::{Address, Generation};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan can be carried out; something about it is odd.
    Warning,
    /// The plan must not be carried out.
    Error,
}

/// Something that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Two actions have the same id.
    #[error("the action `{0}` is there twice")]
    DoubleAction(ActionId),
    /// The id of an action does not say what it does.
    #[error("the action `{0}` is not named after what it does")]
    WrongId(ActionId),
    /// An action waits for one that is not in the plan.
    #[error("`{action}` waits for `{missing}`, which is not in the plan")]
    MissingPrerequisite {
        /// Which.
        action: ActionId,
        /// For what.
        missing: ActionId,
    },
    /// The list of actions does not respect `after` (or no order can, because of a circle).
    #[error("`{action}` stands before `{before}`, which it waits for")]
    OutOfOrder {
        /// Which.
        action: ActionId,
        /// What it waits for.
        before: ActionId,
    },
    /// A node is made or changed, and does not wait for what it uses.
    #[error("`{user}` does not wait for `{maker}`, which makes what it uses")]
    UserBeforeMaker {
        /// The user.
        user: ActionId,
        /// What it must wait for.
        maker: ActionId,
    },
    /// A thing is deleted while something that used it is still there.
    #[error("`{deletion}` does not wait for `{user}`, which used it")]
    DeletedBeforeUser {
        /// The deletion.
        deletion: ActionId,
        /// The deletion of the user.
        user: ActionId,
        /// The user's deletion waits for this one: the records contradict each other.
        circular: bool,
    },
    /// The two halves of a replacement are not in the order that the verdict says.
    #[error("the halves of the replacement of `{0}` are in the wrong order")]
    HalvesOutOfOrder(Address),
    /// A node without a verdict.
    #[error("`{0}` has no verdict")]
    NoVerdict(Address),
    /// The actions of a node are not those of its verdict.
    #[error("`{address}` has the verdict `{}` and the actions {actions:?}", verdict.word())]
    ActionsDisagree {
        /// Which node.
        address: Address,
        /// What the plan says.
        verdict: VerdictKind,
        /// What it would do.
        actions: Vec<String>,
    },
    /// Something protected is deleted.
    #[error("`{0}` is deleted although prevent_destroy holds it")]
    ProtectedDeleted(Address),
    /// The plan rests on a record whose generation it does not name, or names wrongly.
    #[error("the plan rests on `{address}` at {expected} and says {named:?}")]
    WrongGeneration {
        /// Which.
        address: Address,
        /// What is recorded.
        expected: Generation,
        /// What the plan says.
        named: Option<Generation>,
    },
    /// A recorded state without a revision that the plan follows.
    #[error("something is recorded, and the plan follows no revision")]
    NoParent,
    /// A character of secret tokens outside of one.
    #[error("`{action}` holds a broken secret token in its {part}")]
    BrokenToken {
        /// Which.
        action: ActionId,
        /// Where.
        part: &'static str,
    },
    /// An action lacks what carrying it out needs.
    #[error("`{action}` has no {part}")]
    Incomplete {
        /// Which.
        action: ActionId,
        /// What is missing.
        part: &'static str,
    },
    /// A plan that only refreshes, or only destroys, does something else.
    #[error("`{0}` does not belong into a plan of this mode")]
    WrongMode(ActionId),
    /// A named volume is deleted without being asked for.
    #[error("`{0}` deletes a named volume without --volumes")]
    VolumeDeleted(ActionId),
}

impl Finding {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NoParent | Self::DeletedBeforeUser { circular: true, .. } => Severity::Warning,
            Self::DoubleAction(_)
            | Self::WrongId(_)
            | Self::MissingPrerequisite { .. }
            | Self::OutOfOrder { .. }
            | Self::UserBeforeMaker { .. }
            | Self::DeletedBeforeUser { .. }
            | Self::HalvesOutOfOrder(_)
            | Self::NoVerdict(_)
            | Self::ActionsDisagree { .. }
            | Self::ProtectedDeleted(_)
            | Self::WrongGeneration { .. }
            | Self::BrokenToken { .. }
            | Self::Incomplete { .. }
            | Self::WrongMode(_)
            | Self::VolumeDeleted(_) => Severity::Error,
        }
    }
}
