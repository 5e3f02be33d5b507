//! What is recorded of a node: the state, as the store keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::blueprint::Lifecycle;
use crate::{Address, Timestamp, Value};

/// Counts the changes of a node. Plans name the generations that they read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// Where a thing is, and who can reach it. The only one so far is this machine and home.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Site(pub String);

impl Site {
    /// This machine and home.
    pub fn local() -> Self {
        Self("local".into())
    }
}

/// One thing in the world that stands for a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// What the driver knows it by.
    pub id: String,
    /// What it was asked to be, evaluated; secrets as tokens.
    pub desired: Value,
    /// What it is: all attributes, secrets as tokens.
    pub attributes: Value,
    /// It was made, but not completely; the next plan replaces it.
    #[serde(default)]
    pub tainted: bool,
}

/// The recorded state of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateEntry {
    /// Which node.
    pub address: Address,
    /// The driver that made it.
    pub driver: String,
    /// The type within the driver.
    pub type_name: String,
    /// Where it is.
    pub site: Site,
    /// What stands for it now; `None` between the two halves of a replacement.
    pub object: Option<Object>,
    /// Replaced things that are still to be removed, oldest first.
    #[serde(default)]
    pub deposed: Vec<Object>,
    /// Raised by any change.
    pub generation: Generation,
    /// What it depended on when it was made: deletion goes the other way.
    #[serde(default)]
    pub depends_on: Vec<Address>,
    /// The life-cycle settings it was made with, which hold even when it has left the blueprint.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// When it was last changed.
    pub changed: Timestamp,
}

impl StateEntry {
    /// The attributes of the thing that stands for the node now.
    pub fn attributes(&self) -> Option<&Value> {
        self.object.as_ref().map(|object| &object.attributes)
    }
}
