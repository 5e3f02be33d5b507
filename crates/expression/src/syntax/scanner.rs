//! The outermost layer of jq's grammar, without recursion: strings with `\( … )` in them, comments
//! and brackets. It finds where an expression ends and how deep it is nested.

/// What is open at some place of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    Brace,
    Bracket,
    Paren,
    Text,
    Interpolation,
}

/// What [`scan`] found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the `}` stands that closes what was open before the scan began.
    pub(crate) end: Option<usize>,
    /// The deepest nesting seen.
    pub(crate) depth: usize,
    /// What was still open at the end of the text, outermost first, and where.
    pub(crate) open: Vec<(Open, usize)>,
    /// A comment ran to the end of the text from here.
    pub(crate) comment: Option<usize>,
}

/// Deeper than any expression may be; the scan stops there.
const STOP: usize = 1_000;

/// Scans from byte `from`. With `to_brace`, stops at the first `}` that nothing inside opened.
pub(crate) fn scan(text: &str, from: usize, to_brace: bool) -> Scan {
    let bytes = text.as_bytes();
    let mut found = Scan::default();
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if found.open.len() > STOP {
            break;
        }
        let top = found.open.last().map(|(open, _)| *open);
        at += if top == Some(Open::Text) {
            in_text(bytes, at, &mut found.open)
        } else if byte == b'#' {
            match comment_end(bytes, at + 1) {
                Some(end) => end - at,
                None => {
                    found.comment = Some(at);
                    break;
                }
            }
        } else if byte == b'}' && to_brace && !blocks_end(&found.open) {
            found.end = Some(at);
            break;
        } else {
            outside_text(byte, at, top, &mut found.open);
            1
        };
        found.depth = found.depth.max(found.open.len());
    }
    found
}

fn blocks_end(open: &[(Open, usize)]) -> bool {
    open.iter()
        .any(|(open, _)| matches!(open, Open::Brace | Open::Text | Open::Interpolation))
}

/// Takes one step inside a string and says how many bytes it had.
fn in_text(bytes: &[u8], at: usize, open: &mut Vec<(Open, usize)>) -> usize {
    match (bytes[at], bytes.get(at + 1)) {
        (b'"', _) => {
            open.pop();
            1
        }
        (b'\\', Some(b'(')) => {
            open.push((Open::Interpolation, at));
            2
        }
        (b'\\', Some(_)) => 2,
        _ => 1,
    }
}

fn outside_text(byte: u8, at: usize, top: Option<Open>, open: &mut Vec<(Open, usize)>) {
    match (byte, top) {
        (b'"', _) => open.push((Open::Text, at)),
        (b'(', _) => open.push((Open::Paren, at)),
        (b'[', _) => open.push((Open::Bracket, at)),
        (b'{', _) => open.push((Open::Brace, at)),
        (b')', Some(Open::Paren | Open::Interpolation))
        | (b']', Some(Open::Bracket))
        | (b'}', Some(Open::Brace)) => {
            open.pop();
        }
        _ => {}
    }
}

/// Where the line after a comment begins. A line that ends with an odd number of backslashes goes on.
fn comment_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let line = &rest[..length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        at += length + 1;
        if line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0 {
            return Some(at);
        }
    }
}
