//! What comes from outside.

use std::sync::Arc;

use consort_model::id::{SubscriptionId, TimerId};
use consort_model::run::RunStatus;
use consort_model::{Timestamp, Value, secret};

use super::draft::Draft;
use super::input::Input;
use super::record::{Record, Why};
use super::state::Kind;
use super::work::{Finish, Work};
use crate::error::{Fault, types};
use crate::http::HttpAnswer;

impl Draft<'_> {
    /// Takes an event in, and does what follows.
    pub(super) fn take(&mut self, input: &Input) {
        self.take_one(input);
        self.drain();
    }

    /// Takes an event in; what follows is pushed.
    pub(super) fn take_one(&mut self, input: &Input) {
        if self.state.run.is_none() != matches!(input, Input::Started { .. }) {
            return; // before the start nothing happens, and a run starts once
        }
        let waits = !matches!(
            input,
            Input::Cancel { .. } | Input::Resume { .. } | Input::Suspend { .. } | Input::Recovered
        );
        if self.state.suspended.is_some() && waits {
            if self.concerns(input) {
                self.record(Record::Held {
                    input: input.clone(),
                });
            }
            return;
        }
        match input {
            Input::Started {
                run,
                input,
                secrets,
                runtime,
            } => {
                let created = Record::RunCreated {
                    run: *run,
                    input: Arc::new(untrusted(input)),
                    secrets: secrets.clone(),
                    runtime: runtime.clone(),
                    at: self.at,
                };
                self.record(created);
                self.push(Work::Begin);
            }
            Input::Http {
                act,
                attempt,
                answer,
            } => self.answered(act, *attempt, answer),
            Input::TimerFired { timer } => self.fired(*timer),
            Input::Received {
                subscription,
                event,
            } => self.received(*subscription, event),
            Input::Evaluated { name, answer } => {
                let ready: Vec<_> = self
                    .state
                    .deferred
                    .iter()
                    .filter(|deferred| crate::expression::job_name(&deferred.job) == *name)
                    .cloned()
                    .collect();
                if !ready.is_empty() {
                    self.record(Record::Evaluated {
                        name: name.clone(),
                        answer: answer.clone(),
                    });
                }
                for mut deferred in ready {
                    deferred.answers.insert(name.clone(), answer.clone());
                    self.push(Work::Redo(Box::new(deferred)));
                }
            }
            Input::Continue => {
                if !self.state.yielded.is_empty() {
                    let work = self.state.yielded.clone();
                    self.record(Record::Continued);
                    work.into_iter().for_each(|item| self.push(item));
                }
            }
            Input::Cancel { by, reason } => {
                self.record(Record::CancelAsked {
                    by: by.clone(),
                    reason: reason.clone(),
                });
                self.end(RunStatus::Cancelled, None, None);
            }
            Input::Suspend { by } => {
                if self.state.suspended.is_none() {
                    self.record(Record::Suspended {
                        by: by.clone(),
                        at: self.at,
                    });
                }
            }
            Input::Resume { by } => self.resume(by),
            Input::Recovered => self.recovered(),
        }
    }

    /// Is it known here at all, and not held yet?
    fn concerns(&self, input: &Input) -> bool {
        let open = match input {
            Input::Http { act, attempt, .. } => self.calls(act, *attempt),
            Input::TimerFired { timer } => self.state.timers.contains_key(timer),
            Input::Received { subscription, .. } => {
                self.state.subscriptions.contains_key(subscription)
            }
            Input::Evaluated { name, .. } => self
                .state
                .deferred
                .iter()
                .any(|deferred| crate::expression::job_name(&deferred.job) == *name),
            Input::Continue => !self.state.yielded.is_empty(),
            _ => false,
        };
        open && !self.state.held.iter().any(|held| same_source(held, input))
    }

    fn calls(&self, act: &str, attempt: u32) -> bool {
        matches!(self.state.frames.get(act).map(|frame| &frame.kind), Some(Kind::Http { attempt: own, .. }) if *own == attempt)
    }

    fn answered(&mut self, act: &str, attempt: u32, answer: &HttpAnswer) {
        let request = match self.state.frames.get(act).map(|frame| &frame.kind) {
            Some(Kind::Http {
                attempt: own,
                request,
            }) if *own == attempt => Arc::clone(request),
            _ => return, // cancelled meanwhile, or told twice
        };
        let result = request.output(answer);
        let ambiguous = matches!(
            answer,
            HttpAnswer::Failed {
                ambiguous: true,
                ..
            }
        );
        let definite = matches!(answer, HttpAnswer::Answered { .. }) && result.is_err();
        self.record(Record::StepEnded {
            act: act.to_owned(),
            attempt,
            answer: answer.clone(),
            ambiguous,
            definite,
        });
        self.push(match result {
            Ok(output) => Finish::with(act, untrusted(&output)),
            Err(fault) => Work::Fail(act.to_owned(), fault),
        });
    }

    fn fired(&mut self, timer: TimerId) {
        let Some(set) = self.state.timers.get(&timer).cloned() else {
            return;
        };
        self.record(Record::TimerFired { timer });
        let late = || Fault::standard(types::TIMEOUT, "it took longer than it may");
        match set.why {
            Why::RunTimeout => self.end_faulted(late().at("/")),
            Why::Wait => {
                if let Some(frame) = self.state.frames.get(&set.act) {
                    let input = frame.input.as_ref().clone();
                    self.push(Finish::with(&set.act, input));
                }
            }
            Why::Retry => {
                let attempt = self
                    .state
                    .frames
                    .get(&set.act)
                    .map_or(0, super::state::Frame::attempt);
                self.push(Work::Attempt(set.act, attempt + 1));
            }
            Why::Timeout => {
                self.push(Work::Fail(set.act, late()));
            }
            Why::Attempt => {
                if let Some(frame) = self.state.frames.get(&set.act) {
                    let fault = late().at(&frame.pointer);
                    self.push(Work::Catch(set.act, fault));
                }
            }
        }
    }

    fn received(&mut self, sub: SubscriptionId, event: &Value) {
        let Some(act) = self.state.subscriptions.get(&sub).cloned() else {
            return;
        };
        let event = untrusted(event);
        let text = |key: &str| {
            event
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let read = self
            .state
            .frames
            .get(&act)
            .and_then(|frame| self.definition().at(&frame.pointer).pointer("/listen/read"));
        let whole = matches!(read.and_then(Value::as_str), Some("envelope" | "raw"));
        let item = if whole {
            event.clone()
        } else {
            event.get("data").cloned().unwrap_or_default()
        };
        self.record(Record::EventTaken {
            sub,
            source: text("source"),
            id: text("id"),
            event,
        });
        self.record(Record::SubClosed { sub });
        self.push(Finish::with(&act, Value::Array(vec![item])));
    }

    fn resume(&mut self, by: &consort_model::revision::Principal) {
        let Some(since) = self.state.suspended else {
            return;
        };
        let held = self.state.held.clone();
        self.record(Record::Resumed { by: by.clone() });
        self.shift_limits(since);
        // What came first is done first.
        for input in held.into_iter().rev() {
            let limit = match &input {
                Input::TimerFired { timer } => self
                    .state
                    .timers
                    .get(timer)
                    .is_some_and(|timer| timer.due > self.at),
                _ => false,
            };
            if !limit {
                self.push(Work::Input(Box::new(input)));
            }
        }
    }

    /// Time limits stand still while the run is suspended (S55).
    fn shift_limits(&mut self, since: Timestamp) {
        let limits: Vec<_> = self
            .state
            .timers
            .iter()
            .filter(|(_, timer)| timer.why.is_limit())
            .map(|(id, timer)| (*id, timer.clone()))
            .collect();
        for (timer, set) in limits {
            let due = self
                .at
                .plus(set.due.since(since))
                .max(self.at.plus(consort_model::time::Span::from_millis(1)));
            self.record(Record::TimerCancelled { timer });
            self.record(Record::TimerSet {
                timer,
                act: set.act,
                due,
                why: set.why,
            });
        }
    }

    /// Calls that were under way are sent again with their key, unless a task says that it is rather
    /// told (`metadata.onAmbiguous: fault`).
    fn recovered(&mut self) {
        let told: Vec<(String, u32)> = self
            .state
            .frames
            .iter()
            .filter_map(|(act, frame)| match &frame.kind {
                Kind::Http { attempt, request } if request.key.is_some() => {
                    let policy = self
                        .definition()
                        .at(&frame.pointer)
                        .pointer("/metadata/onAmbiguous")?;
                    (policy == "fault").then(|| (act.clone(), *attempt))
                }
                _ => None,
            })
            .collect();
        for (act, attempt) in told {
            let message =
                "the server stopped while this was under way; it is not known whether it happened";
            let answer = HttpAnswer::Failed {
                message: message.into(),
                ambiguous: true,
                status: 500,
            };
            self.take_one(&Input::Http {
                act,
                attempt,
                answer,
            });
        }
    }
}

fn same_source(one: &Input, other: &Input) -> bool {
    match (one, other) {
        (
            Input::Http {
                act: a, attempt: m, ..
            },
            Input::Http {
                act: b, attempt: n, ..
            },
        ) => a == b && m == n,
        (Input::TimerFired { timer: a }, Input::TimerFired { timer: b }) => a == b,
        (
            Input::Received {
                subscription: a, ..
            },
            Input::Received {
                subscription: b, ..
            },
        ) => a == b,
        (Input::Evaluated { name: a, .. }, Input::Evaluated { name: b, .. }) => a == b,
        (Input::Continue, Input::Continue) => true,
        _ => false,
    }
}

/// Data from outside cannot name secrets: the characters of tokens are replaced.
fn untrusted(value: &Value) -> Value {
    let clean = |text: &str| text.replace([secret::OPEN, secret::CLOSE], "\u{FFFD}");
    match value {
        Value::String(text) if text.contains([secret::OPEN, secret::CLOSE]) => {
            Value::String(clean(text))
        }
        Value::Array(items) => Value::Array(items.iter().map(untrusted).collect()),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, item)| (clean(key), untrusted(item)))
                .collect(),
        ),
        other => other.clone(),
    }
}
