//! The fold of records into the state. Total: every record can be folded into every state.

use std::sync::Arc;

use super::input::Ended;
use super::record::Record;
use super::state::{Done, Kind, Phase, Run, State, Timer, branch_act};

impl State {
    fn close_inside(&mut self, act: &str) {
        for name in self.inside(act) {
            self.frames.remove(&name);
        }
    }

    fn close(&mut self, act: &str) {
        self.close_inside(act);
        self.frames.remove(act);
    }

    fn kind(&mut self, act: &str) -> Option<&mut Kind> {
        self.frames.get_mut(act).map(|frame| &mut frame.kind)
    }

    /// Folds a record in.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::RunCreated {
                run,
                input,
                secrets,
                runtime,
                at,
            } => {
                self.run = Some(Run {
                    id: *run,
                    input: Arc::clone(input),
                    secrets: secrets.clone(),
                    runtime: runtime.clone(),
                    started: *at,
                });
            }
            Record::InputAccepted {
                context,
                act,
                frame,
            } => {
                self.context = context.clone();
                self.frames.insert(act.clone(), frame.clone());
            }
            Record::TaskEntered { act, frame } => {
                self.tasks += 1;
                self.frames.insert(act.clone(), frame.clone());
            }
            Record::TaskSkipped { .. } => self.tasks += 1,
            Record::ScopeOpened { act, frame } | Record::BranchOpened { act, frame } => {
                self.frames.insert(act.clone(), frame.clone());
            }
            Record::TaskOutput { act, context, .. } => {
                if let Some(context) = context {
                    self.set_context(act, context);
                }
                self.forget_refusals(act);
                self.close(act);
            }
            Record::BranchCancelled { act } => self.close(act),
            Record::ErrorRaised { until, .. } => {
                if let Some(until) = until {
                    self.close_inside(until);
                }
            }
            Record::Emitted { .. } | Record::CancelAsked { .. } | Record::RetryPlanned { .. } => {}
            Record::LoopOpened { .. } | Record::IterDone { .. } => self.apply_loop(record),
            Record::BranchDone { .. }
            | Record::BranchFailed { .. }
            | Record::BranchesJoined { .. }
            | Record::ForkWon { .. } => self.apply_fork(record),
            Record::StepPlanned { .. } | Record::StepEnded { .. } => self.apply_step(record),
            Record::ErrorCaught { .. } | Record::RetryStarted { .. } => self.apply_try(record),
            Record::TimerSet {
                timer,
                act,
                due,
                why,
            } => {
                self.timers.insert(
                    *timer,
                    Timer {
                        act: act.clone(),
                        due: *due,
                        why: *why,
                    },
                );
            }
            Record::TimerFired { timer } | Record::TimerCancelled { timer } => {
                self.timers.remove(timer);
            }
            Record::SubOpened { sub, act, .. } => {
                self.subscriptions.insert(*sub, act.clone());
            }
            Record::EventTaken { .. } => {}
            Record::SubClosed { sub } => {
                self.subscriptions.remove(sub);
            }
            Record::Deferred(deferred) => self.deferred.push(deferred.as_ref().clone()),
            Record::Evaluated { name, .. } => {
                self.deferred
                    .retain(|deferred| crate::expression::job_name(&deferred.job) != *name);
            }
            Record::Yielded { work } => self.yielded.extend(work.iter().cloned()),
            Record::Continued => self.yielded.clear(),
            Record::Held { input } => self.held.push(input.clone()),
            Record::Suspended { at, .. } => self.suspended = Some(*at),
            Record::Resumed { .. } => {
                self.suspended = None;
                self.held.clear();
            }
            Record::RunEnded {
                status,
                output,
                error,
            } => {
                self.frames.clear();
                self.deferred.clear();
                self.yielded.clear();
                self.held.clear();
                self.refused.clear();
                self.suspended = None;
                self.ended = Some(Ended {
                    status: *status,
                    output: output.clone(),
                    error: error.clone(),
                });
            }
        }
    }

    fn apply_loop(&mut self, record: &Record) {
        match record {
            Record::LoopOpened {
                act,
                items,
                each,
                at,
            } => {
                if let Some(kind) = self.kind(act) {
                    *kind = Kind::For {
                        items: Arc::clone(items),
                        each: each.clone(),
                        at: at.clone(),
                        round: 0,
                    };
                }
            }
            Record::IterDone { act, index } => {
                self.close_inside(act);
                if let Some(Kind::For { round, .. }) = self.kind(act) {
                    *round = index + 1;
                }
            }
            _ => {}
        }
    }

    fn apply_fork(&mut self, record: &Record) {
        match record {
            Record::BranchDone {
                act,
                branch,
                output,
                context,
            } => {
                self.close(&branch_act(act, *branch));
                if let Some(Kind::Fork { done, .. }) = self.kind(act) {
                    done.insert(
                        *branch,
                        Done {
                            output: output.clone(),
                            context: context.clone(),
                        },
                    );
                }
            }
            Record::BranchFailed { act, branch, error } => {
                self.close(&branch_act(act, *branch));
                if let Some(Kind::Fork { failed, .. }) = self.kind(act) {
                    failed.insert(*branch, error.clone());
                }
            }
            Record::BranchesJoined { act, context } | Record::ForkWon { act, context, .. } => {
                if let Some(context) = context {
                    self.set_context(act, context);
                }
            }
            _ => {}
        }
    }

    fn apply_step(&mut self, record: &Record) {
        match record {
            Record::StepPlanned {
                act,
                attempt,
                request,
                ..
            } => {
                if let Some(kind) = self.kind(act) {
                    *kind = Kind::Http {
                        attempt: *attempt,
                        request: Arc::clone(request),
                    };
                }
            }
            Record::StepEnded { act, definite, .. } => {
                if *definite {
                    *self.refused.entry(self.stem(act)).or_default() += 1;
                }
                if let Some(kind) = self.kind(act) {
                    *kind = Kind::Task;
                }
            }
            _ => {}
        }
    }

    fn apply_try(&mut self, record: &Record) {
        match record {
            Record::ErrorCaught { act, .. } => {
                self.close_inside(act);
                if let Some(Kind::Try { phase, .. }) = self.kind(act) {
                    *phase = Phase::Caught;
                }
            }
            Record::RetryStarted {
                act,
                attempt,
                context,
            } => {
                self.set_context(act, context);
                if let Some(Kind::Try {
                    attempt: own,
                    phase,
                    ..
                }) = self.kind(act)
                {
                    *own = *attempt;
                    *phase = Phase::Trying;
                }
            }
            _ => {}
        }
    }

    /// Calls that no retry repeats any more need not be known.
    fn forget_refusals(&mut self, act: &str) {
        let tries = self
            .ancestors(act)
            .filter(|(_, frame)| matches!(frame.kind, Kind::Try { .. }));
        let own = self
            .frames
            .get(act)
            .is_some_and(|frame| matches!(frame.kind, Kind::Try { .. }));
        if own && tries.count() == 1 {
            self.refused.retain(|stem, _| !stem.starts_with(act));
        }
    }
}
