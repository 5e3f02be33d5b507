//! Small changes to a program before it is compiled: results of arithmetic get canonical numbers (jq
//! writes `6 / 2` as `3`, jaq as `3.0`), and what runs in this process gets its guards.

use crate::syntax::{
    BinaryOp, Def, Part, Path, Pattern, PatternOf, StrPartOf, Term, TermOf, literal_integer,
    literal_string,
};
use jaq_core::ops::Math;

/// Rewrites a term; `guarded` for one that runs in this process.
pub(crate) fn rewrite(term: Term<'_>, guarded: bool) -> Term<'_> {
    let again = |term| rewrite(term, guarded);
    let boxed = |term: Box<_>| Box::new(rewrite(*term, guarded));
    match term {
        TermOf::BinOp(left, BinaryOp::Math(op), right) => arithmetic(*left, op, *right, guarded),
        TermOf::BinOp(left, op, right) => {
            let op = match op {
                BinaryOp::Pipe(Some(pattern)) => {
                    BinaryOp::Pipe(Some(rewrite_pattern(pattern, guarded)))
                }
                other => other,
            };
            if matches!(
                op,
                BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt
            ) {
                return assignment(boxed(left), op, boxed(right));
            }
            TermOf::BinOp(boxed(left), op, boxed(right))
        }
        TermOf::Str(format, parts) => TermOf::Str(
            format,
            parts
                .into_iter()
                .map(|part| match part {
                    StrPartOf::Term(inner) => StrPartOf::Term(again(inner)),
                    other => other,
                })
                .collect(),
        ),
        TermOf::Arr(inner) => TermOf::Arr(inner.map(boxed)),
        TermOf::Obj(entries) => TermOf::Obj(
            entries
                .into_iter()
                .map(|(key, value)| (again(key), value.map(again)))
                .collect(),
        ),
        TermOf::Neg(inner) => TermOf::Neg(boxed(inner)),
        TermOf::Label(name, body) => TermOf::Label(name, boxed(body)),
        TermOf::Fold(word, source, pattern, arguments) => TermOf::Fold(
            word,
            boxed(source),
            rewrite_pattern(pattern, guarded),
            arguments.into_iter().map(again).collect(),
        ),
        TermOf::TryCatch(body, catch) => TermOf::TryCatch(boxed(body), catch.map(boxed)),
        TermOf::IfThenElse(branches, otherwise) => TermOf::IfThenElse(
            branches
                .into_iter()
                .map(|(condition, then)| (again(condition), again(then)))
                .collect(),
            otherwise.map(boxed),
        ),
        TermOf::Def(definitions, body) => {
            let definitions = definitions.into_iter().map(|definition| Def {
                name: definition.name,
                args: definition.args,
                body: again(definition.body),
            });
            TermOf::Def(definitions.collect(), boxed(body))
        }
        TermOf::Call(name, arguments) => {
            let arguments = arguments.into_iter().map(|argument| {
                let argument = again(argument);
                if guarded && name == "has" {
                    guard(argument, "!key")
                } else {
                    argument
                }
            });
            TermOf::Call(name, arguments.collect())
        }
        TermOf::Path(head, path) => {
            let parts = path
                .0
                .into_iter()
                .map(|(part, opt)| (rewrite_part(part, guarded), opt));
            TermOf::Path(boxed(head), Path(parts.collect()))
        }
        leaf @ (TermOf::Id
        | TermOf::Recurse
        | TermOf::Num(_)
        | TermOf::Break(_)
        | TermOf::Var(_)) => leaf,
    }
}

/// Only the end of a row such as `1 + 2 + 3` needs the canonical form: nothing looks at what is between.
fn arithmetic<'t>(left: Term<'t>, op: Math, right: Term<'t>, guarded: bool) -> Term<'t> {
    guard(operation(left, op, right, guarded), "!canonical")
}

fn operation<'t>(left: Term<'t>, op: Math, right: Term<'t>, guarded: bool) -> Term<'t> {
    let side = |term: Term<'t>| {
        let literal = matches!(term, TermOf::Num(_));
        let term = match term {
            TermOf::BinOp(left, BinaryOp::Math(op), right) => operation(*left, op, *right, guarded),
            other => rewrite(other, guarded),
        };
        if guarded && matches!(op, Math::Mul) && !literal {
            guard(term, "!number")
        } else {
            term
        }
    };
    TermOf::BinOp(
        Box::new(side(left)),
        BinaryOp::Math(op),
        Box::new(side(right)),
    )
}

/// No program can name it: the check of names would not know it.
const INPUT: &str = "$consort_input";

/// `l = r` as `. as $input | prepare_(l) | l = ($input | r)`, so that what is missing on the way is made.
fn assignment<'t>(left: Box<Term<'t>>, op: BinaryOp<&'t str>, right: Box<Term<'t>>) -> Term<'t> {
    let pipe = |left: Box<Term<'t>>, pattern, right: Term<'t>| {
        TermOf::BinOp(left, BinaryOp::Pipe(pattern), Box::new(right))
    };
    let prepare = Box::new(TermOf::Call("prepare_", vec![(*left).clone()]));
    if matches!(op, BinaryOp::Update) {
        return pipe(prepare, None, TermOf::BinOp(left, op, right));
    }
    let right = pipe(Box::new(TermOf::Var(INPUT)), None, *right);
    let update = TermOf::BinOp(left, op, Box::new(right));
    let prepared = pipe(prepare, None, update);
    pipe(Box::new(TermOf::Id), Some(PatternOf::Var(INPUT)), prepared)
}

fn guard<'t>(term: Term<'t>, native: &'static str) -> Term<'t> {
    let call = TermOf::Call(native, Vec::new());
    TermOf::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(call))
}

fn rewrite_part<'t>(part: Part<Term<'t>>, guarded: bool) -> Part<Term<'t>> {
    match part {
        Part::Index(index) => {
            let literal = literal_string(&index).is_some() || literal_integer(&index).is_some();
            let index = rewrite(index, guarded);
            Part::Index(if guarded && !literal {
                guard(index, "!key")
            } else {
                index
            })
        }
        Part::Range(from, to) => {
            let bound = |bound: Option<Term<'t>>| bound.map(|bound| rewrite(bound, guarded));
            Part::Range(bound(from), bound(to))
        }
    }
}

fn rewrite_pattern<'t>(pattern: Pattern<'t>, guarded: bool) -> Pattern<'t> {
    match pattern {
        PatternOf::Var(name) => PatternOf::Var(name),
        PatternOf::Arr(items) => PatternOf::Arr(
            items
                .into_iter()
                .map(|item| rewrite_pattern(item, guarded))
                .collect(),
        ),
        PatternOf::Obj(entries) => PatternOf::Obj(
            entries
                .into_iter()
                .map(|(key, item)| (rewrite(key, guarded), rewrite_pattern(item, guarded)))
                .collect(),
        ),
    }
}
