//! Formatting of a blueprint file. Comments, quotes, indentation and the order of keys stay as they are; spaces at
//! the ends of lines, foreign line ends, runs of empty lines and the end of the file become regular. The result is
//! compared with the input, event by event: a file never changes its meaning.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser};

use crate::span::FileId;
use crate::yaml;

/// The file in its usual form.
///
/// # Errors
/// When it is not YAML: the mistake with its line.
pub fn format(text: &str) -> Result<String, String> {
    yaml::parse(text, FileId::NONE).map_err(|error| {
        let at = error.primary.span.start;
        format!("line {}, column {}: {}", at.line, at.column, error.message)
    })?;
    let unified = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let before = events(text)?;
    // The strongest form that keeps the meaning.
    let candidates = [tidy(&unified, true)?, tidy(&unified, false)?, unified];
    let same = |candidate: &String| events(candidate).is_ok_and(|after| after == before);
    Ok(candidates
        .into_iter()
        .find(same)
        .unwrap_or_else(|| text.to_owned()))
}

/// Lines outside of scalars without spaces at their ends; with `squeeze` also without runs of empty lines.
fn tidy(text: &str, squeeze: bool) -> Result<String, String> {
    let kept = scalar_lines(text)?;
    let mut out = String::with_capacity(text.len() + 1);
    let mut empty = 0usize;
    for (index, line) in text.lines().enumerate() {
        let is_kept = kept.contains(&(index + 1));
        let line = if is_kept {
            line
        } else {
            line.trim_end_matches([' ', '\t'])
        };
        empty = if line.is_empty() && !is_kept {
            empty + 1
        } else {
            0
        };
        let is_first = out.is_empty() && line.is_empty();
        if !(squeeze && (empty > 1 || is_first)) {
            out.push_str(line);
            out.push('\n');
        }
    }
    if squeeze {
        while out.ends_with("\n\n") {
            out.pop();
        }
    }
    Ok(out)
}

/// The lines that scalars over several lines stand on, from 1.
fn scalar_lines(text: &str) -> Result<BTreeSet<usize>, String> {
    let mut lines = BTreeSet::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| error.to_string())?;
        match event {
            Event::Scalar(..) if span.end.line() > span.start.line() => {
                // A block ends where the next line begins. Else the last line may hold something behind the
                // scalar; what is there is kept with it.
                let last = span.end.line() - usize::from(span.end.col() == 0);
                lines.extend(span.start.line()..=last);
            }
            Event::StreamEnd => break,
            _ => {}
        }
    }
    Ok(lines)
}

/// What a text says, without places and comments.
fn events(text: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, _) = next.map_err(|error| error.to_string())?;
        let ends = matches!(event, Event::StreamEnd);
        all.push(format!("{event:?}"));
        if ends {
            break;
        }
    }
    Ok(all)
}
