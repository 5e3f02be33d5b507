//! Which definitions and natives a program needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jaq_core::load;
use jaq_core::native::Fun;

use super::{natives, withheld};
use crate::interpreter::Interpreter;
use crate::scope::Scope;
use crate::syntax::{Def, Term, visit};

type Signature = (&'static str, usize);

/// Everything that can be linked.
struct Library {
    definitions: Vec<Definition>,
    /// The last definition of each signature: the one that programs see.
    latest: BTreeMap<Signature, usize>,
    native_index: BTreeMap<Signature, usize>,
}

struct Definition {
    syntax: Def<'static>,
    /// Definitions and natives that its body calls, as jaq resolves them: the nearest one before.
    calls: Vec<Target>,
}

#[derive(Clone, Copy)]
enum Target {
    Definition(usize),
    Native(usize),
}

/// The part of the library that one program needs, in the order in which it must be defined.
pub(crate) struct Linked {
    pub(crate) definitions: Vec<Def<'static>>,
    pub(crate) natives: Vec<Fun<Interpreter>>,
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(build)
}

fn build() -> Library {
    let natives: Vec<_> = natives::all()
        .map(|(name, arguments, _)| (name, arguments.len()))
        .collect();
    let native_index: BTreeMap<_, _> = natives
        .into_iter()
        .enumerate()
        .rev()
        .map(|(at, signature)| (signature, at))
        .collect();
    let prelude = load::parse(include_str!("prelude.jq"), |parser| parser.defs());
    let syntax = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .filter(|definition| !withheld::DEFINITIONS.contains(&definition.name))
        .chain(prelude.expect("invariant: the prelude is valid, a test compiles all of it"));
    let mut latest: BTreeMap<Signature, usize> = BTreeMap::new();
    let mut definitions = Vec::new();
    for (at, syntax) in syntax.enumerate() {
        let signature = (syntax.name, syntax.args.len());
        let mut calls = Vec::new();
        visit::calls(&syntax.body, &mut |name, arity| {
            if (name, arity) == signature {
                return;
            }
            calls.extend(resolve(&latest, &native_index, name, arity));
        });
        definitions.push(Definition { syntax, calls });
        latest.insert(signature, at);
    }
    Library {
        definitions,
        latest,
        native_index,
    }
}

fn resolve(
    latest: &BTreeMap<Signature, usize>,
    natives: &BTreeMap<Signature, usize>,
    name: &str,
    arity: usize,
) -> Option<Target> {
    let definition = latest
        .get(&(name, arity) as &(&str, usize))
        .copied()
        .map(Target::Definition);
    definition.or_else(|| {
        natives
            .get(&(name, arity) as &(&str, usize))
            .copied()
            .map(Target::Native)
    })
}

/// Collects what `term` calls. Names that it defines itself may be linked needlessly, never missed.
pub(crate) fn link(term: &Term<'_>) -> Linked {
    let library = library();
    let mut definitions = BTreeSet::new();
    let mut natives = BTreeSet::new();
    let mut open = Vec::new();
    visit::calls(term, &mut |name, arity| {
        open.extend(resolve(&library.latest, &library.native_index, name, arity));
    });
    while let Some(target) = open.pop() {
        match target {
            Target::Definition(at) => {
                if definitions.insert(at) {
                    open.extend(&library.definitions[at].calls);
                }
            }
            Target::Native(at) => {
                natives.insert(at);
            }
        }
    }
    Linked {
        definitions: definitions
            .into_iter()
            .map(|at| library.definitions[at].syntax.clone())
            .collect(),
        natives: pick(&natives),
    }
}

/// The natives at these positions. They cannot be cloned, so the table is made anew when one is needed.
fn pick(positions: &BTreeSet<usize>) -> Vec<Fun<Interpreter>> {
    let Some(last) = positions.last() else {
        return Vec::new();
    };
    let table = natives::all().enumerate().take(last + 1);
    table
        .filter(|(at, _)| positions.contains(at))
        .map(|(_, native)| native)
        .collect()
}

/// A definition or native of this name and number of arguments exists for programs.
pub(crate) fn exists(name: &str, arity: usize) -> bool {
    !name.starts_with('!')
        && resolve(&library().latest, &library().native_index, name, arity).is_some()
}

/// Every name that programs may call, with its number of arguments.
pub(crate) fn user_names(scope: &Scope) -> impl Iterator<Item = Signature> + '_ {
    let library = library();
    let names: BTreeSet<_> = library
        .latest
        .keys()
        .chain(library.native_index.keys())
        .copied()
        .collect();
    names.into_iter().filter(|(name, _)| {
        !name.starts_with('!')
            && !name.ends_with('_')
            && withheld::withheld_function(name, scope).is_none()
    })
}

/// The name most like this one.
pub(crate) fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.chars().count() / 3).max(1);
    among
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_library_links_and_compiles() {
        let scope = Scope {
            clock: true,
            files: true,
            ..Scope::default()
        };
        let mut count = 0;
        for (name, arity) in user_names(&scope) {
            let arguments = vec!["."; arity].join("; ");
            let text = if arity == 0 {
                name.to_owned()
            } else {
                format!("{name}({arguments})")
            };
            let program = crate::compile(&format!("def f: {text}; f"), &scope);
            assert!(program.is_ok(), "{text}: {program:?}");
            let parsed = crate::syntax::parse(&text).unwrap();
            let compiled = crate::interpreter::compile(parsed.term, &[]);
            assert!(compiled.is_ok(), "{text}: {:?}", compiled.err());
            count += 1;
        }
        assert!(count > 200, "{count}");
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(
            nearest("lenght", ["length", "keys"].into_iter()),
            Some("length")
        );
        assert_eq!(nearest("x", ["length", "keys"].into_iter()), None);
    }
}
