//! Which step comes next. Independent steps run side by side, within the bounds of their drivers; a
//! failure stops what depends on it and nothing else; a step in doubt is settled before anything
//! that depends on it.

use std::collections::{BTreeMap, BTreeSet};

use consort_journal::{Decision, Machine};
use consort_model::id::RunId;
use consort_model::plan::{Action, ActionId, Plan};
use consort_model::run::RunStatus;
use consort_model::time::Span;
use consort_model::{Digest, Problem, Timestamp};

use super::{Answer, PlanRecord, RunState, StepOutcome, StepState};

/// A step that fails in a way that may pass is tried so often in all.
const ATTEMPTS: u32 = 4;
/// The wait before the second try; doubled for each further one.
const FIRST_DELAY: Span = Span::from_millis(500);

/// All that can come from outside.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run may begin, or goes on in a new process: is anything in doubt?
    Recovered {
        /// Now.
        at: Timestamp,
    },
    /// The effect of a step has ended.
    Outcome {
        /// Which step.
        step: ActionId,
        /// How.
        outcome: StepOutcome,
        /// A failure that may pass if it is tried again unchanged.
        retryable: bool,
        /// Drawn for the jitter of a retry: 0 to 999.
        entropy: u16,
        /// Now.
        at: Timestamp,
    },
    /// While the process lives: an effect ended without a definite answer.
    Doubted {
        /// Which step.
        step: ActionId,
        /// Now.
        at: Timestamp,
    },
    /// The driver has looked a doubtful step up: it took effect (its outcome follows), it may be
    /// repeated, or it cannot tell.
    Resolved {
        /// Which step.
        step: ActionId,
        /// `Err` holds what a person should look at.
        answer: Result<Answer, String>,
        /// Who says so.
        by: String,
        /// Now.
        at: Timestamp,
    },
    /// The time of a retry has come.
    Due {
        /// Which step.
        step: ActionId,
        /// Now.
        at: Timestamp,
    },
    /// A person asks to stop.
    CancelAsked {
        /// Who.
        by: String,
        /// Give up what is under way.
        now: bool,
        /// Now.
        at: Timestamp,
    },
    /// A person asks to go on.
    ResumeAsked {
        /// Who.
        by: String,
        /// Now.
        at: Timestamp,
    },
}

impl Event {
    const fn at(&self) -> Timestamp {
        match self {
            Self::Recovered { at }
            | Self::Outcome { at, .. }
            | Self::Doubted { at, .. }
            | Self::Resolved { at, .. }
            | Self::Due { at, .. }
            | Self::CancelAsked { at, .. }
            | Self::ResumeAsked { at, .. } => *at,
        }
    }
}

/// What is to be done in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Carry out a step.
    Perform {
        /// Which step.
        step: ActionId,
        /// Which try.
        attempt: u32,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// Ask the driver what became of a step.
    Resolve {
        /// Which step.
        step: ActionId,
    },
    /// Say [`Event::Due`] at that time.
    Wait {
        /// Which step.
        step: ActionId,
        /// When.
        due: Timestamp,
    },
    /// Give up what is under way.
    Abandon,
}

/// The machine of one run: the graph of the plan's actions.
#[derive(Debug, Clone)]
pub struct PlanMachine {
    run: RunId,
    actions: BTreeMap<ActionId, Action>,
    /// In the order of the plan, which respects `after`.
    order: Vec<ActionId>,
    dependents: BTreeMap<ActionId, Vec<ActionId>>,
    limits: BTreeMap<String, usize>,
    total: usize,
}

impl PlanMachine {
    /// The machine of a plan. `limits` bounds how many effects of each driver are under way at once,
    /// `total` how many in all.
    pub fn new(run: RunId, plan: &Plan, limits: BTreeMap<String, usize>, total: usize) -> Self {
        let mut dependents: BTreeMap<ActionId, Vec<ActionId>> = BTreeMap::new();
        for action in &plan.actions {
            for before in &action.after {
                dependents
                    .entry(before.clone())
                    .or_default()
                    .push(action.id.clone());
            }
        }
        Self {
            run,
            actions: plan
                .actions
                .iter()
                .map(|action| (action.id.clone(), action.clone()))
                .collect(),
            order: plan
                .actions
                .iter()
                .map(|action| action.id.clone())
                .collect(),
            dependents,
            limits,
            total: total.max(1),
        }
    }

