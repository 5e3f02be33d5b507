//! What may run in this process: terms and functions that end soon, allocate little, and recurse no
//! deeper than their text and input. All else of jq runs in the helper.

use crate::limits::{MAX_FAST_CHAIN, MAX_FAST_NESTING, MAX_FAST_TEXT, MAX_WEIGHT};
use crate::syntax::{BinaryOp, Parsed, Part, StrPartOf, Term, TermOf, literal_string};

use super::growth::{self, Growth};

/// Why an expression must run in the helper.
pub(crate) type Reason = String;

/// How many values a term may yield for one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Yields {
    /// At most one.
    One,
    /// Several, and no term may multiply them.
    Many,
}

/// Checks a program and says how it grows.
pub(crate) fn check(text: &str, parsed: &Parsed<'_>) -> Result<Growth, Reason> {
    if text.len() > MAX_FAST_TEXT {
        return Err(format!("it has more than {MAX_FAST_TEXT} bytes"));
    }
    if parsed.nesting > MAX_FAST_NESTING {
        return Err(format!("it is nested more than {MAX_FAST_NESTING} deep"));
    }
    if parsed.chain > MAX_FAST_CHAIN {
        return Err(format!("it has more than {MAX_FAST_CHAIN} parts in a row"));
    }
    Check { repeated: false }.term(&parsed.term)?;
    let growth = growth::of(&parsed.term);
    if growth.weight > MAX_WEIGHT {
        return Err(format!(
            "it may write its input {} times, more than {MAX_WEIGHT}",
            growth.weight
        ));
    }
    if growth.depth > MAX_FAST_CHAIN {
        return Err("it builds deeply nested values".to_owned());
    }
    Ok(growth)
}

/// `repeated`: the term runs once for each value of something, so that it must not yield several
/// values for each, nor do work that is not small.
#[derive(Clone, Copy)]
struct Check {
    repeated: bool,
}

impl Check {
    fn term(self, term: &Term<'_>) -> Result<Yields, Reason> {
        match term {
            TermOf::Id | TermOf::Num(_) | TermOf::Var(_) | TermOf::Arr(None) => Ok(Yields::One),
            TermOf::Str(format, parts) => self.text(*format, parts),
            TermOf::Arr(Some(inner)) => self.term(inner).map(|_| Yields::One),
            TermOf::Obj(entries) => {
                let parts = entries
                    .iter()
                    .flat_map(|(key, value)| std::iter::once(key).chain(value));
                self.together(parts)
            }
            TermOf::Neg(inner) => self.term(inner),
            TermOf::BinOp(left, op, right) => self.operator(left, op, right),
            TermOf::TryCatch(body, catch) => {
                let caught = catch
                    .as_ref()
                    .map_or(Ok(Yields::One), |catch| self.term(catch))?;
                Ok(self.term(body)?.max(caught))
            }
            TermOf::IfThenElse(branches, otherwise) => {
                self.branches(branches, otherwise.as_deref())
            }
            TermOf::Call(name, arguments) => self.call(name, arguments),
            TermOf::Path(head, path) => {
                let mut yields = self.term(head)?;
                for (part, _) in &path.0 {
                    yields = self.part(part, yields)?;
                }
                Ok(yields)
            }
            TermOf::Recurse => Err("it uses `..`".to_owned()),
            TermOf::Label(..) | TermOf::Break(_) => Err("it uses `label`".to_owned()),
            TermOf::Fold(word, ..) => Err(format!("it uses `{word}`")),
            TermOf::Def(..) => Err("it defines functions with `def`".to_owned()),
        }
    }

