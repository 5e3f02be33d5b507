//! The Open Workflow Specification DSL (formerly Serverless Workflow) as a pure machine: documents
//! are data, a run is an explicit tree of frames, and what was decided is never evaluated again.
//!
//! - [`Definition`]: a document that was checked.
//! - [`WorkflowMachine`]: decides; implements [`consort_journal::Machine`].
//! - [`xml`]: XML answers as JSON, where a task asks for it.
//! - [`view`]: what people see of a run.

mod definition;
mod duration;
mod error;
mod event;
mod expression;
mod http;
mod machine;
mod schedule;
mod validate;
pub mod view;
pub mod xml;

pub use definition::{Definition, Mistake};
pub use error::{Fault, types};
pub use event::{EventFilter, Matching};
pub use http::{Authentication, HttpAnswer, HttpOutput, HttpRequest};
pub use machine::{Ended, Event, Input, Record, State, Why, WorkflowEffect, WorkflowMachine};
pub use schedule::Schedule;
