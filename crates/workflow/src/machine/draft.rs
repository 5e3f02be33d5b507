//! A decision as it is made: the state that its records lead to, and the work that is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_expression::{HelperAnswer, HelperJob};
use consort_journal::Decision;
use consort_model::id::TimerId;
use consort_model::{Timestamp, Value};
use serde_json::json;

use super::WorkflowMachine;
use super::input::{Event, WorkflowEffect};
use super::record::{Deferred, Record, Why};
use super::state::{Frame, Run, State};
use super::work::Work;
use crate::definition::Definition;
use crate::error::{Fault, types};
use crate::expression::{Sight, Stop};

/// So many tasks in one decision; what is left is done in the next one.
const TASKS: u64 = 256;
/// So many bytes of values in one decision.
const BYTES: usize = 256 << 10;

/// A decision as it is made.
pub(super) struct Draft<'m> {
    pub(super) machine: &'m WorkflowMachine,
    pub(super) state: State,
    records: Vec<Record>,
    effects: Vec<WorkflowEffect>,
    /// The last one comes first.
    work: Vec<Work>,
    pub(super) at: Timestamp,
    pub(super) entropy: u64,
    /// The time that expressions see.
    clock: Timestamp,
    answers: BTreeMap<String, HelperAnswer>,
    bytes: usize,
    first_task: u64,
}

impl<'m> Draft<'m> {
    pub(super) fn new(machine: &'m WorkflowMachine, state: State, event: &Event) -> Self {
        Self {
            machine,
            first_task: state.tasks,
            state,
            records: Vec::new(),
            effects: Vec::new(),
            work: Vec::new(),
            at: event.at,
            entropy: event.entropy,
            clock: event.at,
            answers: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn into_decision(self) -> Decision<Record, WorkflowEffect> {
        Decision {
            records: self.records,
            effects: self.effects,
        }
    }

    pub(super) fn definition(&self) -> &'m Definition {
        &self.machine.definition
    }

    pub(super) fn record(&mut self, record: Record) {
        self.bytes += match &record {
            Record::TaskEntered { frame, .. } => weight(&frame.raw),
            Record::TaskOutput {
                output, context, ..
            } => weight(output) + context.as_ref().map_or(0, weight),
            Record::StepPlanned { request, .. } => request.body.as_ref().map_or(0, String::len),
            _ => 0,
        };
        self.state.apply(&record);
        self.records.push(record);
    }

    pub(super) fn effect(&mut self, effect: WorkflowEffect) {
        self.effects.push(effect);
    }

    /// To be done next.
    pub(super) fn push(&mut self, work: Work) {
        self.work.push(work);
    }

    /// Does what is pushed, until nothing is left or the batch is full.
    pub(super) fn drain(&mut self) {
        while let Some(item) = self.work.pop() {
            if self.state.ended.is_some() {
                self.work.clear();
                return;
            }
            if self.state.tasks - self.first_task >= TASKS || self.bytes >= BYTES {
                self.work.push(item);
                let work = std::mem::take(&mut self.work);
                self.record(Record::Yielded { work });
                self.effect(WorkflowEffect::Continue);
                return;
            }
            let item = match item {
                // Again, with the same clock and one answer more.
                Work::Redo(deferred) => {
                    self.clock = deferred.clock;
                    self.answers = deferred.answers;
                    deferred.work
                }
                other => other,
            };
            if let Err(job) = self.step(&item) {
                self.defer(item, *job);
            }
            self.clock = self.at;
            self.answers.clear();
        }
    }

    fn defer(&mut self, work: Work, job: HelperJob) {
        self.effect(WorkflowEffect::evaluate(&job));
        let answers = std::mem::take(&mut self.answers);
        self.record(Record::Deferred(Box::new(Deferred {
            work,
            job,
            clock: self.clock,
            answers,
        })));
    }

    /// Nothing is recorded when the helper is needed.
    fn step(&mut self, item: &Work) -> Result<(), Box<HelperJob>> {
        let done = match item {
            Work::Redo(_) => Ok(()),
            Work::Begin => self.begin(),
            Work::Input(input) => {
                self.take_one(input);
                Ok(())
            }
            Work::Start(place, raw) => self.start(place, raw),
            Work::Run(act) => self.run_task(act),
            Work::Attempt(act, attempt) => self.attempt(act, *attempt),
            Work::Iterate(act, index, data) => self.iterate(act, *index, data),
            Work::Join(act, ending) => self.join(act, *ending),
            Work::Finish(finish) => self.finish(finish),
            Work::ListEnd {
                list,
                output,
                ending,
            } => self.list_end(list, output, *ending),
            Work::Complete(output) => self.complete(output),
            Work::Fail(act, fault) => {
                self.fail(act, fault);
                Ok(())
            }
            Work::Catch(act, fault) => self.catch(act, fault),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Stop::Needs(job)) => Err(job),
            Err(Stop::Fault(fault)) => {
                match item.act() {
                    Some(act) => self.push(Work::Fail(act.to_owned(), fault)),
                    None => self.end_faulted(fault.at("/")),
                }
                Ok(())
            }
        }
    }