    /// The action of a step.
    pub fn action(&self, step: &ActionId) -> Option<&Action> {
        self.actions.get(step)
    }

    /// The idempotency key of a step's effect: the same after a crash.
    pub fn key(&self, step: &ActionId) -> String {
        step_key(self.run, &step.0)
    }

    /// The run of a service's roll-out that carries this step out.
    pub fn child(&self, step: &ActionId) -> RunId {
        RunId::derive(self.run.as_bytes(), &step.0)
    }

    /// Steps that were not begun because something before them failed, or the run was stopped.
    pub fn unreached(&self, state: &RunState) -> Vec<ActionId> {
        self.order
            .iter()
            .filter(|step| *state.step(step) == StepState::Pending)
            .cloned()
            .collect()
    }

    /// How the run stands when nothing more will happen.
    fn end(&self, state: &RunState) -> RunStatus {
        let failed = state
            .steps
            .values()
            .any(|step| matches!(step, StepState::Failed { .. }));
        if failed {
            RunStatus::Faulted
        } else if self
            .order
            .iter()
            .all(|step| *state.step(step) == StepState::Succeeded)
        {
            RunStatus::Completed
        } else {
            RunStatus::Cancelled
        }
    }

    fn is_ready(&self, state: &RunState, step: &ActionId) -> bool {
        *state.step(step) == StepState::Pending
            && self.actions[step]
                .after
                .iter()
                .all(|before| *state.step(before) == StepState::Succeeded)
    }

    /// Begins what can begin now, and ends the run when nothing is left.
    fn advance(
        &self,
        mut state: RunState,
        candidates: Candidates,
        at: Timestamp,
        out: &mut Decision<PlanRecord, Effect>,
    ) {
        if !state.cancelled && state.ended.is_none() {
            let mut busy: BTreeMap<&str, usize> = BTreeMap::new();
            for (step, _) in state.open() {
                *busy.entry(self.actions[step].driver.as_str()).or_default() += 1;
            }
            let mut all: usize = busy.values().sum();
            let ready: Vec<&ActionId> = match &candidates {
                Candidates::All => self.order.iter().collect(),
                Candidates::After(steps) => self
                    .order
                    .iter()
                    .filter(|step| steps.contains(*step))
                    .collect(),
            };
            for step in ready {
                let action = &self.actions[step];
                let limit = self
                    .limits
                    .get(&action.driver)
                    .copied()
                    .unwrap_or(usize::MAX);
                let running = busy.entry(action.driver.as_str()).or_default();
                if all >= self.total || *running >= limit || !self.is_ready(&state, step) {
                    continue;
                }
                *running += 1;
                all += 1;
                let (record, effect) = self.intent(action, 1, at);
                self.apply(&mut state, &record);
                out.records.push(record);
                out.effects.push(effect);
            }
        }
        if state.ended.is_none() && state.open().next().is_none() {
            out.records.push(PlanRecord::RunEnded {
                status: self.end(&state),
                revision: None,
            });
        }
    }

    fn intent(&self, action: &Action, attempt: u32, at: Timestamp) -> (PlanRecord, Effect) {
        let deadline = at.plus(action.time_limit);
        let step = action.id.clone();
        let record = PlanRecord::StepPlanned {
            key: self.key(&step),
            request: Digest::of_serialized(action).unwrap_or(Digest::from_bytes([0; 32])),
            child: None,
            step: step.clone(),
            attempt,
            deadline,
        };
        (
            record,
            Effect::Perform {
                step,
                attempt,
                deadline,
            },
        )
    }

    fn ended(
        &self,
        state: &RunState,
        step: &ActionId,
        outcome: &StepOutcome,
        retry: Option<u16>,
        at: Timestamp,
    ) -> PlanRecord {
        let attempt = match state.step(step) {
            StepState::Intended { attempt, .. } | StepState::InDoubt { attempt, .. } => *attempt,
            StepState::Pending
            | StepState::Retrying { .. }
            | StepState::Succeeded
            | StepState::Failed { .. } => ATTEMPTS,
        };
        match (outcome, retry) {
            (StepOutcome::Failed { problem }, Some(entropy))
                if attempt < ATTEMPTS && !state.cancelled =>
            {
                let due = at.plus(delay(attempt, entropy));
                PlanRecord::RetryPlanned {
                    step: step.clone(),
                    attempt: attempt + 1,
                    due,
                    problem: problem.clone(),
                }
            }
            _ => PlanRecord::StepEnded {
                step: step.clone(),
                outcome: outcome.clone(),
            },
        }
    }
}

