//! The Open Workflow DSL: model, validation, pure machine
