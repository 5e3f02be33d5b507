//! Compose's interpolation of one text, exactly: `$NAME`, `${NAME}`, `${NAME:-word}` and its kin, `$$`.
//!
//! The text is a row of characters in which each of our expressions is one atom, so that an expression
//! can be the word of a default, and nothing inside an expression is ever read as a variable.

use consort_model::template::TextPart;

/// The deepest nesting of words.
const MAX_DEPTH: usize = 32;
/// The most characters that one value may grow to.
const MAX_LENGTH: usize = 1 << 20;

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Text and expressions, in order; no two texts are neighbours.
    pub parts: Vec<TextPart>,
    /// Variables that were not set and have no default, in order.
    pub unset: Vec<String>,
    /// Whether the value of any variable went into it.
    pub used: bool,
}

/// Why a text could not be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not of Compose's form.
    #[error("invalid interpolation at `{0}`")]
    Invalid(String),
    /// `${NAME:?word}` without a value.
    #[error("required variable {name} is missing a value{}", if .reason.is_empty() { String::new() } else { format!(": {}", .reason) })]
    Required {
        /// The variable.
        name: String,
        /// The word, interpolated.
        reason: String,
    },
    /// An expression without an end.
    #[error("{0}")]
    Expression(String),
    /// Too deep or too long.
    #[error("variables are nested too deeply or the value grows too large")]
    TooLarge,
}

/// Where variables come from.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// Interpolates a text in which `${ … }` with white space after the brace is one of our expressions.
///
/// # Errors
/// When the text is not of Compose's form, a required variable is missing, or an expression has no end.
pub fn interpolate(text: &str, lookup: Lookup<'_>) -> Result<Outcome, TextError> {
    if !text.contains('$') {
        return Ok(plain(text));
    }
    let parts = consort_expression::template::scan(text)
        .map_err(|error| TextError::Expression(error.to_string()))?;
    let mut units = Vec::with_capacity(text.len());
    let mut expressions = Vec::new();
    for part in &parts {
        match part {
            consort_expression::template::Part::Text(range) => {
                units.extend(text[range.clone()].chars().map(Unit::Char))
            }
            consort_expression::template::Part::Expression { inner, .. } => {
                units.push(Unit::Expression(expressions.len()));
                expressions.push(text[inner.clone()].trim().to_owned());
            }
        }
    }
    run(&units, &expressions, lookup)
}

/// Interpolates by Compose's rules alone (`.env` files), where white space after the brace is a mistake.
///
/// # Errors
/// As [`interpolate`].
pub fn compose_only(text: &str, lookup: Lookup<'_>) -> Result<(String, Vec<String>), TextError> {
    if !text.contains('$') {
        return Ok((text.to_owned(), Vec::new()));
    }
    let units: Vec<Unit> = text.chars().map(Unit::Char).collect();
    let outcome = run(&units, &[], lookup)?;
    let text = outcome.parts.into_iter().map(|part| match part {
        TextPart::Text(text) | TextPart::Expression(text) => text,
    });
    Ok((text.collect(), outcome.unset))
}

fn plain(text: &str) -> Outcome {
    Outcome {
        parts: vec![TextPart::Text(text.to_owned())],
        unset: Vec::new(),
        used: false,
    }
}