enum Candidates {
    /// Look at every step: at the start, after a resume, and when a bound was reached.
    All,
    /// Only these can have become ready.
    After(BTreeSet<ActionId>),
}

/// `base32(blake3(run, step path))`, 26 characters (`durable.md` 6).
pub fn step_key(run: RunId, path: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = run.as_bytes().to_vec();
    bytes.extend_from_slice(path.as_bytes());
    let digest = Digest::of(&bytes);
    let mut number = u128::from_be_bytes(digest.as_bytes()[..16].try_into().unwrap_or([0; 16]));
    let mut key = String::with_capacity(26);
    for _ in 0..26 {
        key.push(char::from(ALPHABET[(number & 31) as usize]));
        number >>= 5;
    }
    key
}

fn delay(attempt: u32, entropy: u16) -> Span {
    let base = FIRST_DELAY.millis() << attempt.saturating_sub(1).min(6);
    Span::from_millis(base + base * u64::from(entropy.min(999)) / 1000)
}

impl Machine for PlanMachine {
    type State = RunState;
    type Event = Event;
    type Record = PlanRecord;
    type Effect = Effect;

    fn decide(&self, state: &RunState, event: &Event) -> Decision<PlanRecord, Effect> {
        let mut out = Decision::default();
        let at = event.at();
        let mut candidates = Candidates::All;
        match event {
            Event::ResumeAsked { by, .. } => {
                let stopped = state.cancelled
                    || state
                        .ended
                        .is_some_and(|status| status != RunStatus::Completed);
                if !stopped {
                    return out;
                }
                out.records.push(PlanRecord::RunResumed { by: by.clone() });
            }
            _ if state.ended.is_some() => return out,
            Event::Recovered { .. } => {
                for (step, open) in state.open() {
                    match open {
                        StepState::Intended { .. } => {
                            out.records
                                .push(PlanRecord::StepInDoubt { step: step.clone() });
                            out.effects.push(Effect::Resolve { step: step.clone() });
                        }
                        StepState::InDoubt { question: None, .. } => {
                            out.effects.push(Effect::Resolve { step: step.clone() });
                        }
                        StepState::Retrying { due, .. } => {
                            out.effects.push(Effect::Wait {
                                step: step.clone(),
                                due: *due,
                            });
                        }
                        StepState::InDoubt {
                            question: Some(_), ..
                        }
                        | StepState::Pending
                        | StepState::Succeeded
                        | StepState::Failed { .. } => {}
                    }
                }
            }
            Event::Outcome {
                step,
                outcome,
                retryable,
                entropy,
                ..
            } => {
                if !state.step(step).is_open() {
                    return out; // told twice
                }
                let record = self.ended(state, step, outcome, retryable.then_some(*entropy), at);
                if let PlanRecord::RetryPlanned { due, .. } = &record {
                    out.effects.push(Effect::Wait {
                        step: step.clone(),
                        due: *due,
                    });
                }
                out.records.push(record);
                let bounded = self.limits.values().any(|limit| *limit < self.order.len())
                    || self.total < self.order.len();
                if !bounded {
                    let after = self.dependents.get(step).cloned().unwrap_or_default();
                    candidates = Candidates::After(after.into_iter().collect());
                }
            }
            Event::Doubted { step, .. } => {
                if !matches!(state.step(step), StepState::Intended { .. }) {
                    return out;
                }
                out.records
                    .push(PlanRecord::StepInDoubt { step: step.clone() });
                out.effects.push(Effect::Resolve { step: step.clone() });
            }
            Event::Resolved {
                step, answer, by, ..
            } => {
                let StepState::InDoubt { attempt, .. } = state.step(step) else {
                    return out;
                };
                match answer {
                    Err(text) => {
                        out.records.push(PlanRecord::QuestionAsked {
                            step: step.clone(),
                            text: text.clone(),
                        });
                        return out;
                    }
                    Ok(answer) => {
                        let record = PlanRecord::StepResolved {
                            step: step.clone(),
                            answer: *answer,
                            by: by.clone(),
                        };
                        out.records.push(record);
                        match answer {
                            Answer::Happened => {
                                let outcome = StepOutcome::Succeeded;
                                out.records.push(PlanRecord::StepEnded {
                                    step: step.clone(),
                                    outcome,
                                });
                            }
                            Answer::Repeat => {
                                let (record, effect) =
                                    self.intent(&self.actions[step], *attempt, at);
                                out.records.push(record);
                                out.effects.push(effect);
                            }
                        }
                    }
                }
            }
            Event::Due { step, .. } => {
                let StepState::Retrying { attempt, .. } = state.step(step) else {
                    return out;
                };
                let (record, effect) = self.intent(&self.actions[step], *attempt, at);
                out.records.push(record);
                out.effects.push(effect);
            }
            Event::CancelAsked { by, now, .. } => {
                out.records.push(PlanRecord::CancelAsked {
                    by: by.clone(),
                    now: *now,
                });
                // What waits for its next try is not begun again.
                for (step, open) in state.open() {
                    if matches!(open, StepState::Retrying { .. }) {
                        let problem = Problem::new(
                            consort_model::Code::RUN_CANCELLED,
                            "stopped before the next try",
                        );
                        let outcome = StepOutcome::Failed { problem };
                        out.records.push(PlanRecord::StepEnded {
                            step: step.clone(),
                            outcome,
                        });
                    }
                }
                if *now {
                    out.effects.push(Effect::Abandon);
                }
            }
        }
        let mut next = state.clone();
        for record in &out.records {
            self.apply(&mut next, record);
        }
        self.advance(next, candidates, at, &mut out);
        out
    }

