//! Expressions of the workflow language.

/// The text inside `${ … }` when the whole string is one: `^\s*\$\{.+\}\s*$`, over several lines too.
/// All other strings of a workflow document are literals, also those that hold `${ … }` somewhere.
pub fn strict_expression(text: &str) -> Option<&str> {
    text.trim()
        .strip_prefix("${")?
        .strip_suffix('}')
        .filter(|inner| !inner.is_empty())
}
