//! Errors of workflows as RFC 7807 describes them.

use consort_model::Value;
use serde::{Deserialize, Serialize};

/// The standard error types, by their last segment.
pub mod types {
    /// The definition is wrong.
    pub const CONFIGURATION: &str = "configuration";
    /// Data does not fit a schema.
    pub const VALIDATION: &str = "validation";
    /// An expression failed.
    pub const EXPRESSION: &str = "expression";
    /// Credentials could not be had.
    pub const AUTHENTICATION: &str = "authentication";
    /// Something is forbidden.
    pub const AUTHORIZATION: &str = "authorization";
    /// Something took too long.
    pub const TIMEOUT: &str = "timeout";
    /// A call failed.
    pub const COMMUNICATION: &str = "communication";
    /// Anything else.
    pub const RUNTIME: &str = "runtime";
    /// All of them with their default status.
    pub const STANDARD: &[(&str, u16)] = &[
        (CONFIGURATION, 400),
        (VALIDATION, 400),
        (EXPRESSION, 400),
        (AUTHENTICATION, 401),
        (AUTHORIZATION, 403),
        (TIMEOUT, 408),
        (COMMUNICATION, 500),
        (RUNTIME, 500),
    ];
}

/// The URI family that is emitted: that of `dsl` 1.0.x documents.
const HOST: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/";
/// Hosts and paths of URIs that mean the same standard type.
const HOSTS: &[&str] = &[
    "serverlessworkflow.io",
    "serverlessworkflow.io.io",
    "open-workflow-specification.org",
];
const PATHS: &[&str] = &["/spec/1.0.0/errors/", "/dsl/errors/types/"];

/// An error of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// As of HTTP.
    pub status: u16,
    /// JSON pointer of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Fault {
    /// A standard error with its default status.
    pub fn standard(name: &str, detail: impl Into<String>) -> Self {
        let status = types::STANDARD
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(500, |(_, status)| *status);
        let title = name
            .chars()
            .next()
            .map(|first| first.to_uppercase().chain(name.chars().skip(1)).collect());
        Self {
            kind: format!("{HOST}{name}"),
            status,
            instance: None,
            title,
            detail: Some(detail.into()),
        }
    }
    /// The same with another status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }
    /// The same at a task, unless it says where already.
    #[must_use]
    pub fn at(mut self, pointer: &str) -> Self {
        self.instance.get_or_insert_with(|| pointer.to_owned());
        self
    }
    /// As data for expressions.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
    /// Is it of this type? Standard types have several URIs in the wild.
    pub fn is_of(&self, kind: &str) -> bool {
        self.kind == kind
            || matches!((standard_name(&self.kind), standard_name(kind)), (Some(own), Some(other)) if own == other)
    }
}

fn standard_name(uri: &str) -> Option<&str> {
    let rest = uri
        .strip_prefix("https://")
        .or_else(|| uri.strip_prefix("http://"))?;
    let host = HOSTS.iter().find(|host| {
        rest.strip_prefix(**host)
            .is_some_and(|path| path.starts_with('/'))
    })?;
    let path = &rest[host.len()..];
    let name = PATHS.iter().find_map(|prefix| path.strip_prefix(prefix))?;
    types::STANDARD
        .iter()
        .any(|(known, _)| *known == name)
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_types_have_aliases_and_others_have_none() {
        let fault = Fault::standard(types::COMMUNICATION, "x");
        assert!(
            fault.is_of("https://open-workflow-specification.org/dsl/errors/types/communication")
        );
        assert!(fault.is_of("https://serverlessworkflow.io.io/spec/1.0.0/errors/communication"));
        assert!(!fault.is_of("https://example.org/dsl/errors/types/communication"));
        assert!(!fault.is_of("https://open-workflow-specification.org/dsl/errors/types/timeout"));
        let own = Fault {
            kind: "https://example.org/mine".into(),
            ..fault
        };
        assert!(own.is_of("https://example.org/mine") && !own.is_of("https://example.org/other"));
    }
}
