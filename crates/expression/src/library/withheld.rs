//! What jq has and expressions must not use, each with its reason.

use crate::scope::Scope;

/// Natives of jaq that reach outside or depend on the machine.
pub(super) const NATIVES: &[&str] = &[
    "env",
    "halt",
    "now",
    "debug_empty",
    "stderr_empty",
    "localtime",
    "strflocaltime",
];
/// Definitions of jaq that call them.
pub(super) const DEFINITIONS: &[&str] = &["halt", "halt_error", "debug", "stderr"];

/// Why this function is not there, and what to do instead.
pub(crate) fn withheld_function(
    name: &str,
    scope: &Scope,
) -> Option<(&'static str, Option<&'static str>)> {
    Some(match name {
        "env" => (
            "expressions do not see the environment",
            Some("Pass the value in, as an input or a variable."),
        ),
        "input" | "inputs" | "input_filename" | "input_line_number" => {
            ("an expression has one input, `.`", None)
        }
        "halt" | "halt_error" => (
            "an expression cannot end the program",
            Some("Use `error(\"…\")`."),
        ),
        "debug" | "stderr" => ("expressions do not print", None),
        "localtime" | "strflocaltime" => (
            "expressions know no local time",
            Some("Use `gmtime` and `strftime`, which are UTC."),
        ),
        "now" if !scope.clock => (
            "expressions here have no clock, so that the same text gives the same plan",
            None,
        ),
        "file" | "template" if !scope.files => ("files can be read in blueprints only", None),
        "get_search_list" | "modulemeta" => ("expressions have no modules", None),
        _ => return None,
    })
}

/// Why this variable is not there.
pub(crate) fn withheld_variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "$ENV" => "expressions do not see the environment",
        "$__loc__" => "`$__loc__` is not supported",
        "$__prog_args" => "expressions have no arguments",
        _ => return None,
    })
}