    /// Terms of which one may yield several values: their product is made.
    fn together<'a, 't: 'a>(
        self,
        terms: impl Iterator<Item = &'a Term<'t>>,
    ) -> Result<Yields, Reason> {
        let mut yields = Yields::One;
        for term in terms {
            let one = if yields == Yields::Many {
                self.once_each(term)?
            } else {
                self.term(term)?
            };
            yields = yields.max(one);
        }
        Ok(yields)
    }

    /// A term that runs once for each of several values.
    fn once_each(self, term: &Term<'_>) -> Result<Yields, Reason> {
        match (Self { repeated: true }).term(term)? {
            Yields::One => Ok(Yields::One),
            Yields::Many => Err("one generator is inside another".to_owned()),
        }
    }

    fn generator(self) -> Result<Yields, Reason> {
        if self.repeated {
            return Err("one generator is inside another".to_owned());
        }
        Ok(Yields::Many)
    }

    fn text(
        self,
        format: Option<&str>,
        parts: &[crate::syntax::StrPart<'_>],
    ) -> Result<Yields, Reason> {
        if let Some(format) = format {
            self.call(format, &[])?;
        }
        self.together(parts.iter().filter_map(|part| match part {
            StrPartOf::Term(inner) => Some(inner),
            StrPartOf::Str(_) | StrPartOf::Char(_) => None,
        }))
    }

    fn operator(
        self,
        left: &Term<'_>,
        op: &BinaryOp<&str>,
        right: &Term<'_>,
    ) -> Result<Yields, Reason> {
        match op {
            BinaryOp::Pipe(None) => match self.term(left)? {
                Yields::One => self.term(right),
                Yields::Many => self.once_each(right).map(|_| Yields::Many),
            },
            BinaryOp::Pipe(Some(_)) => Err("it binds a variable with `as`".to_owned()),
            BinaryOp::Comma => {
                // As many values as the text has commas; the growth bound counts them. In a repeated
                // term they must stay inside an array.
                self.term(left)?;
                self.term(right)?;
                Ok(Yields::Many)
            }
            BinaryOp::Or | BinaryOp::And | BinaryOp::Cmp(_) | BinaryOp::Math(_) | BinaryOp::Alt => {
                self.together([left, right].into_iter())
            }
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                Err("it assigns".to_owned())
            }
        }
    }

    fn branches(
        self,
        branches: &[(Term<'_>, Term<'_>)],
        otherwise: Option<&Term<'_>>,
    ) -> Result<Yields, Reason> {
        let mut yields = Yields::One;
        let mut after = self;
        for (condition, then) in branches {
            if after.term(condition)? == Yields::Many {
                (yields, after) = (Yields::Many, Self { repeated: true });
            }
            yields = yields.max(after.term(then)?);
        }
        let rest = otherwise.map_or(Ok(Yields::One), |otherwise| after.term(otherwise))?;
        Ok(yields.max(rest))
    }

    fn part(self, part: &Part<Term<'_>>, before: Yields) -> Result<Yields, Reason> {
        let one = |term: &Term<'_>| match before {
            Yields::One => self.term(term),
            Yields::Many => self.once_each(term),
        };
        match part {
            Part::Index(index) => Ok(one(index)?.max(before)),
            // The parts of parts are no more than the whole.
            Part::Range(None, None) if before == Yields::Many => Ok(Yields::Many),
            Part::Range(None, None) => self.generator(),
            Part::Range(from, to) => {
                let mut yields = before;
                for bound in from.iter().chain(to) {
                    if one(bound)? == Yields::Many {
                        return Err("the bounds of a slice are generated".to_owned());
                    }
                    yields = yields.max(Yields::One);
                }
                Ok(yields)
            }
        }
    }

    fn call(self, name: &str, arguments: &[Term<'_>]) -> Result<Yields, Reason> {
        let refused = || Err(format!("it calls `{name}`"));
        match (name, arguments) {
            (name, []) if PLAIN.contains(&name) => Ok(Yields::One),
            ("template", _) if self.repeated => refused(),
            (name, arguments) if WITH_VALUES.contains(&(name, arguments.len())) => {
                self.together(arguments.iter())
            }
            ("select", [condition]) => self.together(std::iter::once(condition)),
            (
                "map" | "any" | "all" | "sort_by" | "group_by" | "unique_by" | "min_by" | "max_by",
                [each],
            ) => {
                if self.repeated {
                    return Err("one generator is inside another".to_owned());
                }
                self.once_each(each)
            }
            ("contains", [constant]) => {
                let small = size(constant).is_some_and(|size| size <= LONGEST_LITERAL);
                if small { Ok(Yields::One) } else { refused() }
            }
            ("split" | "join" | "test", [literal]) => {
                let short =
                    literal_string(literal).is_some_and(|text| text.len() <= LONGEST_LITERAL);
                let number_free = short && !(name == "test" && self.repeated);
                if number_free {
                    Ok(Yields::One)
                } else {
                    refused()
                }
            }
            _ => refused(),
        }
    }
}

/// The size of a constant, in bytes; `None` for what is none.
fn size(term: &Term<'_>) -> Option<usize> {
    match term {
        TermOf::Str(..) => literal_string(term).map(|text| text.len() + 2),
        TermOf::Num(digits) => Some(digits.len()),
        TermOf::Arr(None) | TermOf::Call("true" | "false" | "null", _) => Some(4),
        TermOf::Arr(Some(inner)) => size(inner).map(|size| size + 2),
        TermOf::BinOp(left, BinaryOp::Comma, right) => Some(size(left)? + size(right)? + 1),
        TermOf::Obj(entries) => entries
            .iter()
            .map(|(key, value)| Some(size(key)? + size(value.as_ref()?)? + 2))
            .try_fold(2, |sum: usize, entry| Some(sum + entry?)),
        _ => None,
    }
}

/// Longest literal of `split`, `join`, `contains` and `test`, in bytes: `join` writes it between all
/// items, `contains` searches it everywhere.
const LONGEST_LITERAL: usize = 256;

/// Functions without arguments.
const PLAIN: &[&str] = &[
    "length",
    "keys",
    "keys_unsorted",
    "not",
    "type",
    "tostring",
    "tonumber",
    "add",
    "any",
    "all",
    "first",
    "last",
    "min",
    "max",
    "sort",
    "unique",
    "reverse",
    "to_entries",
    "from_entries",
    "ascii_downcase",
    "ascii_upcase",
    "trim",
    "ltrim",
    "rtrim",
    "floor",
    "ceil",
    "round",
    "abs",
    "tojson",
    "now",
    "true",
    "false",
    "null",
    "empty",
    "error",
    "values",
    "toarray",
    "sha256",
    "base64",
    "base64d",
    "@text",
    "@json",
    "@base64",
    "@base64d",
    "@uri",
    "@html",
];

/// Functions that evaluate each argument once, on their input.
const WITH_VALUES: &[(&str, usize)] = &[
    ("has", 1),
    ("startswith", 1),
    ("endswith", 1),
    ("ltrimstr", 1),
    ("rtrimstr", 1),
    ("trimstr", 1),
    ("error", 1),
    ("file", 1),
    ("template", 2),
    ("cidrhost", 2),
    ("cidrsubnet", 3),
    ("cidrnetmask", 1),
    ("cidrcontains", 2),
];
