//! What the planner asks for and what it is told: the side of it that faces drivers. The types are
//! plain data, so that a driver, a recorded transcript and a simulated world can all answer.

use std::fmt;

use consort_expression::HelperJob;
use consort_model::state::Object;
use consort_model::{Address, Partial, Problem, Value};

/// One attribute of a type of node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeSchema {
    /// Its name.
    pub name: String,
    /// It can be written in the blueprint.
    pub settable: bool,
    /// It must be written.
    pub required: bool,
    /// The driver finds it out.
    pub computed: bool,
    /// Its value is a secret: masked in differences, and not compared with what is observed.
    pub sensitive: bool,
    /// A difference of it cannot be made in place.
    pub forces_replacement: bool,
    /// One sentence.
    pub doc: String,
}

/// What the planner must know of a type of node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeSchema {
    /// The driver.
    pub driver: String,
    /// The type.
    pub type_name: String,
    /// Its attributes, in the order of the docs.
    pub attributes: Vec<AttributeSchema>,
    /// Attributes beyond the listed ones are allowed.
    pub open: bool,
    /// Deleting one loses data: such plans are asked about.
    pub holds_data: bool,
    /// Its driver can say what is there: it takes part in refreshing.
    pub has_read: bool,
    /// A replacement is made before the old one is deleted, whatever the blueprint says.
    pub create_before_destroy: bool,
}

impl TypeSchema {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }
    /// Is the value of this attribute a secret?
    pub fn is_sensitive(&self, name: &str) -> bool {
        self.attribute(name)
            .is_some_and(|attribute| attribute.sensitive)
    }
}

/// Names a need. Stays the same however the other needs are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeedId {
    /// The place of the node in the graph.
    pub(crate) node: u32,
    /// Which of the needs of that node.
    pub(crate) step: NeedStep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum NeedStep {
    /// What is there?
    Read,
    /// An expression that a helper process must evaluate.
    Evaluate(u32),
    /// What would a change of it bring?
    Change,
    /// What would a new one be?
    New,
}

impl fmt::Display for NeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            NeedStep::Read => write!(f, "{}/read", self.node),
            NeedStep::Evaluate(job) => write!(f, "{}/evaluate/{job}", self.node),
            NeedStep::Change => write!(f, "{}/change", self.node),
            NeedStep::New => write!(f, "{}/new", self.node),
        }
    }
}

/// Something that the planner must know before it can go on.
#[derive(Debug, Clone)]
pub enum Need {
    /// What is there? Answered with [`Answer::Observed`]. For data the object has no id and no
    /// attributes, only what is asked for, as `desired`.
    Read {
        /// The driver that knows.
        driver: String,
        /// The type within the driver.
        type_name: String,
        /// Which node.
        address: Address,
        /// What is recorded.
        object: Object,
    },
    /// What would follow from this change? Answered with [`Answer::Planned`].
    PlanChange {
        /// The driver that knows.
        driver: String,
        /// The type within the driver.
        type_name: String,
        /// Which node.
        address: Address,
        /// What is there; `None` for a new one.
        prior: Option<Object>,
        /// What it shall be; parts may be unknown.
        desired: Partial,
    },
    /// What does this expression yield? Answered with [`Answer::Evaluated`].
    Evaluate {
        /// For the helper process.
        job: Box<HelperJob>,
    },
}

/// What is there in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// It is there, with these attributes (null where the value is a secret).
    Present(Value),
    /// It is surely not there.
    Gone,
    /// It cannot be seen from here now, which does not mean that it is gone.
    Unreachable(String),
}

/// What a driver says will follow from a change.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// All attributes after it; those that are found out later are unknown.
    pub planned: Partial,
    /// Paths of the settings whose difference cannot be made in place.
    pub requires_replacement: Vec<String>,
    /// Is there anything to do at all?
    pub changes: bool,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// The answer to a need.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Need::Read`].
    Observed(Observed),
    /// To [`Need::PlanChange`].
    Planned(PlannedChange),
    /// To [`Need::Evaluate`].
    Evaluated(Value),
    /// To any: there is no answer, and why.
    Failed(Problem),
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Nobody asked, or it was answered before.
    #[error("the planner does not need {0} (any more)")]
    NotNeeded(NeedId),
    /// The answer is of another kind than the need.
    #[error("the answer to need {0} is of the wrong kind")]
    WrongKind(NeedId),
}