    fn apply(&self, state: &mut RunState, record: &PlanRecord) {
        let mut set = |step: &ActionId, to: StepState| {
            state.steps.insert(step.clone(), to);
        };
        match record {
            PlanRecord::RunCreated { .. } => {}
            PlanRecord::StepPlanned {
                step,
                attempt,
                deadline,
                ..
            } => {
                set(
                    step,
                    StepState::Intended {
                        attempt: *attempt,
                        deadline: *deadline,
                    },
                );
            }
            PlanRecord::StepEnded {
                step,
                outcome: StepOutcome::Succeeded,
            } => {
                set(step, StepState::Succeeded);
                state.effects += 1;
            }
            PlanRecord::StepEnded {
                step,
                outcome: StepOutcome::Failed { problem },
            } => {
                set(
                    step,
                    StepState::Failed {
                        problem: problem.clone(),
                    },
                );
            }
            PlanRecord::StepInDoubt { step } => {
                let attempt = attempt_of(state.step(step));
                state.steps.insert(
                    step.clone(),
                    StepState::InDoubt {
                        attempt,
                        question: None,
                    },
                );
            }
            PlanRecord::QuestionAsked { step, text } => {
                let attempt = attempt_of(state.step(step));
                state.steps.insert(
                    step.clone(),
                    StepState::InDoubt {
                        attempt,
                        question: Some(text.clone()),
                    },
                );
            }
            PlanRecord::StepResolved { .. } => {}
            PlanRecord::RetryPlanned {
                step, attempt, due, ..
            } => {
                set(
                    step,
                    StepState::Retrying {
                        attempt: *attempt,
                        due: *due,
                    },
                );
            }
            PlanRecord::CancelAsked { .. } => state.cancelled = true,
            PlanRecord::RunResumed { .. } => {
                state.cancelled = false;
                state.ended = None;
                state
                    .steps
                    .retain(|_, step| !matches!(step, StepState::Failed { .. }));
            }
            PlanRecord::RunEnded { status, .. } => state.ended = Some(*status),
        }
    }

    fn open_effects(&self, state: &RunState) -> Vec<Effect> {
        state
            .open()
            .filter_map(|(step, open)| match open {
                StepState::Intended { .. } | StepState::InDoubt { question: None, .. } => {
                    Some(Effect::Resolve { step: step.clone() })
                }
                StepState::Retrying { due, .. } => Some(Effect::Wait {
                    step: step.clone(),
                    due: *due,
                }),
                StepState::InDoubt {
                    question: Some(_), ..
                }
                | StepState::Pending
                | StepState::Succeeded
                | StepState::Failed { .. } => None,
            })
            .collect()
    }
}

const fn attempt_of(step: &StepState) -> u32 {
    match step {
        StepState::Intended { attempt, .. }
        | StepState::InDoubt { attempt, .. }
        | StepState::Retrying { attempt, .. } => *attempt,
        StepState::Pending | StepState::Succeeded | StepState::Failed { .. } => 1,
    }
}
