//! A simulated world: drivers that plan and keep things, and an engine that carries plans out as the
//! real one does (evaluating again, and holding every promise).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consort_model::blueprint::{Blueprint, TargetKind};
use consort_model::plan::{Action, Mode, Operation, Plan, VerdictKind};
use consort_model::revision::RevisionNumber;
use consort_model::state::{Object, Site};
use consort_model::{
    Address, Digest, Generation, Kind, Partial, Problem, StateEntry, Timestamp, Value,
};
use consort_planner::evaluate::{Answers, Environment, Evaluated, Programs, Values, evaluate};
use consort_planner::graph::{Declarations, Source, source};
use consort_planner::lint::{Finding, lint};
use consort_planner::{Answer, Need, Observed, Options, PlanInput, Planner, Unplannable, inputs};
use indexmap::IndexMap;

use crate::blueprint::blueprint;
use crate::driver::{attributes, look_up, plan_change, schemas};

/// Everything that exists, and what is recorded of it.
#[derive(Clone, Default)]
pub struct World {
    /// What is recorded.
    pub state: BTreeMap<Address, StateEntry>,
    /// What is there, by id.
    pub things: BTreeMap<String, Value>,
    made: BTreeMap<Address, u32>,
    revision: Option<RevisionNumber>,
    /// Every action that was carried out.
    pub log: Vec<String>,
}

/// What is planned.
#[derive(Clone)]
pub struct Wish {
    pub blueprint: Arc<Blueprint>,
    pub inputs: BTreeMap<String, Value>,
    pub options: Options,
    pub mode: Mode,
    pub programs: BTreeMap<String, Digest>,
}

/// A plan of this document.
pub fn wish(document: Value) -> Wish {
    Wish {
        blueprint: Arc::new(blueprint(&document)),
        inputs: BTreeMap::new(),
        options: Options::default(),
        mode: Mode::Apply,
        programs: BTreeMap::new(),
    }
}

impl Wish {
    pub fn input(mut self, name: &str, value: Value) -> Self {
        self.inputs.insert(name.into(), value);
        self
    }
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
    pub fn refresh(mut self) -> Self {
        self.options.refresh = true;
        self
    }
    pub fn only(mut self, address: &str) -> Self {
        self.options.only.push(address.parse().unwrap());
        self
    }
    pub fn replace(mut self, address: &str) -> Self {
        self.options.replace.push(address.parse().unwrap());
        self
    }
}

impl World {
    fn plan_input(&self, wish: &Wish) -> Result<PlanInput, Vec<Problem>> {
        Ok(PlanInput {
            blueprint: wish.blueprint.clone(),
            bundle: Some(Digest::of(b"bundle")),
            programs: wish.programs.clone(),
            deployment: "shop".into(),
            deployment_attributes: IndexMap::new(),
            target: TargetKind::Process,
            parent: self.revision,
            mode: wish.mode,
            inputs: inputs::check(&wish.blueprint, &wish.inputs)?,
            state: self.state.clone(),
            options: wish.options.clone(),
            schemas: schemas(),
            created: Timestamp::from_millis(0),
            files: None,
        })
    }

    /// What a planner is given.
    pub fn input_of(&self, wish: &Wish) -> PlanInput {
        self.plan_input(wish).expect("inputs fit")
    }

