//! Problems as a person and a program see them: a code, one sentence of what is wrong, where, and
//! what to do. Every code has a page in `docs/errors`.

use serde::{Deserialize, Serialize};

use crate::template::Place;

/// A stable name of a kind of problem: `area/what`, for example `plan/stale`. Codes are listed in
/// [`CODES`]; a retired one is never used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(std::borrow::Cow<'static, str>);

impl Code {
    /// A code of this name; a test checks that all names in use are in [`CODES`].
    pub const fn new(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The exit code of the command line: 2 for wrong use, 3 for a refusal that a person can lift,
    /// 4 for a stale plan, 1 for all else.
    pub fn exit_code(&self) -> u8 {
        CODES
            .iter()
            .find(|entry| entry.name == self.as_str())
            .map_or(1, |entry| entry.exit)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row of the registry of codes.
#[derive(Debug, Clone, Copy)]
pub struct CodeEntry {
    /// `area/what`.
    pub name: &'static str,
    /// Exit code of the command line.
    pub exit: u8,
    /// HTTP status of the API.
    pub status: u16,
    /// One sentence: when this happens.
    pub when: &'static str,
    /// One sentence: what to do.
    pub remedy: &'static str,
}

/// A problem, ready to be shown. Causes are from the outermost to the innermost; none repeats
/// another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem.
    pub code: Code,
    /// One sentence of what is wrong.
    pub message: String,
    /// What it came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where in the blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Problem {
    /// A problem of this code with this message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            remedy: None,
            place: None,
            address: None,
        }
    }
    /// The same, with what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
    /// The same, with the node that it is about.
    #[must_use]
    pub fn at(mut self, address: impl std::fmt::Display) -> Self {
        self.address = Some(address.to_string());
        self
    }
    /// The same, with the chain of an error as its causes.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(address) = &self.address {
            write!(f, "{address}: ")?;
        }
        write!(f, "{}", self.message)?;
        self.causes
            .iter()
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Problem {}

