//! Branches that run side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_model::Value;

use super::draft::Draft;
use super::record::Record;
use super::state::{Done, Frame, Kind, branch_act};
use super::work::{Finish, Place, Work};
use crate::error::Fault;
use crate::expression::Stop;

impl Draft<'_> {
    pub(super) fn open_branches(&mut self, act: &str) {
        let Some(fork) = self.state.frames.get(act) else {
            return;
        };
        let Kind::Fork { count, .. } = fork.kind else {
            return;
        };
        let (input, context) = (Arc::clone(&fork.input), self.state.context(act).clone());
        let template = Frame::list(
            act,
            format!("{}/fork/branches", fork.pointer),
            fork,
            self.at,
        );
        if count == 0 {
            self.push(Work::Join(act.to_owned(), false));
        }
        for branch in 0..count {
            let frame = Frame {
                kind: Kind::List {
                    branch: Some(branch),
                },
                context: Some(context.clone()),
                ..template.clone()
            };
            self.record(Record::BranchOpened {
                act: branch_act(act, branch),
                frame,
            });
        }
        for branch in (0..count).rev() {
            let place = Place {
                list: branch_act(act, branch),
                index: branch,
                lap: 0,
            };
            self.push(Work::Start(place, input.as_ref().clone()));
        }
    }

    /// A branch ran to its end.
    pub(super) fn branch_done(&mut self, fork: &str, branch: usize, output: &Value, ending: bool) {
        let act = branch_act(fork, branch);
        let own = self
            .state
            .frames
            .get(&act)
            .and_then(|frame| frame.context.as_ref());
        let context = own
            .filter(|context| *context != self.state.context(fork))
            .cloned();
        self.record(Record::BranchDone {
            act: fork.to_owned(),
            branch,
            output: output.clone(),
            context,
        });
        self.push(Work::Join(fork.to_owned(), ending));
    }

    /// A branch failed that competes with others.
    pub(super) fn branch_failed(&mut self, fork: &str, branch: usize, fault: &Fault) {
        self.record(Record::BranchFailed {
            act: fork.to_owned(),
            branch,
            error: fault.clone(),
        });
        let Some(Kind::Fork { count, failed, .. }) =
            self.state.frames.get(fork).map(|frame| &frame.kind)
        else {
            return;
        };
        if failed.len() == *count
            && let Some(first) = failed.values().next().cloned()
        {
            self.push(Work::Fail(fork.to_owned(), first));
        }
    }

    /// Is the fork done? If the run is ending, it is.
    pub(super) fn join(&mut self, act: &str, ending: bool) -> Result<(), Stop> {
        let Some(Kind::Fork {
            compete,
            count,
            done,
            ..
        }) = self.state.frames.get(act).map(|frame| &frame.kind)
        else {
            return Ok(());
        };
        let raw = if *compete {
            let Some((branch, won)) = done.iter().next() else {
                return Ok(());
            };
            let (branch, won) = (*branch, won.clone());
            self.record(Record::ForkWon {
                act: act.to_owned(),
                branch,
                context: won.context,
            });
            won.output
        } else if done.len() == *count || ending {
            let outputs = (0..*count)
                .map(|branch| {
                    done.get(&branch)
                        .map_or(Value::Null, |done| done.output.clone())
                })
                .collect();
            let context = merged(self.state.context(act), done);
            self.record(Record::BranchesJoined {
                act: act.to_owned(),
                context,
            });
            Value::Array(outputs)
        } else {
            return Ok(());
        };
        self.cancel_branches(act);
        self.push(Work::Finish(Finish {
            act: act.to_owned(),
            raw,
            then: None,
            ending,
        }));
        Ok(())
    }

    fn cancel_branches(&mut self, act: &str) {
        self.cancel_inside(act);
        let open: Vec<String> = self
            .state
            .frames
            .iter()
            .filter(|(_, frame)| frame.parent.as_deref() == Some(act))
            .map(|(name, _)| name.clone())
            .collect();
        open.into_iter()
            .for_each(|act| self.record(Record::BranchCancelled { act }));
    }
}

/// The context after a fork: what each branch changed at the top level, in declared order (S15).
fn merged(before: &Value, done: &BTreeMap<usize, Done>) -> Option<Value> {
    let mut after: Option<Value> = None;
    for changed in done.values().filter_map(|done| done.context.as_ref()) {
        match (changed, before, after.get_or_insert_with(|| before.clone())) {
            (Value::Object(new), Value::Object(old), Value::Object(into)) => {
                let other = new
                    .iter()
                    .filter(|(key, value)| old.get(*key) != Some(value));
                other.for_each(|(key, value)| {
                    into.insert(key.clone(), value.clone());
                });
                old.keys()
                    .filter(|key| !new.contains_key(*key))
                    .for_each(|key| {
                        into.shift_remove(key);
                    });
            }
            (new, _, into) => *into = new.clone(),
        }
    }
    after
}
