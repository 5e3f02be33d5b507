//! How the plan is written.

use consort_model::plan::VerdictKind;

/// How the plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// Columns; longer values are cut.
    pub width: usize,
    /// Nodes that nothing happens to are listed too.
    pub all: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 80,
            all: false,
        }
    }
}

impl Style {
    pub(super) fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
    pub(super) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }
    pub(super) fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// The sign in front of a node, and its colour.
pub(super) const fn sign(what: VerdictKind) -> (&'static str, &'static str) {
    match what {
        VerdictKind::Unchanged => (" ", "2"),
        VerdictKind::Create => ("+", "32"),
        VerdictKind::Update => ("~", "33"),
        VerdictKind::Replace => ("-/+", "35"),
        VerdictKind::ReplaceCreateFirst => ("+/-", "35"),
        VerdictKind::Delete => ("-", "31"),
        VerdictKind::Read => ("<", "36"),
        VerdictKind::Forget => ("x", "31"),
        VerdictKind::Waiting => ("?", "31"),
        VerdictKind::Held => ("!", "31"),
        VerdictKind::Skipped => (".", "2"),
    }
}
