//! Diagnostics as text: place, line, caret, help. At most 80 columns, colour only when asked for.

use std::fmt::Write as _;

use consort_model::text::printable;

use super::{Diagnostic, Label, Severity};
use crate::sources::Sources;

const WIDTH: usize = 80;

/// How to print.
#[derive(Debug, Clone, Copy, Default)]
pub struct Render {
    /// With ANSI colours.
    pub color: bool,
}

/// All diagnostics, one below the other, with how many more there were.
pub fn render_all(diagnostics: &[Diagnostic], dropped: usize, sources: &Sources, how: Render) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render(diagnostic, sources, how));
        out.push('\n');
    }
    if dropped > 0 {
        let _ = writeln!(out, "and {dropped} more");
    }
    out
}

/// One diagnostic.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, how: Render) -> String {
    let paint = Paint(how.color);
    let (word, style) = match diagnostic.severity() {
        Severity::Error => ("error", RED),
        Severity::Warning => ("warning", YELLOW),
    };
    let mut out = String::new();
    let head = format!("{word}[{}]: {}", diagnostic.code, printable(&diagnostic.message, false));
    for (index, line) in wrap(&head, WIDTH, 2).into_iter().enumerate() {
        let colored = if index == 0 {
            let prefix = format!("{word}[{}]", diagnostic.code);
            let rest = line.strip_prefix(&prefix).unwrap_or(&line).to_owned();
            format!("{}{}", paint.on(style, &prefix), paint.on(BOLD, &rest))
        } else {
            paint.on(BOLD, &line)
        };
        let _ = writeln!(out, "{colored}");
    }
    let labels: Vec<(&Label, bool)> = std::iter::once((&diagnostic.primary, true))
        .chain(diagnostic.secondary.iter().map(|label| (label, false)))
        .filter(|(label, _)| label.span.is_known())
        .collect();
    let gutter = labels.iter().map(|(label, _)| label.span.start.line.to_string().len()).max().unwrap_or(1);
    for (index, (label, primary)) in labels.iter().enumerate() {
        snippet(&mut out, label, Look { primary: *primary, first: index == 0, gutter, style }, sources, &paint);
    }
    if let Some(help) = &diagnostic.help {
        let lead = format!("{:gutter$} = help: ", "");
        for (index, line) in wrap(&printable(help, false), WIDTH - lead.len(), 0).into_iter().enumerate() {
            if index == 0 {
                let _ = writeln!(out, "{:gutter$} {} {line}", "", paint.on(CYAN, "= help:"));
            } else {
                let _ = writeln!(out, "{:width$}{line}", "", width = lead.len());
            }
        }
    }
    out
}

#[derive(Clone, Copy)]
struct Look {
    primary: bool,
    first: bool,
    gutter: usize,
    style: &'static str,
}

fn snippet(out: &mut String, label: &Label, look: Look, sources: &Sources, paint: &Paint) {
    let Look { primary, first, gutter, style } = look;
    let place = sources.place(label.span);
    let arrow = if first { "-->" } else { ":::" };
    let _ = writeln!(out, "{:gutter$}{} {}", "", paint.on(CYAN, arrow), printable(&place.to_string(), false));
    let Some(line) = sources.line(label.span.file, label.span.start.line) else { return };
    let bar = paint.on(CYAN, "|");
    let room = WIDTH - gutter - 3;
    let (shown, shift) = window(line, label.span.start.column as usize, room);
    let _ = writeln!(out, "{:gutter$} {bar}", "");
    let number = format!("{:>gutter$}", label.span.start.line);
    let _ = writeln!(out, "{} {bar} {}", paint.on(CYAN, &number), shown.trim_end());
    let start = (label.span.start.column as usize).saturating_sub(1).saturating_sub(shift).min(room - 1);
    let to_end = shown.trim_end().chars().count().saturating_sub(start).max(1);
    let length = if label.span.end.line == label.span.start.line {
        (label.span.end.column as usize).saturating_sub(label.span.start.column as usize).clamp(1, to_end)
    } else {
        to_end
    };
    let mark = if primary { "^" } else { "-" }.repeat(length);
    let mark = paint.on(if primary { style } else { CYAN }, &mark);
    let text = printable(&label.text, false);
    if text.is_empty() || start + length + 1 + text.chars().count() <= room {
        let _ = writeln!(out, "{}", format!("{:gutter$} {bar} {:start$}{mark} {text}", "", "").trim_end());
    } else {
        let _ = writeln!(out, "{:gutter$} {bar} {:start$}{mark}", "", "");
        for line in wrap(&text, room.saturating_sub(start).max(30), 0) {
            let indent = start.min(room.saturating_sub(30));
            let _ = writeln!(out, "{:gutter$} {bar} {:indent$}{line}", "", "");
        }
    }
}

/// The part of a line that fits and shows the column, with tabs as one space; and how many characters
/// were cut off before it.
fn window(line: &str, column: usize, room: usize) -> (String, usize) {
    let clean: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1 << 20).collect();
    if clean.len() <= room {
        return (clean.into_iter().collect(), 0);
    }
    let shift = if column + 10 > room { (column - 1).saturating_sub(room / 2).min(clean.len() - room) } else { 0 };
    (clean[shift..(shift + room).min(clean.len())].iter().collect(), shift)
}

/// Breaks text at spaces; lines after the first are indented. Words that do not fit stay whole.
fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            line.push_str(word);
        } else {
            if !lines.is_empty() && line.trim().is_empty() || line.is_empty() {
                line.push_str(word);
                continue;
            }
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.push(line);
    lines
}

const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const CYAN: &str = "36";
const BOLD: &str = "1";

struct Paint(bool);

impl Paint {
    fn on(&self, style: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
