//! `.env` files, by the grammar of Compose (compose-go's dotenv).

use std::collections::BTreeMap;

use crate::interpolate::{TextError, compose_only};

/// Variables in the order of their names.
pub type Variables = BTreeMap<String, String>;

/// Where and why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct DotenvError {
    /// Counted from 1.
    pub line: u32,
    /// Why.
    pub kind: DotenvErrorKind,
}

/// Why a line could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DotenvErrorKind {
    /// A key with a space inside.
    #[error("the key `{0}` cannot contain a space")]
    SpaceInKey(String),
    /// A character that no key has.
    #[error("unexpected character `{found}` in the name of the variable `{line}`")]
    Unexpected {
        /// The character.
        found: char,
        /// The line.
        line: String,
    },
    /// A quote that is never closed.
    #[error("the quoted value {0} does not end")]
    Unterminated(String),
    /// A line with a separator and no name.
    #[error("a value without a name")]
    NoName,
    /// The value has a wrong `${…}`.
    #[error("{0}")]
    Interpolation(TextError),
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// Its variables.
    pub variables: Variables,
    /// Variables that values refer to and that are not set, with the line.
    pub unset: Vec<(u32, String)>,
}

/// Reads a file. `lookup` knows what was set before; it wins over earlier lines of the file.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Dotenv, DotenvError> {
    let mut reader = Reader {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
    };
    let mut file = Dotenv::default();
    while reader.skip_to_statement() {
        let line = reader.line;
        match reader.key()? {
            (key, None) => {
                if let Some(value) = lookup(&key) {
                    file.variables.insert(key, value);
                }
            }
            (key, Some(Value { text, expand })) => {
                let value = if expand {
                    expand_value(&text, line, &mut file, lookup)?
                } else {
                    text
                };
                file.variables.insert(key, value);
            }
        }
    }
    Ok(file)
}

