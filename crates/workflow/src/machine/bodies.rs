//! What tasks do.

use std::sync::Arc;

use consort_model::id::SubscriptionId;
use consort_model::{Object, Value};
use serde_json::json;

use super::draft::Draft;
use super::keys::event_id;
use super::record::{Record, Why};
use super::state::{Frame, Kind, attempt_act};
use super::work::{Finish, Place, Work};
use crate::error::{Fault, types};
use crate::event::EventFilter;
use crate::expression::{Stop, is_tainted};
use crate::validate::kind;

impl Draft<'_> {
    pub(super) fn run_task(&mut self, act: &str) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.get(act) else {
            return Ok(());
        };
        let pointer = frame.pointer.clone();
        let task = self.definition().at(&pointer);
        match kind(task) {
            Some("set") => self.set(act, &task["set"]),
            Some("do") => {
                self.open_list(
                    act,
                    &format!("{act}/do"),
                    format!("{pointer}/do"),
                    Object::new(),
                );
                Ok(())
            }
            Some("switch") => self.switch(act, &task["switch"]),
            Some("call") => self.call(act, task),
            Some("raise") => self.raise(act, &task["raise"]["error"]),
            Some("wait") => self.wait(act, &task["wait"]),
            Some("emit") => self.emit(act, &task["emit"]["event"]["with"]),
            Some("listen") => self.listen(act, &task["listen"]),
            Some("for") => self.open_loop(act, task),
            Some("fork") => {
                self.open_branches(act);
                Ok(())
            }
            Some("try") => {
                self.push(Work::Attempt(act.to_owned(), 1));
                Ok(())
            }
            other => {
                let message = format!("tasks of kind `{}` are not there yet", other.unwrap_or("?"));
                Err(Fault::standard(types::CONFIGURATION, message).into())
            }
        }
    }

    /// Opens a list of tasks in an activation and starts with its first one.
    pub(super) fn open_list(&mut self, act: &str, list: &str, pointer: String, variables: Object) {
        let Some(of) = self.state.frames.get(act) else {
            return;
        };
        let frame = Frame {
            variables,
            ..Frame::list(act, pointer, of, self.at)
        };
        let input = frame.input.as_ref().clone();
        self.record(Record::ScopeOpened {
            act: list.to_owned(),
            frame,
        });
        self.push(Work::Start(
            Place {
                list: list.to_owned(),
                index: 0,
                lap: 0,
            },
            input,
        ));
    }

    fn set(&mut self, act: &str, template: &Value) -> Result<(), Stop> {
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let value = self.machine.evaluator.template(template, &input, &sight)?;
        self.push(Finish::with(act, value));
        Ok(())
    }

    fn switch(&mut self, act: &str, cases: &Value) -> Result<(), Stop> {
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let cases = || {
            cases
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|case| case.as_object()?.values().next())
        };
        let mut chosen = None;
        for case in cases() {
            if let Some(when) = case.get("when")
                && self.machine.evaluator.holds(when, &input, &sight)?
            {
                chosen = Some(case);
                break;
            }
        }
        let chosen = chosen.or_else(|| cases().find(|case| case.get("when").is_none()));
        let then = chosen
            .and_then(|case| case.get("then"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let raw = input.as_ref().clone();
        self.push(Work::Finish(Finish {
            act: act.to_owned(),
            raw,
            then,
            ending: false,
        }));
        Ok(())
    }

    fn raise(&mut self, act: &str, error: &Value) -> Result<(), Stop> {
        let unknown = || {
            Fault::standard(
                types::CONFIGURATION,
                "there is no such error in `use.errors`",
            )
        };
        let error = self
            .definition()
            .resolve("errors", error)
            .ok_or_else(unknown)?;
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let error = self.machine.evaluator.template(error, &input, &sight)?;
        let fault: Fault = serde_json::from_value(error).map_err(|error| {
            Fault::standard(
                types::CONFIGURATION,
                format!("what is raised is no error: {error}"),
            )
        })?;
        self.push(Work::Fail(act.to_owned(), fault));
        Ok(())
    }

    fn wait(&mut self, act: &str, duration: &Value) -> Result<(), Stop> {
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let span = self.span(duration, &input, &sight)?;
        self.set_timer(act, self.at.plus(span), Why::Wait);
        Ok(())
    }

    fn emit(&mut self, act: &str, with: &Value) -> Result<(), Stop> {
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let value = self.machine.evaluator.template(with, &input, &sight)?;
        if is_tainted(&value) {
            return Err(
                Fault::standard(types::CONFIGURATION, "an event must not hold a secret").into(),
            );
        }
        let Value::Object(given) = value else {
            return Err(Fault::standard(
                types::EXPRESSION,
                "the attributes of an event must be an object",
            )
            .into());
        };
        let run = self.run()?;
        let id = given
            .get("id")
            .and_then(Value::as_str)
            .map_or_else(|| event_id(run.id, act), str::to_owned);
        let identity = self.definition().at("/document");
        let name = |key: &str| {
            identity
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut event = Object::new();
        event.insert("specversion".into(), "1.0".into());
        event.insert("id".into(), id.clone().into());
        event.insert("time".into(), self.at.to_string().into());
        event.insert(
            "source".into(),
            format!("/workflows/{}/{}", name("namespace"), name("name")).into(),
        );
        event.extend(given);
        let event = Value::Object(event);
        self.record(Record::Emitted {
            id,
            act: act.to_owned(),
            event: event.clone(),
        });
        self.push(Finish::with(act, event));
        Ok(())
    }

    fn listen(&mut self, act: &str, listen: &Value) -> Result<(), Stop> {
        let one = listen.pointer("/to/one").unwrap_or(&Value::Null);
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let mut expected = Object::new();
        for (name, rule) in one
            .get("correlate")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let mut bound = json!({"from": rule.get("from")});
            if let Some(expect) = rule.get("expect") {
                bound["expect"] = self.machine.evaluator.template(expect, &input, &sight)?;
            }
            expected.insert(name.clone(), bound);
        }
        let filter = EventFilter::new(one.get("with").cloned().unwrap_or_default(), expected);
        let sub = SubscriptionId::derive(self.run()?.id.as_bytes(), act);
        self.record(Record::SubOpened {
            sub,
            act: act.to_owned(),
            filter,
        });
        Ok(())
    }

    fn open_loop(&mut self, act: &str, task: &Value) -> Result<(), Stop> {
        let rules = &task["for"];
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let items = match self
            .machine
            .evaluator
            .always(&rules["in"], &input, &sight)?
        {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => {
                let message = format!(
                    "`for.in` must be a list, not {}",
                    other.to_string().chars().take(60).collect::<String>()
                );
                return Err(Fault::standard(types::EXPRESSION, message).into());
            }
        };
        let name = |key: &str, default: &str| {
            rules
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or(default)
                .to_owned()
        };
        let (each, at) = (name("each", "item"), name("at", "index"));
        let data = input.as_ref().clone();
        self.record(Record::LoopOpened {
            act: act.to_owned(),
            items: Arc::new(items),
            each,
            at,
        });
        self.push(Work::Iterate(act.to_owned(), 0, data));
        Ok(())
    }

    /// One round of a loop: `.` is the output of the round before.
    pub(super) fn iterate(&mut self, act: &str, index: usize, data: &Value) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.get(act) else {
            return Ok(());
        };
        let Kind::For {
            items, each, at, ..
        } = &frame.kind
        else {
            return Ok(());
        };
        let Some(item) = items.get(index) else {
            self.push(Finish::with(act, data.clone()));
            return Ok(());
        };
        let variables =
            Object::from_iter([(each.clone(), item.clone()), (at.clone(), index.into())]);
        let pointer = frame.pointer.clone();
        let task = self.definition().at(&pointer);
        if let Some(condition) = task.get("while") {
            let Some((mut sight, _)) = self.inner_sight(act) else {
                return Ok(());
            };
            variables
                .iter()
                .for_each(|(name, value)| sight.bind(name, value.clone()));
            if !self.machine.evaluator.holds(condition, data, &sight)? {
                self.push(Finish::with(act, data.clone()));
                return Ok(());
            }
        }
        let list = format!("{act}#{index}/do");
        let mut frame = Frame {
            variables,
            ..Frame::list(act, format!("{pointer}/do"), frame, self.at)
        };
        frame.input = Arc::new(data.clone());
        self.record(Record::ScopeOpened {
            act: list.clone(),
            frame,
        });
        self.push(Work::Start(
            Place {
                list,
                index: 0,
                lap: 0,
            },
            data.clone(),
        ));
        Ok(())
    }

    /// An attempt of a `try`.
    pub(super) fn attempt(&mut self, act: &str, attempt: u32) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.get(act) else {
            return Ok(());
        };
        let Kind::Try { context, .. } = &frame.kind else {
            return Ok(());
        };
        let (pointer, context) = (frame.pointer.clone(), context.clone());
        let task = self.definition().at(&pointer);
        let policy = task
            .pointer("/catch/retry")
            .and_then(|retry| self.definition().resolve("retries", retry));
        let limit = match policy.and_then(|policy| policy.pointer("/limit/attempt/duration")) {
            None => None,
            Some(duration) => match self.inner_sight(act) {
                Some((sight, input)) => Some(self.span(duration, &input, &sight)?),
                None => None,
            },
        };
        if attempt > 1 {
            self.record(Record::RetryStarted {
                act: act.to_owned(),
                attempt,
                context,
            });
        }
        if let Some(limit) = limit {
            self.set_timer(act, self.at.plus(limit), Why::Attempt);
        }
        let list = format!("{}/try", attempt_act(act, attempt));
        self.open_list(act, &list, format!("{pointer}/try"), Object::new());
        Ok(())
    }
}
