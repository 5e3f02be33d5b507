//! The direct children of a term, and all of its calls.

use super::{BinaryOp, Part, Pattern, PatternOf, StrPartOf, Term, TermOf};

/// Visits the terms directly inside, in the order of the text.
pub(crate) fn children<'a, 't>(term: &'a Term<'t>, visit: &mut dyn FnMut(&'a Term<'t>)) {
    match term {
        TermOf::Id
        | TermOf::Recurse
        | TermOf::Num(_)
        | TermOf::Break(_)
        | TermOf::Var(_)
        | TermOf::Arr(None) => {}
        TermOf::Str(_, parts) => parts.iter().for_each(|part| {
            if let StrPartOf::Term(inner) = part {
                visit(inner);
            }
        }),
        TermOf::Arr(Some(inner)) | TermOf::Neg(inner) | TermOf::Label(_, inner) => visit(inner),
        TermOf::Obj(entries) => entries.iter().for_each(|(key, value)| {
            visit(key);
            value.iter().for_each(&mut *visit);
        }),
        TermOf::BinOp(left, op, right) => {
            visit(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_terms(pattern, visit);
            }
            visit(right);
        }
        TermOf::Fold(_, source, pattern, arguments) => {
            visit(source);
            pattern_terms(pattern, visit);
            arguments.iter().for_each(visit);
        }
        TermOf::TryCatch(body, catch) => {
            visit(body);
            catch.iter().for_each(|catch| visit(catch));
        }
        TermOf::IfThenElse(branches, otherwise) => {
            branches.iter().for_each(|(condition, then)| {
                visit(condition);
                visit(then);
            });
            otherwise.iter().for_each(|otherwise| visit(otherwise));
        }
        TermOf::Def(definitions, body) => {
            definitions
                .iter()
                .for_each(|definition| visit(&definition.body));
            visit(body);
        }
        TermOf::Call(_, arguments) => arguments.iter().for_each(visit),
        TermOf::Path(head, path) => {
            visit(head);
            path.0.iter().for_each(|(part, _)| part_terms(part, visit));
        }
    }
}

/// Visits the terms of one part of a path.
pub(crate) fn part_terms<'a, 't>(part: &'a Part<Term<'t>>, visit: &mut dyn FnMut(&'a Term<'t>)) {
    match part {
        Part::Index(index) => visit(index),
        Part::Range(from, to) => from.iter().chain(to).for_each(visit),
    }
}

/// Visits the terms of a pattern: the keys of objects.
pub(crate) fn pattern_terms<'a, 't>(pattern: &'a Pattern<'t>, visit: &mut dyn FnMut(&'a Term<'t>)) {
    match pattern {
        PatternOf::Var(_) => {}
        PatternOf::Arr(items) => items.iter().for_each(|item| pattern_terms(item, visit)),
        PatternOf::Obj(entries) => entries.iter().for_each(|(key, item)| {
            visit(key);
            pattern_terms(item, visit);
        }),
    }
}

/// The variables that a pattern binds, with their `$`.
pub(crate) fn pattern_variables<'a, 't>(pattern: &'a Pattern<'t>, visit: &mut dyn FnMut(&'t str)) {
    match pattern {
        PatternOf::Var(name) => visit(name),
        PatternOf::Arr(items) => items.iter().for_each(|item| pattern_variables(item, visit)),
        PatternOf::Obj(entries) => entries
            .iter()
            .for_each(|(_, item)| pattern_variables(item, visit)),
    }
}

/// Visits name and number of arguments of every call, of formats such as `@json` too.
pub(crate) fn calls<'t>(term: &Term<'t>, visit: &mut dyn FnMut(&'t str, usize)) {
    match term {
        TermOf::Call(name, arguments) => visit(name, arguments.len()),
        TermOf::Str(Some(format), _) => visit(format, 0),
        _ => {}
    }
    children(term, &mut |child| calls(child, visit));
}
