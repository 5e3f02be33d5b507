//! jq expressions, sandboxed and bounded.
//!
//! [`compile`] reads an expression, refuses what no expression may do (environment, exit, clock,
//! modules), finds statically what it refers to, and decides how it may run:
//!
//! - **fast**: a whitelist keeps it so small that it runs in this process, at once;
//! - **by the helper**: all else of jq. [`Program::evaluate`] answers [`Evaluation::NeedsHelper`] with
//!   a self-contained [`HelperJob`]; a process that may be killed answers it ([`helper::serve`]).
//!
//! Both ways link the same functions and give the same results: no output is `null`, several are an
//! array, integral floats below 2⁵³ are integers. Nothing here reads a clock, a file or the
//! environment; what an expression may know comes in as [`Facts`].
//!
//! [`template`] finds expressions inside text, [`strict_expression`] those of the workflow language.

mod analysis;
mod cache;
mod dsl;
mod error;
mod evaluate;
pub mod helper;
mod interpreter;
mod library;
pub mod limits;
mod program;
mod scope;
mod syntax;
pub mod template;
mod value;

pub use analysis::references::{PathPart, Reference, VariableReference};
pub use cache::ProgramCache;
pub use dsl::strict_expression;
pub use error::{CompileError, ErrorKind, EvaluationError};
pub use evaluate::{Evaluation, Facts, Files};
pub use helper::{HelperAnswer, HelperJob};
pub use library::{FunctionDoc, functions};
pub use limits::Limits;
pub use program::{Class, Program, compile};
pub use scope::Scope;
pub use value::canonical;
