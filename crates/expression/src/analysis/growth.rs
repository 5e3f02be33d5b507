//! How much larger than its input the values of a whitelisted program can get, as text and in depth.
//! A short pipeline such as `[.,.] | [.,.] | …` is small in memory, where it shares, and exponential
//! when written out.

use crate::syntax::{BinaryOp, StrPartOf, Term, TermOf, literal_string, visit};

/// Bounds on the values of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Copies of the input that may be written out.
    pub(crate) weight: u64,
    /// Levels of arrays and objects that it may add.
    pub(crate) depth: usize,
    /// It takes arrays or objects apart, so literals may be repeated for each item.
    pub(crate) repeats: bool,
    /// It makes items out of text, as many as there are bytes.
    pub(crate) splits: bool,
}

/// Bounds of a program that the whitelist allows.
pub(crate) fn of(term: &Term<'_>) -> Growth {
    Growth {
        weight: weight(term),
        depth: depth(term),
        repeats: repeats(term),
        splits: splits(term),
    }
}

fn weight(term: &Term<'_>) -> u64 {
    match term {
        TermOf::Id | TermOf::Var(_) => 1,
        TermOf::Str(format, parts) => {
            let each = format.map_or(WRITTEN, call_weight);
            let parts = parts.iter().map(|part| match part {
                StrPartOf::Term(inner) => weight(inner).saturating_mul(each),
                StrPartOf::Str(_) | StrPartOf::Char(_) => 0,
            });
            parts.fold(0, u64::saturating_add)
        }
        TermOf::Path(head, path) => {
            let mut sum = weight(head).max(1);
            for (part, _) in &path.0 {
                visit::part_terms(part, &mut |inner| sum = sum.saturating_add(weight(inner)));
            }
            sum
        }
        TermOf::BinOp(left, BinaryOp::Pipe(None), right) => {
            weight(left).max(1).saturating_mul(weight(right).max(1))
        }
        TermOf::BinOp(left, BinaryOp::Math(jaq_core::ops::Math::Div), right)
            if !matches!(**right, TermOf::Num(_)) =>
        {
            // Of text, division is a split.
            weight(left)
                .saturating_add(weight(right))
                .saturating_mul(SPLIT)
        }
        // `{a}` is `{a: .a}`.
        TermOf::Obj(entries) => entries
            .iter()
            .map(|(key, value)| weight(key).saturating_add(value.as_ref().map_or(1, weight)))
            .fold(0, u64::saturating_add),
        TermOf::Call(name, arguments) => call(name, arguments),
        _ => {
            let mut sum: u64 = 0;
            visit::children(term, &mut |child| sum = sum.saturating_add(weight(child)));
            sum
        }
    }
}

fn call(name: &str, arguments: &[Term<'_>]) -> u64 {
    let arguments_weight = arguments.iter().map(weight).fold(0, u64::saturating_add);
    match (name, arguments) {
        // Their argument gets the input or its parts, which are no more than the whole.
        ("map" | "any" | "all" | "select", _) => arguments_weight.max(1),
        ("join", [separator]) => {
            1 + literal_string(separator).map_or(MAX_JOIN, |text| text.len() as u64)
        }
        _ => arguments_weight
            .saturating_add(1)
            .saturating_mul(call_weight(name)),
    }
}

/// Text written as JSON again: every byte may get an escape. Bytes of the input are counted as JSON,
/// so the first writing is paid for.
const WRITTEN: u64 = 2;
/// A string of one-byte pieces as an array: `"a",` for each.
const SPLIT: u64 = 4;
const MAX_JOIN: u64 = 1 << 20;

/// How many bytes of output a function may write for one of its input.
fn call_weight(name: &str) -> u64 {
    match name {
        "tostring" | "tojson" | "@text" | "@json" | "@base64" | "base64" => WRITTEN,
        "@uri" => 3,
        "split" => SPLIT,
        "@html" => 6,
        "to_entries" => 8,
        "from_entries" | "group_by" => 2,
        _ => 1,
    }
}

/// Levels that a term may add to the deepest value that it sees.
fn depth(term: &Term<'_>) -> usize {
    match term {
        TermOf::Arr(Some(inner)) => 1 + depth(inner),
        TermOf::Arr(None) => 1,
        TermOf::Obj(entries) => {
            let parts = entries
                .iter()
                .flat_map(|(key, value)| std::iter::once(key).chain(value));
            1 + parts.map(depth).max().unwrap_or(0)
        }
        TermOf::BinOp(left, BinaryOp::Pipe(_), right) => depth(left) + depth(right),
        TermOf::Call("to_entries" | "group_by", arguments) => 2 + sum(arguments),
        TermOf::Call(_, arguments) => 1 + sum(arguments),
        TermOf::Path(head, path) => {
            let mut total = depth(head);
            for (part, _) in &path.0 {
                visit::part_terms(part, &mut |inner| total += depth(inner));
            }
            total
        }
        _ => {
            let mut deepest = 0;
            visit::children(term, &mut |child| deepest = deepest.max(depth(child)));
            deepest
        }
    }
}

fn sum(terms: &[Term<'_>]) -> usize {
    terms.iter().map(depth).sum()
}

fn any(term: &Term<'_>, test: fn(&Term<'_>) -> bool) -> bool {
    let mut found = test(term);
    visit::children(term, &mut |child| found = found || any(child, test));
    found
}

fn repeats(term: &Term<'_>) -> bool {
    any(term, |term| match term {
        TermOf::Path(_, path) => path
            .0
            .iter()
            .any(|(part, _)| matches!(part, crate::syntax::Part::Range(None, None))),
        TermOf::Call(name, _) => {
            matches!(
                *name,
                "map"
                    | "any"
                    | "all"
                    | "sort_by"
                    | "group_by"
                    | "unique_by"
                    | "min_by"
                    | "max_by"
                    | "join"
                    | "keys"
                    | "to_entries"
            )
        }
        _ => false,
    })
}

fn splits(term: &Term<'_>) -> bool {
    any(term, |term| match term {
        TermOf::Call(name, _) => *name == "split",
        TermOf::BinOp(_, BinaryOp::Math(jaq_core::ops::Math::Div), _) => true,
        _ => false,
    })
}