macro_rules! codes {
    ($($konst:ident = $name:literal, $exit:literal, $status:literal, $when:literal, $remedy:literal;)*) => {
        impl Code {
            $(#[doc = $when] pub const $konst: Self = Self::new($name);)*
        }
        /// Every code, in the order of the docs.
        pub const CODES: &[CodeEntry] = &[$(CodeEntry {
            name: $name, exit: $exit, status: $status, when: $when, remedy: $remedy,
        }),*];
    };
}

codes! {
    BLUEPRINT_INVALID = "blueprint/invalid", 1, 422, "The blueprint has mistakes.", "Mend what the diagnostics point at; `consort validate` checks without doing anything.";
    BLUEPRINT_MISSING = "blueprint/missing", 2, 404, "No blueprint was found in this folder or above it.", "Go to the folder of the blueprint, or name it with `-f`.";
    INPUT_INVALID = "input/invalid", 2, 422, "An input is missing, unknown or of the wrong type.", "Give it with `--input NAME=VALUE`, `--inputs FILE` or `CONSORT_INPUT_NAME`.";
    EXPRESSION_FAILED = "expression/failed", 1, 422, "An expression could not be evaluated.", "Mend the expression at the place named; `consort explain expressions` lists what it may use.";
    PLAN_STALE = "plan/stale", 4, 409, "What the plan was made from has changed since.", "Make a new plan.";
    PLAN_TAMPERED = "plan/tampered", 4, 409, "The plan file is not the plan that the server keeps under its digest.", "Make a new plan with `consort plan --out FILE`.";
    PLAN_UNKNOWN = "plan/unknown", 4, 404, "The server does not keep a plan with this digest.", "Make a new plan with `consort plan --out FILE` on this home.";
    PLAN_REFUSED = "plan/refused", 3, 409, "The plan needs an approval that was not given.", "Read the plan, then say `--yes`.";
    PLAN_IMPOSSIBLE = "plan/impossible", 1, 422, "No plan can be made: something forbids it.", "The message names what forbids it.";
    PLAN_BROKEN_PROMISE = "plan/broken-promise", 1, 500, "A value turned out other than what was approved.", "Make a new plan and read what changed.";
    RUN_BUSY = "run/busy", 3, 409, "Another run is changing this deployment.", "Wait for it with `consort runs watch`, or cancel it.";
    RUN_IN_DOUBT = "run/in-doubt", 3, 409, "It is not known whether a step took effect.", "Answer with `consort runs resolve RUN STEP --happened|--did-not`.";
    RUN_FAILED = "run/failed", 1, 500, "Some steps of the run failed.", "Mend the cause; `consort up` goes on from where it stopped.";
    RUN_CANCELLED = "run/cancelled", 130, 409, "The run was stopped before its end.", "`consort runs resume RUN` goes on; `consort up` plans again.";
    RUN_UNKNOWN = "run/unknown", 2, 404, "There is no such run.", "`consort runs list` shows them.";
    DEPLOYMENT_UNKNOWN = "deployment/unknown", 2, 404, "There is no such deployment.", "`consort state list` shows what is recorded; `consort up` makes one.";
    NODE_UNKNOWN = "node/unknown", 2, 404, "There is no such node.", "`consort graph` shows all of them.";
    NODE_FAILED = "node/failed", 1, 500, "A driver could not do what the plan says.", "The cause names it.";
    PREVENT_DESTROY = "lifecycle/prevent-destroy", 3, 409, "The plan would destroy a node that is protected.", "Take `prevent_destroy` away first, if you mean it.";
    STORE_LOCKED = "store/locked", 1, 409, "Another process holds the store of this home.", "Stop it, or use it: commands find it by themselves.";
    STORE_FULL = "store/full", 1, 507, "The disk of the store is full; nothing was begun.", "Free some space; the server goes on by itself.";
    STORE_CORRUPT = "store/corrupt", 1, 500, "The store cannot be trusted.", "`consort doctor --store` shows where; restore a backup.";
    STORE_NEWER = "store/newer", 1, 409, "The store was written by a newer Consort.", "Use that version or a newer one.";
    STORE_FAILED = "store/failed", 1, 500, "The store could not be read or written.", "The cause names it; `consort doctor --store` checks the file.";
    JOURNAL_FENCED = "journal/fenced", 1, 409, "Another server has taken over this run.", "Nothing: that server goes on with it.";
    SERVER_UNREACHABLE = "server/unreachable", 1, 503, "The server of this home does not answer.", "`consort doctor` says why; its log is in the home.";
    SERVER_VERSION = "server/version", 1, 409, "Client and server are of versions that do not fit.", "Stop the older one; the next command starts a new server.";
    REQUEST_INVALID = "request/invalid", 2, 400, "The request is not of the right form.", "The message says what was expected.";
    REQUEST_TOO_LARGE = "request/too-large", 2, 413, "The request is larger than the limit.", "Send less at once.";
    REQUEST_CONFLICT = "request/conflict", 2, 409, "The same idempotency key was used for another request.", "Use a new key for a new request.";
    QUEUE_FULL = "queue/full", 1, 429, "The server has too much to do at the moment.", "Try again a little later.";
    UNAUTHORIZED = "access/unauthorized", 1, 401, "The request carries no valid token.", "Send the token of the deployment.";
    FORBIDDEN = "access/forbidden", 1, 403, "The token does not allow this.", "Use a token with the right that the message names.";
    TARGET_UNAVAILABLE = "target/unavailable", 1, 409, "The target cannot run this here.", "`consort doctor` says what this machine can do.";
    SERVICE_FAILED = "service/failed", 1, 500, "A service did not become healthy.", "`consort logs SERVICE` shows its last words.";
    PORT_IN_USE = "port/in-use", 1, 409, "A port that is to be published is taken.", "Stop what holds it, or publish another port.";
    PROGRAM_MISSING = "program/missing", 1, 422, "A program does not exist or cannot be executed.", "Build it, or mend `command`.";
    BUILD_FAILED = "build/failed", 1, 422, "A build did not succeed.", "Its output is above; mend it and try again.";
    WORKFLOW_INVALID = "workflow/invalid", 1, 422, "A workflow definition has mistakes or uses what is not there yet.", "The message names the element.";
    WORKFLOW_FAULTED = "workflow/faulted", 1, 500, "A workflow ended with an error that nothing caught.", "`consort runs show RUN` shows each step.";
    OBJECTIVE_INFEASIBLE = "objective/infeasible", 1, 422, "The objective cannot be met with the pool.", "Use the nearest feasible one, which the message names.";
    TIME_LIMIT = "limit/time", 1, 504, "A step took longer than its limit.", "Raise `timeout` of the node, or find what it waits for.";
    FILE_UNREADABLE = "file/unreadable", 2, 400, "A file could not be read or written.", "Check its path and permissions.";
    USAGE = "usage", 2, 400, "The command was not used as it can be.", "`--help` shows how.";
    INTERNAL = "internal", 70, 500, "Something that must not happen has happened.", "Please report it with the message and the log.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let names: std::collections::BTreeSet<_> = CODES.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CODES.len());
    }

    #[test]
    fn a_problem_prints_each_cause_once() {
        let source: std::num::ParseIntError = "x".parse::<u8>().unwrap_err();
        let problem = Problem::new(Code::INPUT_INVALID, "input `n` is wrong")
            .at("inputs.n")
            .caused_by(&source);
        assert_eq!(
            problem.to_string(),
            "inputs.n: input `n` is wrong: invalid digit found in string"
        );
    }
}
