//! Load, include, merge, interpolate and validate blueprints.
//!
//! [`load`] is the way in: it reads the files that a [`LoadRequest`] names through a [`source::Source`],
//! carries them through the stages of Compose in Compose's order, and answers one document in canonical
//! form, or all mistakes with their places. The stages are modules of their own, each a function over the
//! tree of [`node`]. [`to_blueprint`] turns the document into the typed blueprint of the model and checks what its
//! expressions refer to.

pub mod canonical;
pub mod check;
pub mod compose_json;
pub mod defaults;
pub mod diagnostic;
pub mod docs;
pub mod dotenv;
mod elements;
pub mod emit;
pub mod environment;
pub mod explain;
pub mod files;
pub mod fmt;
pub mod interpolate;
pub mod keys;
pub mod load;
pub mod merge;
pub mod node;
pub mod normalise;
pub mod path;
pub mod paths;
pub mod profiles;
pub mod project_name;
pub mod quantity;
pub mod schema;
pub mod settle;
pub mod source;
pub mod sources;
pub mod span;
pub mod support;
pub mod tags;
pub mod unicity;
pub mod validate;
pub mod yaml;

pub use diagnostic::{Code, Diagnostic, Render, Severity};
pub use elements::{CheckDefinition, DefinitionMistake, to_blueprint, to_blueprint_with};
pub use load::{LoadError, LoadRequest, Loaded, load};
pub use node::{Entry, Map, Node, Value};
pub use sources::Sources;
pub use span::{FileId, Position, Span};
