//! What people see of a run: its steps, from its records.

use std::collections::BTreeMap;

use consort_model::{Timestamp, secret};

use crate::machine::{Ended, Record};

/// A task of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The activation.
    pub act: String,
    /// The name of the task.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Which try of the `try` that it is.
    pub attempt: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed, or what it waits for.
    pub detail: Option<String>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does something.
    Running,
    /// It waits for a time or an event.
    Waiting,
    /// Done.
    Succeeded,
    /// An error came up in it.
    Failed,
    /// Its condition did not hold.
    Skipped,
    /// Another branch was faster, an error or a person ended it.
    Cancelled,
}

impl Status {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
    const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

/// The steps of a run, in the order of their beginning, from all of its records with their times.
pub fn steps<'a>(records: impl IntoIterator<Item = (Timestamp, &'a Record)>) -> Vec<Step> {
    let mut timeline = Timeline::default();
    for (at, record) in records {
        timeline.take(at, record);
    }
    timeline.steps
}

/// How a run ended, if it did.
pub fn ended<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Ended> {
    records.into_iter().find_map(|record| match record {
        Record::RunEnded {
            status,
            output,
            error,
        } => Some(Ended {
            status: *status,
            output: output.clone(),
            error: error.clone(),
        }),
        _ => None,
    })
}

#[derive(Default)]
struct Timeline {
    steps: Vec<Step>,
    /// The place of the last step of an activation.
    places: BTreeMap<String, usize>,
}

impl Timeline {
    fn take(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::TaskEntered { act, frame } => self.begin(at, act, &frame.name, Status::Running),
            Record::TaskSkipped { act, name } => {
                self.begin(at, act, name, Status::Skipped);
                self.end(at, act, Status::Skipped);
            }
            Record::TaskOutput { act, .. } => {
                self.end_inside(at, act, Status::Cancelled);
                self.end(at, act, Status::Succeeded);
            }
            Record::BranchCancelled { act } => self.end_inside(at, act, Status::Cancelled),
            Record::ErrorRaised { act, error, until } => {
                let detail = error
                    .detail
                    .as_ref()
                    .or(error.title.as_ref())
                    .unwrap_or(&error.kind);
                self.note(
                    act,
                    Some(secret::masked(&format!("{} ({})", detail, error.status))),
                );
                self.fail(at, act, until.as_deref());
            }
            Record::RetryPlanned {
                act, attempt, due, ..
            } => {
                self.open(
                    act,
                    Status::Waiting,
                    Some(format!("attempt {attempt} at {due}")),
                );
            }
            Record::RetryStarted { act, attempt, .. } => {
                self.open(act, Status::Running, None);
                if let Some(step) = self.step(act) {
                    step.attempt = *attempt;
                }
            }
            Record::TimerSet { act, due, why, .. } if !why.is_limit() => {
                self.open(act, Status::Waiting, Some(format!("until {due}")));
            }
            Record::SubOpened { act, filter, .. } => {
                let kind = filter.event_type().map_or_else(
                    || "an event".to_owned(),
                    |kind| format!("an event `{kind}`"),
                );
                self.open(act, Status::Waiting, Some(format!("for {kind}")));
            }
            Record::StepPlanned {
                act,
                attempt,
                request,
                ..
            } => {
                self.note(
                    act,
                    Some(secret::masked(&format!(
                        "{} {}",
                        request.method, request.url
                    ))),
                );
                if let Some(step) = self.step(act) {
                    step.attempt = *attempt;
                }
            }
            Record::RunEnded { .. } => self.end_all(at),
            _ => {}
        }
    }

    fn begin(&mut self, at: Timestamp, act: &str, name: &str, status: Status) {
        self.places.insert(act.to_owned(), self.steps.len());
        self.steps.push(Step {
            act: act.to_owned(),
            name: name.to_owned(),
            status,
            attempt: 1,
            started: at,
            ended: None,
            detail: None,
        });
    }
    fn step(&mut self, act: &str) -> Option<&mut Step> {
        self.steps.get_mut(*self.places.get(act)?)
    }
    fn note(&mut self, act: &str, detail: Option<String>) {
        if let Some(step) = self.step(act) {
            step.detail = detail;
        }
    }
    fn open(&mut self, act: &str, status: Status, detail: Option<String>) {
        if let Some(step) = self.step(act) {
            step.status = status;
            step.detail = detail;
        }
    }
    fn end(&mut self, at: Timestamp, act: &str, status: Status) {
        if let Some(step) = self.step(act) {
            step.status = status;
            step.ended = Some(at);
            if status == Status::Succeeded
                && step
                    .detail
                    .as_ref()
                    .is_some_and(|detail| detail.starts_with("until "))
            {
                step.detail = None;
            }
        }
    }
    /// The task and all that it is in, up to the one that catches, have failed; the rest is cancelled.
    fn fail(&mut self, at: Timestamp, act: &str, until: Option<&str>) {
        for step in self.steps.iter_mut().filter(|step| step.status.is_open()) {
            let fails = step.act == act || is_inside(act, &step.act);
            let closed = until.is_none_or(|until| is_inside(&step.act, until));
            if closed {
                step.status = if fails {
                    Status::Failed
                } else {
                    Status::Cancelled
                };
                step.ended = Some(at);
            } else if step.act == act {
                step.status = Status::Failed;
                step.ended = Some(at);
            }
        }
    }
    fn end_inside(&mut self, at: Timestamp, act: &str, status: Status) {
        for step in self
            .steps
            .iter_mut()
            .filter(|step| step.status.is_open() && is_inside(&step.act, act))
        {
            step.status = status;
            step.ended = Some(at);
        }
    }
    fn end_all(&mut self, at: Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.status.is_open()) {
            step.status = Status::Cancelled;
            step.ended = Some(at);
        }
    }
}

/// Is an activation inside another one?
fn is_inside(act: &str, outer: &str) -> bool {
    act.strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with(['/', '#', '@']))
}