fn run(units: &[Unit], expressions: &[String], lookup: Lookup<'_>) -> Result<Outcome, TextError> {
    let mut machine = Machine {
        lookup,
        out: Vec::new(),
        unset: Vec::new(),
        used: false,
    };
    machine.text(units, 0)?;
    let mut parts: Vec<TextPart> = Vec::new();
    for unit in machine.out {
        match (unit, parts.last_mut()) {
            (Unit::Char(c), Some(TextPart::Text(text))) => text.push(c),
            (Unit::Char(c), _) => parts.push(TextPart::Text(c.to_string())),
            (Unit::Expression(index), _) => {
                parts.push(TextPart::Expression(
                    expressions.get(index).cloned().unwrap_or_default(),
                ));
            }
        }
    }
    if parts.is_empty() {
        parts.push(TextPart::Text(String::new()));
    }
    Ok(Outcome {
        parts,
        unset: machine.unset,
        used: machine.used,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Char(char),
    Expression(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default,
    Alternative,
    Required,
}

struct Machine<'a> {
    lookup: Lookup<'a>,
    out: Vec<Unit>,
    unset: Vec<String>,
    used: bool,
}

impl Machine<'_> {
    fn push(&mut self, unit: Unit) -> Result<(), TextError> {
        if self.out.len() >= MAX_LENGTH {
            return Err(TextError::TooLarge);
        }
        self.out.push(unit);
        Ok(())
    }

    fn push_str(&mut self, text: &str) -> Result<(), TextError> {
        text.chars().try_for_each(|c| self.push(Unit::Char(c)))
    }

    fn text(&mut self, units: &[Unit], depth: usize) -> Result<(), TextError> {
        if depth > MAX_DEPTH {
            return Err(TextError::TooLarge);
        }
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            if *unit != Unit::Char('$') {
                self.push(*unit)?;
                at += 1;
                continue;
            }
            let name_end = name_end(units, at + 1);
            match units.get(at + 1) {
                Some(Unit::Char('$')) => {
                    self.push(Unit::Char('$'))?;
                    at += 2;
                }
                Some(Unit::Char('{')) => at = self.braced(units, at, depth)?,
                _ if name_end > at + 1 => {
                    self.plain_variable(&text_of(&units[at + 1..name_end]))?;
                    at = name_end;
                }
                _ => {
                    self.push(Unit::Char('$'))?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn plain_variable(&mut self, name: &str) -> Result<(), TextError> {
        match (self.lookup)(name) {
            Some(value) => {
                self.used = true;
                self.push_str(value)
            }
            None => {
                self.unset.push(name.to_owned());
                Ok(())
            }
        }
    }

    /// `${…}` at `at`; the place after it.
    fn braced(&mut self, units: &[Unit], at: usize, depth: usize) -> Result<usize, TextError> {
        let start = at + 2;
        let end = name_end(units, start);
        let invalid = || TextError::Invalid(excerpt(&units[at..]));
        if end == start {
            return Err(invalid());
        }
        let name = text_of(&units[start..end]);
        if units.get(end) == Some(&Unit::Char('}')) {
            self.plain_variable(&name)?;
            return Ok(end + 1);
        }
        let colon = units.get(end) == Some(&Unit::Char(':'));
        let operator = match units.get(end + usize::from(colon)) {
            Some(Unit::Char('-')) => Operator::Default,
            Some(Unit::Char('+')) => Operator::Alternative,
            Some(Unit::Char('?')) => Operator::Required,
            _ => return Err(invalid()),
        };
        let word = end + usize::from(colon) + 1;
        let close = closing(units, at)
            .filter(|close| *close >= word)
            .ok_or_else(invalid)?;
        self.operation(&name, operator, colon, &units[word..close], depth)?;
        Ok(close + 1)
    }

    fn operation(
        &mut self,
        name: &str,
        operator: Operator,
        colon: bool,
        word: &[Unit],
        depth: usize,
    ) -> Result<(), TextError> {
        let value = (self.lookup)(name);
        // With a colon, empty counts as unset.
        let present = value.filter(|value| !colon || !value.is_empty());
        match (operator, present) {
            (Operator::Alternative, Some(_)) | (Operator::Default, None) => {
                self.text(word, depth + 1)
            }
            (Operator::Alternative, None) => Ok(()),
            (Operator::Required, None) => {
                let mark = self.out.len();
                self.text(word, depth + 1)?;
                let reason = text_of(&self.out.split_off(mark));
                Err(TextError::Required {
                    name: name.to_owned(),
                    reason,
                })
            }
            (Operator::Default | Operator::Required, Some(value)) => {
                self.used = true;
                self.push_str(value)
            }
        }
    }
}

/// The place after the name that starts at `start`: `[_a-z][_a-z0-9]*`, case does not count.
fn name_end(units: &[Unit], start: usize) -> usize {
    let mut end = start;
    while let Some(Unit::Char(c)) = units.get(end) {
        let fits = *c == '_' || c.is_ascii_alphabetic() || (end > start && c.is_ascii_digit());
        if !fits {
            break;
        }
        end += 1;
    }
    end
}

/// The brace that ends the substitution at `at`. Compose takes the line up to its last `}`, then the
/// first `}` at which the braces balance, where each `{` counts and hides the character after it; if they
/// never balance, that last `}`.
fn closing(units: &[Unit], at: usize) -> Option<usize> {
    let mut depth = 0i64;
    let mut last = None;
    let mut index = at;
    let mut hidden = false;
    while let Some(unit) = units.get(index) {
        match unit {
            Unit::Char('\n') => break,
            Unit::Char('}') => {
                last = Some(index);
                if !hidden {
                    depth -= 1;
                    if depth == 0 {
                        return last;
                    }
                }
                hidden = false;
            }
            Unit::Char('{') if !hidden => {
                depth += 1;
                hidden = true;
            }
            _ => hidden = false,
        }
        index += 1;
    }
    last
}

fn text_of(units: &[Unit]) -> String {
    units
        .iter()
        .map(|unit| match unit {
            Unit::Char(c) => *c,
            Unit::Expression(_) => '…',
        })
        .collect()
}

fn excerpt(units: &[Unit]) -> String {
    let mut text = text_of(&units[..units.len().min(24)]);
    if units.len() > 24 {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<&'static str> {
        match name {
            "FOO" => Some("first"),
            "EMPTY" => Some(""),
            _ => None,
        }
    }

    fn parts(text: &str) -> Result<Vec<TextPart>, TextError> {
        interpolate(text, &env).map(|outcome| outcome.parts)
    }

    fn text(input: &str) -> Result<String, TextError> {
        compose_only(input, &env).map(|(text, _)| text)
    }

    #[test]
    fn the_table_of_the_compose_grammar_holds() {
        let table = [
            ("${U:-a:-b}", "a:-b"),
            ("${U-x?y}", "x?y"),
            ("${EMPTY?m}", ""),
            ("${U:-{\"a\":1}}", "{\"a\":1}"),
            ("${U:-}}", "}"),
            ("${U:-a}b}", "ab}"),
            ("${FOO:-x}-${B:-y}", "first-y"),
            ("${U:-$$x}", "$x"),
            ("$$$FOO", "$first"),
            ("^x$", "^x$"),
            ("a $ b", "a $ b"),
            ("$1A", "$1A"),
            ("$(cmd)", "$(cmd)"),
            ("$[a]", "$[a]"),
            ("$.x", "$.x"),
            ("{{ a }}", "{{ a }}"),
            ("#{a}", "#{a}"),
            ("@{a}", "@{a}"),
            ("$ref", ""),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${FOO:+o}", "o"),
            ("${EMPTY:+o}", ""),
            ("${EMPTY+o}", "o"),
            ("${U+o}", ""),
            ("${FOO:-${U:?boom}}", "first"),
            ("${U:-${V:-${FOO}}}", "first"),
            ("${FOO}bar", "firstbar"),
            ("$FOO-bar", "first-bar"),
            ("${U:-{}}", "{}"),
            ("$${FOO}", "${FOO}"),
            ("${U:-é}", "é"),
        ];
        for (input, expected) in table {
            assert_eq!(text(input).as_deref(), Ok(expected), "{input}");
            let joined: String = parts(input)
                .unwrap()
                .into_iter()
                .map(|part| match part {
                    TextPart::Text(text) => text,
                    TextPart::Expression(text) => panic!("{text}"),
                })
                .collect();
            assert_eq!(joined, expected, "{input}");
        }
    }

    #[test]
    fn what_compose_rejects_is_rejected() {
        for input in [
            "${U:-a\nb}",
            "${FOO:}",
            "${FOO!}",
            "${FOO/x/y}",
            "${#FOO}",
            "${FOO[0]}",
            "${FOO.x}",
            "${}",
            "${",
            "${{ a }}",
            "${FOO:-x",
        ] {
            assert!(
                matches!(text(input), Err(TextError::Invalid(_))),
                "{input}: {:?}",
                text(input)
            );
            assert!(parts(input).is_err(), "{input}");
        }
        assert!(matches!(text("${ FOO}"), Err(TextError::Invalid(_))));
        let missing = text("${U:?set U, not $FOO}").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "required variable U is missing a value: set U, not first"
        );
        assert_eq!(
            text("${EMPTY:?}").unwrap_err().to_string(),
            "required variable EMPTY is missing a value"
        );
    }

    #[test]
    fn unset_variables_are_named_only_where_they_count() {
        let (_, unset) = compose_only("$A ${B} ${C:-x} ${D-x} ${E+x} ${FOO:-$F}", &env).unwrap();
        assert_eq!(unset, ["A", "B"]);
    }

    fn t(text: &str) -> TextPart {
        TextPart::Text(text.to_owned())
    }
    fn e(text: &str) -> TextPart {
        TextPart::Expression(text.to_owned())
    }

    #[test]
    fn expressions_are_atoms() {
        let table = [
            ("${ .inputs.a }", vec![e(".inputs.a")]),
            ("a-${ .x }-$FOO", vec![t("a-"), e(".x"), t("-first")]),
            ("$${ .x }", vec![t("${ .x }")]),
            ("${U:-${ .inputs.a }}", vec![e(".inputs.a")]),
            ("${FOO:-${ .inputs.a }}", vec![t("first")]),
            ("${ . as $x | \"}\" + $x }", vec![e(". as $x | \"}\" + $x")]),
            ("${\n  .a\n}", vec![e(".a")]),
            ("${ .a }${ .b }", vec![e(".a"), e(".b")]),
        ];
        for (input, expected) in table {
            assert_eq!(parts(input), Ok(expected), "{input}");
        }
        assert!(matches!(parts("${ .a"), Err(TextError::Expression(_))));
    }

    #[test]
    fn growth_is_bounded() {
        let big = "x".repeat(1 << 18);
        let lookup = |_: &str| Some(big.as_str());
        assert_eq!(
            compose_only("$A$A$A$A$A", &lookup),
            Err(TextError::TooLarge)
        );
        let deep = format!("{}{}", "${U:-".repeat(100), "}".repeat(100));
        assert!(text(&deep).is_err());
        let wide = "${U:-x".repeat(20_000);
        assert!(text(&wide).is_err());
    }
}
