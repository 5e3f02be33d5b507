//! `for_each`: the keys of every declaration, known before anything else is planned, from inputs and
//! the locals that come from them.

use std::collections::{BTreeMap, BTreeSet};

use consort_model::blueprint::{Blueprint, NodeDecl};
use consort_model::secret::OPEN;
use consort_model::{Address, Code, Kind, Partial, Problem, Value};

use super::check;
use super::declaration::{Declarations, Source, Why, source};
use crate::contract::{NeedId, NeedStep};
use crate::evaluate::{
    Answers, Each, Environment, Evaluated, Programs, Values, evaluate, job_digest,
};
use crate::input::PlanInput;

/// More keys than this are refused.
const MAX_KEYS: usize = 200_000;
/// A longer key is refused: addresses are at most 1,024 bytes long.
const MAX_KEY: usize = 200;

/// The keys of all declarations, as far as they have been found.
#[derive(Default)]
pub(crate) struct Expansion {
    /// Locals and declarations with `for_each` that are not evaluated yet, in order.
    open: Vec<usize>,
    /// Found.
    pub(crate) keys: BTreeMap<usize, Vec<Each>>,
    pub(crate) problems: Vec<Problem>,
    values: Values,
    /// Jobs that wait for a helper.
    pub(crate) jobs: BTreeMap<NeedId, consort_expression::HelperJob>,
}

impl Expansion {
    pub(crate) fn of(input: &PlanInput, declarations: &Declarations) -> Self {
        let mut expansion = Self::default();
        for (name, value) in &input.inputs {
            let address = Address::new(Kind::Input, name.as_str());
            expansion.values.set(address, value.clone().into());
        }
        let mut needed = BTreeSet::new();
        for at in 0..declarations.list.len() {
            if let Some(decl) = for_each(&input.blueprint, declarations, at) {
                needed.insert(at);
                expansion.locals_of(declarations, at, decl, &mut needed);
            }
        }
        let order = declarations.order.iter().copied();
        expansion.open = order.filter(|at| needed.contains(at)).collect();
        expansion
    }

    /// Adds the locals that a `for_each` needs; they must come from inputs alone.
    fn locals_of(
        &mut self,
        declarations: &Declarations,
        of: usize,
        decl: &NodeDecl,
        needed: &mut BTreeSet<usize>,
    ) {
        let mut seen = BTreeSet::new();
        let keys = &declarations.list[of];
        let of_keys = keys.edges.iter().filter(|edge| edge.why == Why::ForEach);
        let mut open: Vec<usize> = of_keys.map(|edge| edge.on).collect();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            let declaration = &declarations.list[at];
            match declaration.address.kind() {
                Kind::Input => {}
                Kind::Local => {
                    needed.insert(at);
                    open.extend(declaration.edges.iter().map(|edge| edge.on));
                }
                _ => self.problems.push(check::late_for_each(
                    &keys.address,
                    decl,
                    &declaration.address,
                )),
            }
        }
    }

    /// Evaluates what can be evaluated. Done when neither jobs nor anything else is left.
    pub(crate) fn advance(
        &mut self,
        input: &PlanInput,
        declarations: &Declarations,
        programs: &Programs,
        answers: &Answers,
    ) {
        let mut blocked: BTreeSet<usize> = BTreeSet::new();
        for at in std::mem::take(&mut self.open) {
            let waits = declarations.list[at]
                .edges
                .iter()
                .any(|edge| blocked.contains(&edge.on));
            if waits || !self.step(at, input, declarations, programs, answers) {
                blocked.insert(at);
                self.open.push(at);
            }
        }
        if !self.problems.is_empty() {
            self.jobs.clear();
            self.open.clear();
        }
    }

    /// Everything is known.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// One local or `for_each`; false if a helper must answer first.
    fn step(
        &mut self,
        at: usize,
        input: &PlanInput,
        declarations: &Declarations,
        programs: &Programs,
        answers: &Answers,
    ) -> bool {
        let address = &declarations.list[at].address;
        let Some(Source::Node(decl)) = source(&input.blueprint, address) else {
            return true;
        };
        let environment = Environment {
            values: &self.values,
            each: None,
            files: input.files.as_deref().map(|files| files as _),
            programs,
            answers,
        };
        match evaluate(decl.for_each.as_ref().unwrap_or(&decl.body), &environment) {
            Err(problems) => self
                .problems
                .extend(problems.into_iter().map(|p| p.at(address))),
            Ok(Evaluated::Needs(jobs)) => {
                for (number, job) in (0..).zip(jobs) {
                    if !answers.contains_key(&job_digest(&job)) {
                        let step = NeedStep::Evaluate(number);
                        self.jobs.insert(
                            NeedId {
                                node: at as u32,
                                step,
                            },
                            job,
                        );
                    }
                }
                return false;
            }
            Ok(Evaluated::Value(value)) if decl.for_each.is_some() => match keys(&value) {
                Ok(keys) => {
                    self.keys.insert(at, keys);
                }
                Err(message) => self.problems.push(wrong_keys(address, decl, &message)),
            },
            Ok(Evaluated::Value(value)) => self.values.set(address.clone(), value),
        }
        true
    }
}

fn for_each<'a>(
    blueprint: &'a Blueprint,
    declarations: &Declarations,
    at: usize,
) -> Option<&'a NodeDecl> {
    match source(blueprint, &declarations.list[at].address) {
        Some(Source::Node(decl)) if decl.for_each.is_some() => Some(decl),
        _ => None,
    }
}

fn keys(value: &Partial) -> Result<Vec<Each>, String> {
    let keys: Vec<Each> = match value.known() {
        None => return Err("its value is not known before the plan is carried out".into()),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(key) => Ok((key.clone(), Value::String(key))),
                other => Err(format!("`{other}` in it is not text")),
            })
            .collect::<Result<_, _>>()?,
        Some(Value::Object(object)) => object.into_iter().collect(),
        Some(other) => {
            return Err(format!(
                "`{other}` is neither a list of texts nor a mapping"
            ));
        }
    };
    if keys.len() > MAX_KEYS {
        return Err(format!("it has more than {MAX_KEYS} keys"));
    }
    let mut seen = BTreeSet::new();
    for (key, _) in &keys {
        if key.is_empty() {
            return Err("a key in it is empty".into());
        }
        if key.len() > MAX_KEY {
            return Err(format!("a key in it is longer than {MAX_KEY} bytes"));
        }
        if key.contains(OPEN) {
            return Err("a key in it is a secret; keys are shown in addresses".into());
        }
        if !seen.insert(key) {
            return Err(format!("the key `{key}` is in it twice"));
        }
    }
    Ok(keys)
}

fn wrong_keys(address: &Address, decl: &NodeDecl, message: &str) -> Problem {
    Problem {
        place: Some(decl.place.clone()),
        ..Problem::new(
            Code::BLUEPRINT_INVALID,
            format!("`for_each` cannot be used: {message}"),
        )
        .at(address)
        .remedy("Give a list of different texts, or a mapping from keys to values.")
    }
}
