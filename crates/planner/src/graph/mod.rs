//! The graph: declarations with the reasons of their edges, the instances of `for_each`, and the
//! graph for people.

mod check;
mod declaration;
pub(crate) mod expand;
mod export;
mod implied;
pub(crate) mod instances;
mod order;
mod triggers;

pub use declaration::{
    AttributeReference, Declaration, Declarations, Edge, Source, Which, Why, source,
};
pub use instances::{Graph, Node, Role};
pub use triggers::Trigger;
