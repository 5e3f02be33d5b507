//! What an expression may name.

use serde::{Deserialize, Serialize};

/// The language environment of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Names bound as `$name`, without the `$`, in the order in which values are given to
    /// [`crate::Program::evaluate`].
    pub variables: Vec<String>,
    /// `now` may be used; it is the time in [`crate::Facts`].
    pub clock: bool,
    /// `file` and `template` may be used; they read what [`crate::Facts`] offers.
    pub files: bool,
}
