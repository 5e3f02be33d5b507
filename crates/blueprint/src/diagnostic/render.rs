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
pub fn render_all(
    diagnostics: &[Diagnostic],
    dropped: usize,
    sources: &Sources,
    how: Render,
) -> String {
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
    let labels: Vec<(&Label, bool)> = std::iter::once((&diagnostic.primary, true))
        .chain(diagnostic.secondary.iter().map(|label| (label, false)))
        .filter(|(label, _)| label.span.is_known())
        .collect();
    let lines = labels.iter().map(|(label, _)| label.span.start.line);
    let gutter = lines.max().unwrap_or(1).to_string().len();
    let mut out = String::new();
    head(&mut out, diagnostic, word, style, &paint);
    for (index, (label, primary)) in labels.iter().enumerate() {
        let look = Look {
            arrow: if index == 0 { "-->" } else { ":::" },
            gutter,
            style: primary.then_some(style),
        };
        snippet(&mut out, label, look, sources, &paint);
    }
    if let Some(text) = &diagnostic.help {
        help(&mut out, text, gutter, &paint);
    }
    out
}

fn head(out: &mut String, diagnostic: &Diagnostic, word: &str, style: &str, paint: &Paint) {
    let prefix = format!("{word}[{}]", diagnostic.code);
    let text = format!("{prefix}: {}", printable(&diagnostic.message, false));
    for (index, line) in wrap(&text, WIDTH, 2).into_iter().enumerate() {
        let rest = line.strip_prefix(&prefix).filter(|_| index == 0);
        let _ = match rest {
            Some(rest) => writeln!(out, "{}{}", paint.on(style, &prefix), paint.on(BOLD, rest)),
            None => writeln!(out, "{}", paint.on(BOLD, &line)),
        };
    }
}

fn help(out: &mut String, text: &str, gutter: usize, paint: &Paint) {
    let lead = format!("{:gutter$} = help: ", "");
    let lines = wrap(&printable(text, false), WIDTH - lead.len(), 0);
    for (index, line) in lines.into_iter().enumerate() {
        let _ = if index == 0 {
            writeln!(out, "{:gutter$} {} {line}", "", paint.on(CYAN, "= help:"))
        } else {
            writeln!(out, "{:width$}{line}", "", width = lead.len())
        };
    }
}

#[derive(Clone, Copy)]
struct Look {
    arrow: &'static str,
    gutter: usize,
    /// Of the primary place; others have none.
    style: Option<&'static str>,
}

fn snippet(out: &mut String, label: &Label, look: Look, sources: &Sources, paint: &Paint) {
    let gutter = look.gutter;
    let place = printable(&sources.place(label.span).to_string(), false);
    let _ = writeln!(out, "{:gutter$}{} {place}", "", paint.on(CYAN, look.arrow));
    let Some(line) = sources.line(label.span.file, label.span.start.line) else {
        return;
    };
    let bar = paint.on(CYAN, "|");
    let room = WIDTH - gutter - 3;
    let (shown, shift) = window(line, label.span.start.column as usize, room);
    let shown = shown.trim_end();
    let number = format!("{:>gutter$}", label.span.start.line);
    let _ = writeln!(out, "{:gutter$} {bar}", "");
    let _ = writeln!(out, "{} {bar} {shown}", paint.on(CYAN, &number));
    let column = label.span.start.column as usize;
    let start = column.saturating_sub(1).saturating_sub(shift).min(room - 1);
    let to_end = shown.chars().count().saturating_sub(start).max(1);
    let length = if label.span.end.line == label.span.start.line {
        (label.span.end.column as usize)
            .saturating_sub(column)
            .clamp(1, to_end)
    } else {
        to_end
    };
    underline(out, label, look, (start, length, room), paint);
}

/// The marks below a line, and the words of the label beside or below them.
fn underline(
    out: &mut String,
    label: &Label,
    look: Look,
    (start, length, room): (usize, usize, usize),
    paint: &Paint,
) {
    let gutter = look.gutter;
    let bar = paint.on(CYAN, "|");
    let mark = if look.style.is_some() { "^" } else { "-" }.repeat(length);
    let mark = paint.on(look.style.unwrap_or(CYAN), &mark);
    let text = printable(&label.text, false);
    if text.is_empty() || start + length + 1 + text.chars().count() <= room {
        let line = format!("{:gutter$} {bar} {:start$}{mark} {text}", "", "");
        let _ = writeln!(out, "{}", line.trim_end());
        return;
    }
    let _ = writeln!(out, "{:gutter$} {bar} {:start$}{mark}", "", "");
    let indent = start.min(room.saturating_sub(30));
    for line in wrap(&text, room.saturating_sub(start).max(30), 0) {
        let _ = writeln!(out, "{:gutter$} {bar} {:indent$}{line}", "", "");
    }
}

/// The part of a line that fits and shows the column, with tabs as one space; and how many characters
/// were cut off before it.
fn window(line: &str, column: usize, room: usize) -> (String, usize) {
    let clean: Vec<char> = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(1 << 20)
        .collect();
    if clean.len() <= room {
        return (clean.into_iter().collect(), 0);
    }
    let shift = if column + 10 > room {
        (column - 1)
            .saturating_sub(room / 2)
            .min(clean.len() - room)
    } else {
        0
    };
    (
        clean[shift..(shift + room).min(clean.len())]
            .iter()
            .collect(),
        shift,
    )
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
        if self.0 {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
