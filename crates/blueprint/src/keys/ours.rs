//! Keys of the top level that Compose does not have. Each is read by a module of its own.

use super::{Key, Shape, key};

pub(super) static OURS: &[Key] = &[
    key("target", Shape::Any, b"SSS", "Where services, jobs and tasks run: process, docker or kubernetes.").ours(),
    key("inputs", Shape::Any, b"SSS", "Typed parameters of the blueprint.").ours(),
    key("locals", Shape::Any, b"SSS", "Named values that are used in several places.").ours(),
    key("providers", Shape::Any, b"SSS", "Terraform and OpenTofu providers, with versions and settings.").ours(),
    key("data", Shape::Any, b"SSS", "Things outside that are read and never changed.").ours(),
    key("resources", Shape::Any, b"SSS", "Things that are made, changed and removed.").ours(),
    key("hosts", Shape::Any, b"SSS", "Servers that are configured over SSH.").ours(),
    key("pools", Shape::Any, b"SSS", "Types of nodes, with prices, on which workloads may run.").ours(),
    key("workloads", Shape::Any, b"SSS", "Graphs of batch tasks with an objective.").ours(),
    key("workflows", Shape::Any, b"SSS", "Workflows of the Open Workflow DSL.").ours(),
    key("modules", Shape::Any, b"SSS", "Other blueprints, with inputs and outputs.").ours(),
    key("objectives", Shape::Any, b"SSS", "Goals for the whole deployment.").ours(),
    key("outputs", Shape::Any, b"SSS", "Values that the deployment publishes.").ours(),
];
