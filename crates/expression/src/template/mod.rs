//! Expressions inside text: `${` followed by white space, to the matching `}`.

mod render;
mod scan;

pub(crate) use render::render;
pub use scan::{Part, ScanError, ScanProblem, find_expression_end, scan};
