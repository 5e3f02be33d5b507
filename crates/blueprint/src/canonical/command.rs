//! Text of a command to words, as docker compose splits it (go-shellwords); no shell is run.

/// The words, and whether text after a shell operator was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In order.
    pub words: Vec<String>,
    /// The operator at which Compose stops, if there is one.
    pub cut_at: Option<char>,
}

/// Text that is not a line of words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be split into words: a quote, a bracket or a backslash is left open")]
pub struct WordsError(String);

#[derive(Default)]
struct State {
    escaped: bool,
    double: bool,
    single: bool,
    back: bool,
    dollar: bool,
    word: String,
    /// A word has begun, be it empty.
    begun: bool,
    words: Vec<String>,
}

/// Splits a line.
///
/// # Errors
/// When a quote or bracket is left open.
pub fn split(line: &str) -> Result<Words, WordsError> {
    let wrong = || WordsError(line.chars().take(60).collect());
    let mut state = State::default();
    let mut cut_at = None;
    for c in line.chars() {
        match state.take(c) {
            Step::GoOn => {}
            Step::Stop => {
                cut_at = Some(c);
                break;
            }
            Step::Wrong => return Err(wrong()),
        }
    }
    if state.escaped || state.quoted() {
        return Err(wrong());
    }
    state.end_word();
    Ok(Words {
        words: state.words,
        cut_at,
    })
}

enum Step {
    GoOn,
    Stop,
    Wrong,
}

impl State {
    fn quoted(&self) -> bool {
        self.single || self.double || self.back || self.dollar
    }

    fn end_word(&mut self) {
        if self.begun {
            self.words.push(std::mem::take(&mut self.word));
            self.begun = false;
        }
    }

    fn push(&mut self, c: char) -> Step {
        self.begun = true;
        self.word.push(c);
        Step::GoOn
    }

    fn take(&mut self, c: char) -> Step {
        if self.escaped {
            self.escaped = false;
            return self.push(c);
        }
        match c {
            '\\' if self.single => self.word.push(c),
            '\\' => self.escaped = true,
            ' ' | '\t' | '\r' | '\n' if self.quoted() => self.word.push(c),
            ' ' | '\t' | '\r' | '\n' => self.end_word(),
            _ => return self.mark(c),
        }
        Step::GoOn
    }

    /// Quotes, brackets and operators of a shell.
    fn mark(&mut self, c: char) -> Step {
        match c {
            '`' if !self.single && !self.double && !self.dollar => self.back = !self.back,
            ')' if !self.single && !self.double && !self.back => self.dollar = !self.dollar,
            '(' if !self.single && !self.double && !self.back => {
                if self.dollar || !self.word.ends_with('$') {
                    return Step::Wrong;
                }
                self.dollar = true;
            }
            '"' if !self.single && !self.dollar => {
                self.begun |= self.double;
                self.double = !self.double;
                return Step::GoOn;
            }
            '\'' if !self.double && !self.dollar => {
                self.begun |= self.single;
                self.single = !self.single;
                return Step::GoOn;
            }
            ';' | '&' | '|' | '<' | '>' if !self.quoted() => {
                if c == '>' && self.word.starts_with(|first: char| first.is_ascii_digit()) {
                    // `2>` is a redirection: the digit is not a word.
                    self.begun = false;
                }
                return Step::Stop;
            }
            _ => {}
        }
        self.push(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_compose_splits_them() {
        let table: &[(&str, &[&str])] = &[
            ("a b \"c d\"", &["a", "b", "c d"]),
            ("", &[]),
            ("''", &[""]),
            ("a\\ b", &["a b"]),
            ("'a\\b'", &["a\\b"]),
            ("echo $(date +%s) x", &["echo", "$(date +%s)", "x"]),
            ("a; b", &["a"]),
            ("cmd 2>/dev/null", &["cmd"]),
            ("x`a b`y", &["x`a b`y"]),
            ("  a\n b ", &["a", "b"]),
        ];
        for (line, words) in table {
            assert_eq!(split(line).unwrap().words, *words, "{line}");
        }
        assert_eq!(split("a | b").unwrap().cut_at, Some('|'));
        for line in ["'a", "\"a", "a\\", "f(x)", "`a"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