/// `format: raw`: lines of KEY=value, values as they are.
///
/// # Errors
/// The first line without a `=`, unless it is a comment, empty, or a bare key.
pub fn parse_raw(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Dotenv, DotenvError> {
    let mut file = Dotenv::default();
    for (index, line) in text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .enumerate()
    {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .map_or((line, None), |(key, value)| (key, Some(value)));
        if key.contains(char::is_whitespace) {
            return Err(DotenvError {
                line: number,
                kind: DotenvErrorKind::SpaceInKey(key.to_owned()),
            });
        }
        if key.is_empty() {
            return Err(DotenvError {
                line: number,
                kind: DotenvErrorKind::NoName,
            });
        }
        if let Some(value) = value.map(str::to_owned).or_else(|| lookup(key)) {
            file.variables.insert(key.to_owned(), value);
        }
    }
    Ok(file)
}

fn expand_value(
    text: &str,
    line: u32,
    file: &mut Dotenv,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, DotenvError> {
    // The lookup of interpolation borrows; what is outside of the file is fetched first.
    let mut outside: Variables = Variables::new();
    if text.contains('$') {
        for name in names(text) {
            if let Some(value) = lookup(&name) {
                outside.insert(name, value);
            }
        }
    }
    let both = |name: &str| {
        outside
            .get(name)
            .or_else(|| file.variables.get(name))
            .map(String::as_str)
    };
    let (value, unset) = compose_only(text, &both).map_err(|error| DotenvError {
        line,
        kind: DotenvErrorKind::Interpolation(error),
    })?;
    file.unset
        .extend(unset.into_iter().map(|name| (line, name)));
    Ok(value)
}

/// Every word that could be the name of a variable.
fn names(text: &str) -> std::collections::BTreeSet<String> {
    text.split(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

struct Value {
    text: String,
    expand: bool,
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

impl Reader<'_> {
    /// Skips empty lines and comments; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let trimmed = self.rest.trim_start();
            let skipped = &self.rest[..self.rest.len() - trimmed.len()];
            self.line += count_lines(skipped);
            self.rest = trimmed;
            if trimmed.is_empty() {
                return false;
            }
            if !trimmed.starts_with('#') {
                return true;
            }
            match trimmed.find('\n') {
                None => return false,
                Some(end) => self.rest = &trimmed[end..],
            }
        }
    }

    /// The key, and the value unless the key stands alone on its line.
    fn key(&mut self) -> Result<(String, Option<Value>), DotenvError> {
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with(char::is_whitespace)
        {
            self.rest = rest.trim_start_matches(is_blank);
        }
        let line = self.line;
        let fail = |kind| Err(DotenvError { line, kind });
        let first_line = self.rest.lines().next().unwrap_or_default();
        let end = self
            .rest
            .char_indices()
            .find(|(_, c)| matches!(c, '=' | ':' | '\n'));
        let name = &self.rest[..end.map_or(self.rest.len(), |(at, _)| at)];
        let allowed = |c: char| {
            is_blank(c)
                || c.is_alphabetic()
                || c.is_numeric()
                || matches!(c, '_' | '.' | '-' | '[' | ']')
        };
        if let Some(found) = name.chars().find(|c| !allowed(*c)) {
            return fail(DotenvErrorKind::Unexpected {
                found,
                line: first_line.to_owned(),
            });
        }
        let key = name.trim_end();
        if key.contains(' ') {
            return fail(DotenvErrorKind::SpaceInKey(key.to_owned()));
        }
        if key.is_empty() {
            return fail(DotenvErrorKind::NoName);
        }
        let key = key.to_owned();
        match end {
            None => {
                self.rest = "";
                Ok((key, None))
            }
            Some((at, '\n')) => {
                self.rest = &self.rest[at + 1..];
                self.line += 1;
                Ok((key, None))
            }
            Some((at, _)) => {
                self.rest = self.rest[at + 1..].trim_start_matches(is_blank);
                self.value().map(|value| (key, Some(value)))
            }
        }
    }

    fn value(&mut self) -> Result<Value, DotenvError> {
        let quote = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                let ended = self.rest.len() > line.len();
                let value = line
                    .split(" #")
                    .next()
                    .unwrap_or_default()
                    .trim_end()
                    .to_owned();
                self.rest = rest;
                self.line += u32::from(ended);
                return Ok(Value {
                    text: value,
                    expand: true,
                });
            }
        };
        let mut text = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == quote && !escaped {
                let skipped = &self.rest[..=at];
                self.line += count_lines(skipped);
                self.rest = &self.rest[at + 1..];
                let text = if quote == '"' { unescape(&text) } else { text };
                return Ok(Value {
                    text,
                    expand: quote == '"',
                });
            }
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && c != quote {
                text.push('\\');
            }
            escaped = false;
            text.push(c);
        }
        let shown = self.rest.lines().next().unwrap_or_default().to_owned();
        Err(DotenvError {
            line: self.line,
            kind: DotenvErrorKind::Unterminated(shown),
        })
    }
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

/// White space that does not end a line.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}

/// The escapes of a double-quoted value; `\$` becomes `$$`, which interpolation makes a `$`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some((_, next)) = chars.peek().copied() else {
            out.push('\\');
            break;
        };
        let simple = match next {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            '"' => '"',
            '$' => {
                out.push_str("$$");
                chars.next();
                continue;
            }
            '0' => {
                let digits: String = text[at + 2..]
                    .chars()
                    .take(3)
                    .take_while(char::is_ascii_digit)
                    .collect();
                let value = u8::from_str_radix(&digits, 8)
                    .ok()
                    .filter(|_| digits.len() == 3);
                match value {
                    Some(value) => {
                        out.push(char::from(value));
                        chars.by_ref().take(4).for_each(drop);
                    }
                    None => out.push('\\'),
                }
                continue;
            }
            _ => {
                out.push('\\');
                continue;
            }
        };
        out.push(simple);
        chars.next();
    }
    out
}
