//! Answers to needs: what each of them unblocks.

use consort_model::Problem;

use super::managed;
use super::outcome::Settled;
use super::work::Planning;
use crate::contract::{Answer, FeedError, Need, NeedId, NeedStep, PlannedChange};
use crate::evaluate::job_digest;

impl Planning {
    pub(crate) fn feed(&mut self, id: NeedId, answer: Answer) -> Result<(), FeedError> {
        let need = self.pending.get(&id).ok_or(FeedError::NotNeeded(id))?;
        let fits = matches!(
            (need, &answer),
            (Need::Read { .. }, Answer::Observed(_))
                | (Need::PlanChange { .. }, Answer::Planned(_))
                | (Need::Evaluate { .. }, Answer::Evaluated(_))
                | (_, Answer::Failed(_))
        );
        if !fits {
            return Err(FeedError::WrongKind(id));
        }
        let need = self.pending.remove(&id);
        self.fresh.remove(&id);
        match (need, answer) {
            (_, Answer::Failed(problem)) => self.fail(id, problem),
            (_, Answer::Observed(observed)) => {
                self.work[id.node as usize].observed = Some(observed);
                self.unblock(id.node);
            }
            (_, Answer::Planned(change)) => self.planned(id, change),
            (Some(Need::Evaluate { job }), Answer::Evaluated(value)) => {
                self.answers.insert(job_digest(&job), value);
                self.job_done(id.node);
            }
            (_, Answer::Evaluated(_)) => {}
        }
        self.run();
        Ok(())
    }

    fn planned(&mut self, id: NeedId, change: PlannedChange) {
        if !self.work[id.node as usize].settled
            && let Some(settled) = managed::planned(self, id, change)
        {
            self.settle(id.node, settled);
        }
    }

    /// A need failed: so does its node, once its other needs are answered.
    fn fail(&mut self, id: NeedId, problem: Problem) {
        let address = self.node(id.node).address.clone();
        let problem = if problem.address.is_some() {
            problem
        } else {
            problem.at(&address)
        };
        let work = &mut self.work[id.node as usize];
        match id.step {
            NeedStep::Read => {
                work.problems.push(problem);
                work.failed = true;
                self.unblock(id.node);
            }
            NeedStep::Evaluate(_) => {
                work.problems.push(problem);
                work.failed = true;
                self.job_done(id.node);
            }
            NeedStep::Change | NeedStep::New => {
                self.settle(id.node, Settled::Failed(vec![problem], String::new()));
            }
        }
    }
}