    /// The facts of the run.
    pub(super) fn run(&self) -> Result<&Run, Stop> {
        self.state
            .run
            .as_ref()
            .ok_or_else(|| Fault::standard(types::RUNTIME, "the run was not started").into())
    }

    /// What expressions at an activation see. `task` describes it, if there is one.
    pub(super) fn sight(&self, act: &str, input: &Value, output: &Value, task: Value) -> Sight<'_> {
        let mut names: Vec<String> = Vec::new();
        let mut values = Vec::new();
        for name in self.machine.mentioned.iter() {
            names.push((*name).to_owned());
            values.push(match *name {
                "context" => self.state.context(act).clone(),
                "input" => input.clone(),
                "output" => output.clone(),
                "task" => task.clone(),
                other => self.argument(other),
            });
        }
        for (_, frame) in self.state.ancestors(act) {
            for (name, value) in &frame.variables {
                match names.iter().position(|known| known == name) {
                    Some(place) if place < self.machine.mentioned.len() => {
                        values[place] = value.clone()
                    }
                    Some(_) => {}
                    None => {
                        names.push(name.clone());
                        values.push(value.clone());
                    }
                }
            }
        }
        Sight::new(names, values, self.clock, &self.answers)
    }

    fn argument(&self, name: &str) -> Value {
        let Some(run) = &self.state.run else {
            return Value::Null;
        };
        match name {
            "secrets" | "secret" => json!(run.secrets),
            "runtime" => run.runtime.clone(),
            "workflow" => json!({
                "id": run.id,
                "definition": self.definition().document(),
                "input": run.input,
                "startedAt": moment(run.started),
            }),
            _ => Value::Null,
        }
    }

    /// What `$task` is.
    pub(super) fn task_argument(&self, frame: &Frame, output: &Value) -> Value {
        if !self.machine.mentioned.contains("task") {
            return Value::Null;
        }
        json!({
            "name": frame.name,
            "reference": frame.pointer,
            "definition": self.definition().at(&frame.pointer),
            "input": frame.raw,
            "output": output,
            "startedAt": moment(frame.started),
        })
    }

    /// The sight of the body of a task, and its transformed input.
    pub(super) fn inner_sight(&self, act: &str) -> Option<(Sight<'_>, Arc<Value>)> {
        let frame = self.state.frames.get(act)?;
        let input = Arc::clone(&frame.input);
        Some((
            self.sight(
                act,
                &input,
                &Value::Null,
                self.task_argument(frame, &Value::Null),
            ),
            input,
        ))
    }

    pub(super) fn set_timer(&mut self, act: &str, due: Timestamp, why: Why) {
        let Some(run) = &self.state.run else { return };
        let attempt = self.state.frames.get(act).map_or(0, Frame::attempt);
        let timer = TimerId::derive(
            run.id.as_bytes(),
            &format!("{act} {} {attempt}", why.word()),
        );
        self.record(Record::TimerSet {
            timer,
            act: act.to_owned(),
            due,
            why,
        });
    }

    /// Ends what is waited for, where it belongs to an activation of this kind.
    pub(super) fn cancel_waits(&mut self, meant: impl Fn(&str, Option<Why>) -> bool) {
        let timers: Vec<_> = self
            .state
            .timers
            .iter()
            .filter(|(_, timer)| meant(&timer.act, Some(timer.why)))
            .map(|(id, _)| *id)
            .collect();
        let subs: Vec<_> = self
            .state
            .subscriptions
            .iter()
            .filter(|(_, act)| meant(act, None))
            .map(|(id, _)| *id)
            .collect();
        timers
            .into_iter()
            .for_each(|timer| self.record(Record::TimerCancelled { timer }));
        subs.into_iter()
            .for_each(|sub| self.record(Record::SubClosed { sub }));
    }

    /// Ends what is waited for inside an activation.
    pub(super) fn cancel_inside(&mut self, act: &str) {
        if self.state.timers.is_empty() && self.state.subscriptions.is_empty() {
            return;
        }
        let inside = self.state.inside(act);
        self.cancel_waits(|other, _| inside.iter().any(|name| name == other));
    }
}

/// A point in time as expressions see it.
fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": at.millis().div_euclid(1_000), "milliseconds": at.millis()},
    })
}

/// About how many bytes a value has as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| weight(item) + 1).sum::<usize>(),
        Value::Object(object) => {
            2 + object
                .iter()
                .map(|(key, item)| key.len() + weight(item) + 4)
                .sum::<usize>()
        }
        _ => 8,
    }
}