    /// Plans, and answers every need in the order that `choose` says.
    pub fn plan_in_order(
        &self,
        wish: &Wish,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Result<Plan, Unplannable>, Vec<Problem>> {
        let mut planner = Planner::new(self.plan_input(wish)?)?;
        loop {
            let mut needs = planner.needs();
            if needs.is_empty() {
                break;
            }
            let at = choose(needs.len()) % needs.len();
            let (id, need) = needs.swap_remove(at);
            planner.feed(id, self.answer(&need)).unwrap();
        }
        Ok(planner.finish())
    }

    /// The plan, checked.
    pub fn plan(&self, wish: &Wish) -> Plan {
        let plan = self
            .try_plan(wish)
            .unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        self.assert_clean(&plan);
        plan
    }

    pub fn assert_clean(&self, plan: &Plan) {
        let mut findings = lint(plan, &self.state);
        findings.retain(|finding| *finding != Finding::NoParent);
        assert_eq!(findings, [], "{plan:#?}");
    }

    /// The plan, or all problems.
    pub fn try_plan(&self, wish: &Wish) -> Result<Plan, Vec<Problem>> {
        self.plan_in_order(wish, &mut |_| 0)?
            .map_err(|failed| failed.problems)
    }

    /// What a driver would say.
    pub fn answer(&self, need: &Need) -> Answer {
        match need {
            Need::Read {
                type_name, object, ..
            } if type_name == "lookup" => Answer::Observed(look_up(&object.desired)),
            Need::Read { object, .. } => Answer::Observed(match self.things.get(&object.id) {
                None => Observed::Gone,
                Some(thing) => {
                    let mut seen = thing.clone();
                    if let Some(password) = seen.get_mut("password") {
                        *password = Value::Null;
                    }
                    Observed::Present(seen)
                }
            }),
            Need::PlanChange {
                type_name,
                prior,
                desired,
                ..
            } => Answer::Planned(plan_change(type_name, prior.as_ref(), desired)),
            Need::Evaluate { job } => {
                let answer = consort_expression::helper::run_job(job).into_result();
                Answer::Evaluated(answer.unwrap_or_else(|error| panic!("{error}")))
            }
        }
    }

    /// Carries the whole plan out, in its own order.
    pub fn apply(&mut self, wish: &Wish, plan: &Plan) {
        self.apply_in_order(wish, plan, usize::MAX, &mut |_| 0);
    }

    /// Carries out at most `limit` actions, in any order that respects `after`.
    pub fn apply_in_order(
        &mut self,
        wish: &Wish,
        plan: &Plan,
        limit: usize,
        choose: &mut dyn FnMut(usize) -> usize,
    ) {
        let mut done = BTreeSet::new();
        while done.len() < plan.actions.len().min(limit) {
            let ready: Vec<&Action> = plan
                .actions
                .iter()
                .filter(|action| {
                    !done.contains(&action.id)
                        && action.after.iter().all(|before| done.contains(before))
                })
                .collect();
            assert!(!ready.is_empty(), "nothing can be begun");
            let action = ready[choose(ready.len()) % ready.len()];
            self.perform(wish, plan, action);
            done.insert(action.id.clone());
        }
        if !plan.actions.is_empty() {
            self.revision = Some(RevisionNumber(
                self.revision.map_or(1, |revision| revision.0 + 1),
            ));
        }
    }

    /// Plans, applies, and holds that nothing is left to do.
    pub fn up(&mut self, wish: &Wish) -> Plan {
        let plan = self.plan(wish);
        self.apply(wish, &plan);
        self.assert_settled(wish);
        plan
    }

    pub fn assert_settled(&self, wish: &Wish) {
        let mut wish = wish.clone();
        wish.options.replace.clear();
        let again = self.plan(&wish);
        let left: Vec<String> = again
            .actions
            .iter()
            .map(|action| action.id.to_string())
            .collect();
        assert!(
            left.is_empty(),
            "planning again gives {left:?}: {:#?}",
            again.verdicts
        );
    }

    fn perform(&mut self, wish: &Wish, plan: &Plan, action: &Action) {
        self.log.push(action.id.to_string());
        match &action.operation {
            Operation::Create { replaces } => {
                let desired = self.evaluated(wish, plan, action);
                let made = self.made.entry(action.address.clone()).or_default();
                *made += 1;
                let id = format!("{}-{made}", action.address);
                let attributes = attributes(&action.type_name, &id, &desired);
                assert_promise(&action.planned, &attributes, action);
                self.things.insert(id.clone(), attributes.clone());
                let mut entry = self.entry(action);
                if let (true, Some(old)) = (replaces, entry.object.take()) {
                    entry.deposed.push(old);
                }
                entry.object = Some(Object {
                    id,
                    desired,
                    attributes,
                    tainted: false,
                });
                self.record(entry);
            }
            Operation::Update => {
                let desired = self.evaluated(wish, plan, action);
                let mut entry = self.entry(action);
                let object = entry.object.as_mut().expect("recorded");
                let attributes = attributes(&action.type_name, &object.id, &desired);
                assert_promise(&action.planned, &attributes, action);
                self.things.insert(object.id.clone(), attributes.clone());
                object.desired = desired;
                object.attributes = attributes;
                self.record(entry);
            }
            Operation::Delete { deposed } => {
                let mut entry = self.state[&action.address].clone();
                let id = deposed
                    .clone()
                    .unwrap_or_else(|| action.prior.as_ref().unwrap().id.clone());
                self.things.remove(&id);
                match deposed {
                    None => entry.object = None,
                    Some(id) => entry.deposed.retain(|object| object.id != *id),
                }
                self.leave(plan, entry);
            }
            Operation::Read => {
                let mut entry = self.entry(action);
                if action.address.kind() == Kind::Data {
                    let desired = self.evaluated(wish, plan, action);
                    let Observed::Present(attributes) = look_up(&desired) else {
                        panic!("not found")
                    };
                    assert_promise(&action.planned, &attributes, action);
                    entry.object = Some(Object {
                        id: "data".into(),
                        desired,
                        attributes,
                        tainted: false,
                    });
                } else {
                    let object = entry.object.as_mut().expect("recorded");
                    let password = object.attributes.get("password").cloned();
                    object.attributes = self.things[&object.id].clone();
                    if let (Some(password), Some(map)) =
                        (password, object.attributes.as_object_mut())
                    {
                        map.insert("password".into(), password);
                    }
                }
                self.record(entry);
            }
            Operation::Forget => {
                let mut entry = self.state[&action.address].clone();
                entry.object = None;
                self.leave(plan, entry);
            }
        }
    }

    fn leave(&mut self, plan: &Plan, entry: StateEntry) {
        let goes = matches!(
            plan.verdicts[&entry.address].what,
            VerdictKind::Delete | VerdictKind::Forget
        );
        if goes && entry.object.is_none() && entry.deposed.is_empty() {
            self.state.remove(&entry.address);
        } else {
            self.record(entry);
        }
    }

    fn entry(&self, action: &Action) -> StateEntry {
        let old = self.state.get(&action.address);
        StateEntry {
            address: action.address.clone(),
            driver: action.driver.clone(),
            type_name: action.type_name.clone(),
            site: Site::local(),
            object: old.and_then(|old| old.object.clone()),
            deposed: old.map(|old| old.deposed.clone()).unwrap_or_default(),
            generation: old.map(|old| old.generation).unwrap_or_default(),
            depends_on: action.depends_on.clone(),
            lifecycle: action.lifecycle.clone(),
            changed: Timestamp::from_millis(0),
        }
    }

    fn record(&mut self, mut entry: StateEntry) {
        entry.generation = Generation(entry.generation.0 + 1);
        self.state.insert(entry.address.clone(), entry);
    }

    /// Evaluates the settings again, and compares them with what was approved.
    fn evaluated(&self, wish: &Wish, plan: &Plan, action: &Action) -> Value {
        let (values, programs) = self.values(wish, plan);
        let environment = Environment {
            values: &values,
            each: action.each.as_ref(),
            files: None,
            programs: &programs,
            answers: &Answers::new(),
        };
        let template = action.template.as_ref().expect("settings");
        let Evaluated::Value(value) = evaluate(template, &environment).unwrap() else {
            panic!("a helper is needed")
        };
        let value = value
            .known()
            .unwrap_or_else(|| panic!("{} is begun too early", action.id));
        assert_eq!(action.desired.broken_by(&value), None, "{}", action.id);
        value
    }

    fn values(&self, wish: &Wish, plan: &Plan) -> (Values, Programs) {
        let mut programs = Programs::default();
        let declarations = Declarations::of(&wish.blueprint, &mut programs).unwrap();
        let mut values = Values::of_run(plan, &wish.blueprint, &self.state);
        for at in &declarations.order {
            let address = &declarations.list[*at].address;
            if let (Kind::Local, Some(Source::Node(decl))) =
                (address.kind(), source(&wish.blueprint, address))
            {
                let environment = Environment {
                    values: &values,
                    each: None,
                    files: None,
                    programs: &programs,
                    answers: &Answers::new(),
                };
                if let Ok(Evaluated::Value(value)) = evaluate(&decl.body, &environment) {
                    values.set(address.clone(), value);
                }
            }
        }
        (values, programs)
    }

    /// What is recorded, without the counters of ids: equal for worlds that have converged.
    pub fn essence(&self) -> BTreeMap<String, String> {
        let essence = |entry: &StateEntry| {
            let object = entry
                .object
                .as_ref()
                .map(|object| (object.desired.clone(), object.attributes.clone()));
            let text = format!(
                "{object:?} {:?} {:?} {}",
                entry.depends_on,
                entry.lifecycle,
                entry.deposed.len()
            );
            without_counters(&text)
        };
        self.state
            .values()
            .map(|entry| (entry.address.to_string(), essence(entry)))
            .collect()
    }
}

fn without_counters(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '-' {
            while chars.next_if(char::is_ascii_digit).is_some() {}
        }
    }
    out
}

fn assert_promise(planned: &Partial, actual: &Value, action: &Action) {
    assert_eq!(planned.broken_by(actual), None, "{}", action.id);
}

/// All problems as a person would read them.
pub fn shown(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let remedy = problem
                .remedy
                .as_ref()
                .map(|remedy| format!("\n    {remedy}"))
                .unwrap_or_default();
            format!("[{}] {problem}{remedy}", problem.code)
        })
        .collect();
    lines.join("\n")
}

/// `resources.a: create (it does not exist yet)`, a line per node.
pub fn verdicts(plan: &Plan) -> Vec<String> {
    let line = |(address, verdict): (&Address, &consort_model::plan::Verdict)| {
        format!("{address}: {} ({})", verdict.what.word(), verdict.reason)
    };
    plan.verdicts.iter().map(line).collect()
}

/// The ids of all actions, in the order of the plan.
pub fn actions(plan: &Plan) -> Vec<String> {
    plan.actions
        .iter()
        .map(|action| action.id.to_string())
        .collect()
}

/// An address from its text.
pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}
