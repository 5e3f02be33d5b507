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
        if state.escaped {
            state.word.push(c);
            state.escaped = false;
            state.begun = true;
            continue;
        }
        if c == '\\' {
            if state.single {
                state.word.push(c);
            } else {
                state.escaped = true;
            }
            continue;
        }
        let quoted = state.single || state.double || state.back || state.dollar;
        if matches!(c, ' ' | '\t' | '\r' | '\n') {
            if quoted {
                state.word.push(c);
            } else {
                state.end_word();
            }
            continue;
        }
        match c {
            '`' if !state.single && !state.double && !state.dollar => state.back = !state.back,
            ')' if !state.single && !state.double && !state.back => state.dollar = !state.dollar,
            '(' if !state.single && !state.double && !state.back => {
                if state.dollar || !state.word.ends_with('$') {
                    return Err(wrong());
                }
                state.dollar = true;
                state.word.push('(');
                continue;
            }
            '"' if !state.single && !state.dollar => {
                state.begun |= state.double;
                state.double = !state.double;
                continue;
            }
            '\'' if !state.double && !state.dollar => {
                state.begun |= state.single;
                state.single = !state.single;
                continue;
            }
            ';' | '&' | '|' | '<' | '>' if !quoted => {
                if c == '>' && state.word.starts_with(|first: char| first.is_ascii_digit()) {
                    // `2>` is a redirection: the digit is not a word.
                    state.begun = false;
                }
                cut_at = Some(c);
                break;
            }
            _ => {}
        }
        state.begun = true;
        state.word.push(c);
    }
    if state.escaped || state.single || state.double || state.back || state.dollar {
        return Err(wrong());
    }
    state.end_word();
    Ok(Words { words: state.words, cut_at })
}

impl State {
    fn end_word(&mut self) {
        if self.begun {
            self.words.push(std::mem::take(&mut self.word));
            self.begun = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_compose_splits_them() {
        let table: &[(&str, &[&str])] = &[
            ("a b \"c d\"", &["a", "b", "c d"]), ("", &[]), ("''", &[""]), ("a\\ b", &["a b"]), ("'a\\b'", &["a\\b"]),
            ("echo $(date +%s) x", &["echo", "$(date +%s)", "x"]), ("a; b", &["a"]), ("cmd 2>/dev/null", &["cmd"]),
            ("x`a b`y", &["x`a b`y"]), ("  a\n b ", &["a", "b"]),
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
