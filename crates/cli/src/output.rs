//! What the program says: data on standard output, all else on standard error. Nothing else prints.

use std::io::Write;

use consort_model::{Problem, text};
use serde::Serialize;

use crate::environment::Environment;

/// The form of data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// How the program speaks.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The form of data.
    pub(crate) format: Format,
    /// Colours on standard output.
    pub(crate) color: bool,
    /// Colours and moving bars on standard error.
    pub(crate) live: bool,
}

impl Output {
    pub(crate) fn new(format: Format, environment: &Environment) -> Self {
        let plain =
            environment.get("NO_COLOR").is_some() || environment.get("TERM") == Some("dumb");
        Self {
            format,
            color: environment.stdout_terminal && !plain,
            live: environment.stderr_terminal && !plain,
        }
    }

    /// A line of data. A reader that is gone ends the program quietly, as other tools do.
    pub(crate) fn line(&self, line: impl AsRef<str>) {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{}", line.as_ref()).is_err() {
            std::process::exit(0);
        }
    }

    /// Text of data, as it is.
    pub(crate) fn text(&self, text: impl AsRef<str>) {
        let mut out = std::io::stdout().lock();
        if out
            .write_all(text.as_ref().as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }

    /// Data for programs.
    pub(crate) fn json<T: Serialize>(&self, value: &T) {
        self.line(
            serde_json::to_string_pretty(value)
                .unwrap_or_else(|error| format!("{{\"unreadable\": \"{error}\"}}")),
        );
    }

    /// A line about what is going on.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        let mut out = std::io::stderr().lock();
        // Nobody can be told that nobody can be told.
        let _ = writeln!(out, "{}", line.as_ref());
    }

    /// A table with aligned columns; the last column is not padded.
    pub(crate) fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        let count = head.len();
        let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|cell| text::printable(cell, false))
                    .collect()
            })
            .collect();
        for row in &rows {
            for (index, cell) in row.iter().enumerate().take(count) {
                widths[index] = widths[index].max(cell.chars().count());
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut out = String::new();
            for (index, cell) in cells.enumerate() {
                out.push_str(cell);
                if index + 1 < count {
                    let pad = widths[index].saturating_sub(cell.chars().count()) + 2;
                    out.extend(std::iter::repeat_n(' ', pad));
                }
            }
            out.trim_end().to_owned()
        };
        self.line(line(&mut head.iter().copied()));
        rows.iter()
            .for_each(|row| self.line(line(&mut row.iter().map(String::as_str))));
    }

    /// Problems, in the one form in which the program tells them.
    pub(crate) fn problems(&self, problems: &[Problem]) {
        for problem in problems {
            self.note(render(problem, self.live));
        }
        let mut codes: Vec<&str> = problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect();
        codes.dedup();
        if let [code] = codes[..] {
            self.note(format!("\nMore: consort explain {code}"));
        }
    }
}

/// A problem with everything that is known of it.
pub(crate) fn render(problem: &Problem, color: bool) -> String {
    let (red, dim, plain) = if color {
        ("\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m")
    } else {
        ("", "", "")
    };
    let mut out = format!("{red}error{plain}[{}]: ", problem.code);
    if let Some(address) = &problem.address {
        out.push_str(&format!("{address}: "));
    }
    out.push_str(&text::printable(
        &consort_model::secret::masked(&problem.message),
        true,
    ));
    if let Some(place) = &problem.place {
        out.push_str(&format!("\n  {dim}at{plain} {place}"));
    }
    for cause in &problem.causes {
        out.push_str(&format!(
            "\n  {dim}because{plain} {}",
            text::printable(cause, true).replace('\n', "\n          ")
        ));
    }
    let entry = consort_model::code::CODES
        .iter()
        .find(|entry| entry.name == problem.code.as_str());
    if let Some(remedy) = problem
        .remedy
        .as_deref()
        .or(entry.map(|entry| entry.remedy))
    {
        out.push_str(&format!(
            "\n  {dim}help{plain} {}",
            text::printable(remedy, true)
        ));
    }
    out
}
