//! The end of tasks, lists and runs: output, export, and where it goes on.

use consort_model::Value;
use consort_model::run::RunStatus;

use super::draft::Draft;
use super::record::Record;
use super::state::{Frame, Kind, Phase};
use super::work::{Finish, Place, Work};
use crate::error::{Fault, types};
use crate::expression::{Stop, is_tainted};

impl Draft<'_> {
    pub(super) fn finish(&mut self, finish: &Finish) -> Result<(), Stop> {
        let act = &finish.act;
        let Some(frame) = self.state.frames.get(act) else {
            return Ok(());
        };
        let (output, context) = self.results(act, frame, &finish.raw)?;
        let task = self.definition().at(&frame.pointer);
        let caught = matches!(
            frame.kind,
            Kind::Try {
                phase: Phase::Caught,
                ..
            }
        );
        let handler = task.pointer("/catch/then").filter(|_| caught);
        let own = handler.or_else(|| task.get("then")).and_then(Value::as_str);
        let then = finish
            .then
            .as_deref()
            .or(own)
            .unwrap_or("continue")
            .to_owned();
        let (position, parent) = (frame.position(act), frame.parent.clone());
        self.cancel_inside(act);
        self.cancel_waits(|other, _| other == act);
        self.record(Record::TaskOutput {
            act: act.clone(),
            output: output.clone(),
            context,
        });
        let Some(list) = parent else { return Ok(()) };
        let Some((pointer, branch)) =
            self.state
                .frames
                .get(&list)
                .and_then(|frame| match frame.kind {
                    Kind::List { branch } => Some((frame.pointer.clone(), branch)),
                    _ => None,
                })
        else {
            return Ok(());
        };
        let ending = finish.ending || then == "end";
        let index = match then.as_str() {
            _ if ending || branch.is_some() => None,
            "exit" => None,
            "continue" => Some(position.index + 1),
            name => Some(self.target(&pointer, name)?),
        };
        self.push(match index {
            None => Work::ListEnd {
                list,
                output,
                ending,
            },
            Some(index) => {
                let lap = position.lap + u32::from(index <= position.index);
                Work::Start(Place { list, index, lap }, output)
            }
        });
        Ok(())
    }

    /// Transformed output, and the new context if the task exports one.
    fn results(
        &self,
        act: &str,
        frame: &Frame,
        raw: &Value,
    ) -> Result<(Value, Option<Value>), Stop> {
        let pointer = &frame.pointer;
        let task = self.definition().at(pointer);
        let (filter, export) = (task.pointer("/output/as"), task.pointer("/export/as"));
        let schemas = &self.machine.schemas;
        let mut output = raw.clone();
        let mut context = None;
        if filter.is_some() || export.is_some() {
            let mut sight = self.sight(act, &frame.input, raw, self.task_argument(frame, raw));
            if let Some(filter) = filter {
                output = self.machine.evaluator.always(filter, raw, &sight)?;
                sight.set("output", &output);
            }
            if let Some(export) = export {
                context = Some(self.machine.evaluator.always(export, &output, &sight)?);
            }
        }
        schemas.check(&format!("{pointer}/output/schema"), &output)?;
        if let Some(context) = &context {
            schemas.check(&format!("{pointer}/export/schema"), context)?;
        }
        self.no_secrets("an output", &output)?;
        context
            .iter()
            .try_for_each(|context| self.no_secrets("the context", context))?;
        Ok((output, context))
    }

    /// Secrets go into requests only.
    fn no_secrets(&self, what: &str, value: &Value) -> Result<(), Stop> {
        let any = self
            .state
            .run
            .as_ref()
            .is_some_and(|run| !run.secrets.is_empty());
        if any && is_tainted(value) {
            let message =
                format!("{what} must not hold a secret; use `$secrets` where a request is made");
            return Err(Fault::standard(types::CONFIGURATION, message).into());
        }
        Ok(())
    }

    fn target(&self, list: &str, name: &str) -> Result<usize, Stop> {
        let found = self
            .definition()
            .list(list)
            .iter()
            .position(|task| task.get(name).is_some());
        found.ok_or_else(|| {
            Fault::standard(
                types::CONFIGURATION,
                format!("there is no task `{name}` in this list"),
            )
            .into()
        })
    }

    /// A list is done: what it belongs to goes on.
    pub(super) fn list_end(
        &mut self,
        list: &str,
        output: &Value,
        ending: bool,
    ) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.get(list) else {
            return Ok(());
        };
        let Kind::List { branch } = frame.kind else {
            return Ok(());
        };
        let Some(parent) = frame.parent.clone() else {
            self.push(Work::Complete(output.clone()));
            return Ok(());
        };
        let finish = Finish {
            act: parent.clone(),
            raw: output.clone(),
            then: None,
            ending,
        };
        match self.state.frames.get(&parent).map(|frame| &frame.kind) {
            Some(Kind::Fork { .. }) => {
                self.branch_done(&parent, branch.unwrap_or_default(), output, ending)
            }
            Some(Kind::For { round, .. }) if !ending => {
                let index = *round;
                self.record(Record::IterDone {
                    act: parent.clone(),
                    index,
                });
                self.push(Work::Iterate(parent, index + 1, output.clone()));
            }
            Some(_) => self.push(Work::Finish(finish)),
            None => {}
        }
        Ok(())
    }

    /// The outermost list is done.
    pub(super) fn complete(&mut self, raw: &Value) -> Result<(), Stop> {
        let input = std::sync::Arc::clone(&self.run()?.input);
        let output = match self.definition().at("/output/as") {
            Value::Null => raw.clone(),
            filter => {
                let sight = self.sight("", &input, raw, Value::Null);
                self.machine.evaluator.always(filter, raw, &sight)?
            }
        };
        self.machine.schemas.check("/output/schema", &output)?;
        self.no_secrets("the output of the run", &output)?;
        self.end(RunStatus::Completed, Some(output), None);
        Ok(())
    }

    pub(super) fn end_faulted(&mut self, fault: Fault) {
        self.end(RunStatus::Faulted, None, Some(fault));
    }

    pub(super) fn end(&mut self, status: RunStatus, output: Option<Value>, error: Option<Fault>) {
        self.cancel_waits(|_, _| true);
        self.record(Record::RunEnded {
            status,
            output,
            error,
        });
    }
}
