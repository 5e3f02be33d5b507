//! Temporary stand-in with the signature of `consort_expression::template`.
use std::ops::Range;

#[derive(Debug)]
pub(super) enum Part { Text(Range<usize>), Expression { #[allow(dead_code)] outer: Range<usize>, inner: Range<usize> } }
#[derive(Debug, thiserror::Error)]
#[error("the expression that starts here has no matching `}}`")]
pub(super) struct ScanError;

pub(super) fn scan(text: &str) -> Result<Vec<Part>, ScanError> {
    let b = text.as_bytes();
    let (mut parts, mut start, mut i) = (Vec::new(), 0, 0);
    while i < b.len() {
        if b[i] == b'$' && b.get(i + 1) == Some(&b'$') { i += 2; continue; }
        if b[i] == b'$' && b.get(i + 1) == Some(&b'{') && b.get(i + 2).is_some_and(|c| matches!(c, b' ' | b'\t' | b'\n' | b'\r')) {
            let mut depth = 1; let mut j = i + 2; let mut s = false;
            while depth > 0 {
                match b.get(j) { None => return Err(ScanError), Some(b'\\') if s => j += 1, Some(b'"') => s = !s, Some(b'{') if !s => depth += 1, Some(b'}') if !s => depth -= 1, _ => {} }
                j += 1;
            }
            if i > start { parts.push(Part::Text(start..i)); }
            parts.push(Part::Expression { outer: i..j, inner: i + 2..j - 1 });
            start = j; i = j; continue;
        }
        i += 1;
    }
    if start < b.len() { parts.push(Part::Text(start..b.len())); }
    Ok(parts)
}
