//! The beginning of runs and tasks: conditions, schemas, input filters, time limits.

use std::sync::Arc;

use consort_model::time::Span;
use consort_model::{Object, Value};

use super::draft::Draft;
use super::record::{Record, Why};
use super::state::{Frame, Kind, Phase};
use super::work::{Place, Work};
use crate::definition::task_pointer;
use crate::error::{Fault, types};
use crate::expression::{Sight, Stop};
use crate::validate::kind;

/// The activation of the outermost list.
const ROOT: &str = "/do";

/// What a task starts with: transformed input and time limit.
type Admitted = (Value, Option<Span>);

impl Draft<'_> {
    pub(super) fn begin(&mut self) -> Result<(), Stop> {
        let raw = Arc::clone(&self.run()?.input);
        self.machine.schemas.check("/input/schema", &raw)?;
        let sight = self.sight("", &raw, &Value::Null, Value::Null);
        let input = match self.definition().at("/input/from") {
            Value::Null => raw.as_ref().clone(),
            from => self.machine.evaluator.always(from, &raw, &sight)?,
        };
        let limit = self.limit(self.definition().at("/timeout"), &raw, &sight)?;
        let shared = Arc::new(input.clone());
        let frame = Frame {
            parent: None,
            pointer: ROOT.into(),
            name: String::new(),
            raw,
            input: Arc::clone(&shared),
            variables: Object::new(),
            context: None,
            started: self.at,
            kind: Kind::List { branch: None },
        };
        self.record(Record::InputAccepted {
            context: input.clone(),
            act: ROOT.into(),
            frame,
        });
        if let Some(limit) = limit {
            self.set_timer(ROOT, self.at.plus(limit), Why::RunTimeout);
        }
        self.push(Work::Start(
            Place {
                list: ROOT.into(),
                index: 0,
                lap: 0,
            },
            input,
        ));
        Ok(())
    }

    pub(super) fn start(&mut self, place: &Place, raw: &Value) -> Result<(), Stop> {
        let Some(list) = self.state.frames.get(&place.list) else {
            return Ok(());
        };
        let Kind::List { branch } = list.kind else {
            return Ok(());
        };
        let pointer = list.pointer.clone();
        let Some((name, task)) = self.definition().task(&pointer, place.index) else {
            self.push(Work::ListEnd {
                list: place.list.clone(),
                output: raw.clone(),
                ending: false,
            });
            return Ok(());
        };
        if self.state.tasks >= self.machine.task_limit {
            let message = format!(
                "the run has done {} tasks; a loop does not end",
                self.machine.task_limit
            );
            return Err(Fault::standard(types::RUNTIME, message)
                .at(&task_pointer(&pointer, place.index, name))
                .into());
        }
        let act = match branch {
            Some(_) => format!("{}/{name}", place.list),
            None => task_pointer(&place.list, place.index, name),
        };
        let act = if place.lap > 0 {
            format!("{act}~{}", place.lap)
        } else {
            act
        };
        let frame = self.task_frame(place, task_pointer(&pointer, place.index, name), name, raw);
        match self.admit(&place.list, &frame, task) {
            Err(Stop::Needs(job)) => return Err(Stop::Needs(job)),
            Err(Stop::Fault(fault)) => {
                self.record(Record::TaskEntered {
                    act: act.clone(),
                    frame,
                });
                self.push(Work::Fail(act, fault));
            }
            Ok(None) => {
                self.record(Record::TaskSkipped {
                    act,
                    name: name.to_owned(),
                });
                self.push(match branch {
                    Some(_) => Work::ListEnd {
                        list: place.list.clone(),
                        output: Value::Null,
                        ending: false,
                    },
                    None => Work::Start(
                        Place {
                            index: place.index + 1,
                            ..place.clone()
                        },
                        raw.clone(),
                    ),
                });
            }
            Ok(Some((input, limit))) => {
                let input = if input == *raw {
                    Arc::clone(&frame.raw)
                } else {
                    Arc::new(input)
                };
                self.record(Record::TaskEntered {
                    act: act.clone(),
                    frame: Frame { input, ..frame },
                });
                if let Some(limit) = limit {
                    self.set_timer(&act, self.at.plus(limit), Why::Timeout);
                }
                self.push(Work::Run(act));
            }
        }
        Ok(())
    }

    fn task_frame(&self, place: &Place, pointer: String, name: &str, raw: &Value) -> Frame {
        let task = self.definition().at(&pointer);
        let kind = match kind(task) {
            Some("fork") => Kind::Fork {
                compete: task.pointer("/fork/compete") == Some(&Value::Bool(true)),
                count: self
                    .definition()
                    .list(&format!("{pointer}/fork/branches"))
                    .len(),
                done: Default::default(),
                failed: Default::default(),
            },
            Some("try") => Kind::Try {
                attempt: 1,
                phase: Phase::Trying,
                context: self.state.context(&place.list).clone(),
                began: self.at,
            },
            _ => Kind::Task,
        };
        let raw = Arc::new(raw.clone());
        Frame {
            parent: Some(place.list.clone()),
            pointer,
            name: name.to_owned(),
            input: Arc::clone(&raw),
            raw,
            variables: Object::new(),
            context: None,
            started: self.at,
            kind,
        }
    }

    /// `if`, `input.schema`, `input.from`, `timeout`, in this order. Nothing: the task is skipped.
    fn admit(&self, list: &str, frame: &Frame, task: &Value) -> Result<Option<Admitted>, Stop> {
        let raw = &frame.raw;
        let sight = self.sight(
            list,
            raw,
            &Value::Null,
            self.task_argument(frame, &Value::Null),
        );
        let evaluator = &self.machine.evaluator;
        if let Some(condition) = task.get("if")
            && !evaluator.holds(condition, raw, &sight)?
        {
            return Ok(None);
        }
        self.machine
            .schemas
            .check(&format!("{}/input/schema", frame.pointer), raw)?;
        let input = match task.pointer("/input/from") {
            None => raw.as_ref().clone(),
            Some(from) => evaluator.always(from, raw, &sight)?,
        };
        let limit = self.limit(task.get("timeout").unwrap_or(&Value::Null), raw, &sight)?;
        Ok(Some((input, limit)))
    }

    /// A timeout, or the name of one.
    fn limit(
        &self,
        timeout: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Option<Span>, Stop> {
        match self
            .definition()
            .resolve("timeouts", timeout)
            .and_then(|timeout| timeout.get("after"))
        {
            None => Ok(None),
            Some(after) => self.span(after, input, sight).map(Some),
        }
    }

    /// A duration, which may be an expression.
    pub(super) fn span(
        &self,
        duration: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Span, Stop> {
        let value = self.machine.evaluator.template(duration, input, sight)?;
        crate::duration::read(&value)
            .map_err(|message| Fault::standard(types::EXPRESSION, message).into())
    }
}
