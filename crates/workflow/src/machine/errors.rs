//! Errors: where they go, who catches them, and when it is tried again.

use consort_model::time::Span;
use consort_model::{Object, Value};

use super::draft::Draft;
use super::keys::fraction;
use super::record::{Record, Why};
use super::state::{Kind, Phase, attempt_act};
use super::work::{Finish, Work};
use crate::error::Fault;
use crate::expression::{Sight, Stop};

/// No delay is longer.
const LONGEST: Span = Span::from_secs(86_400);

/// Who is told of an error.
enum Handler {
    /// A `try`.
    Try(String),
    /// A fork that competes, and the branch.
    Race(String, usize, String),
    /// Nobody: the run ends.
    None,
}

impl Draft<'_> {
    /// An error came up: all up to its handler is closed.
    pub(super) fn fail(&mut self, act: &str, fault: &Fault) {
        let Some(frame) = self.state.frames.get(act) else {
            return;
        };
        let fault = fault.clone().at(&frame.pointer);
        let raised = |until| Record::ErrorRaised {
            act: act.to_owned(),
            error: fault.clone(),
            until,
        };
        match self.handler(act) {
            Handler::Try(catcher) => {
                self.cancel_inside(&catcher);
                self.cancel_waits(|other, why| other == catcher && why == Some(Why::Attempt));
                self.record(raised(Some(catcher.clone())));
                self.push(Work::Catch(catcher, fault));
            }
            Handler::Race(fork, branch, place) => {
                self.cancel_inside(&place);
                self.record(raised(Some(place)));
                self.branch_failed(&fork, branch, &fault);
            }
            Handler::None => {
                self.record(raised(None));
                self.end_faulted(fault);
            }
        }
    }

    fn handler(&self, act: &str) -> Handler {
        let mut below = self.state.frames.get(act).map(|frame| &frame.kind);
        let mut place = act;
        for (name, frame) in self.state.ancestors(act).skip(1) {
            match (&frame.kind, below) {
                (
                    Kind::Try {
                        phase: Phase::Trying,
                        ..
                    },
                    _,
                ) => return Handler::Try(name.to_owned()),
                (
                    Kind::Fork { compete: true, .. },
                    Some(Kind::List {
                        branch: Some(branch),
                    }),
                ) => {
                    return Handler::Race(name.to_owned(), *branch, place.to_owned());
                }
                _ => {}
            }
            below = Some(&frame.kind);
            place = name;
        }
        Handler::None
    }

    /// A `try` looks at an error: not its own, again, or by its handler.
    pub(super) fn catch(&mut self, act: &str, fault: &Fault) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.get(act) else {
            return Ok(());
        };
        let pointer = frame.pointer.clone();
        let catch = self
            .definition()
            .at(&pointer)
            .get("catch")
            .unwrap_or(&Value::Null);
        let Some((mut sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let variable = catch.get("as").and_then(Value::as_str).unwrap_or("error");
        sight.bind(variable, fault.to_value());
        if !self.meant(catch, fault, &input, &sight)? {
            self.push(Work::Fail(act.to_owned(), fault.clone()));
            return Ok(());
        }
        let again = self.again(act, catch, &input, &sight)?;
        if again.is_none() && catch.get("retry").is_some() && catch.get("do").is_none() {
            // Tried often enough, and nobody else to handle it (S20).
            self.push(Work::Fail(act.to_owned(), fault.clone()));
            return Ok(());
        }
        self.record(Record::ErrorCaught {
            act: act.to_owned(),
            error: fault.clone(),
        });
        if let Some((attempt, delay, jitter)) = again {
            let due = self.at.plus(delay);
            self.record(Record::RetryPlanned {
                act: act.to_owned(),
                attempt,
                due,
                jitter,
            });
            if delay == Span::ZERO {
                self.push(Work::Attempt(act.to_owned(), attempt));
            } else {
                self.set_timer(act, due, Why::Retry);
            }
        } else if catch.get("do").is_some() {
            let attempt = self
                .state
                .frames
                .get(act)
                .map_or(1, super::state::Frame::attempt);
            let variables = Object::from_iter([(variable.to_owned(), fault.to_value())]);
            let list = format!("{}/catch/do", attempt_act(act, attempt));
            self.open_list(act, &list, format!("{pointer}/catch/do"), variables);
        } else {
            self.push(Finish::with(act, input.as_ref().clone()));
        }
        Ok(())
    }

    /// `errors.with`, `when` and `exceptWhen`.
    fn meant(
        &self,
        catch: &Value,
        fault: &Fault,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<bool, Stop> {
        if let Some(with) = catch.pointer("/errors/with").and_then(Value::as_object) {
            let actual = fault.to_value();
            for (key, wanted) in with {
                let wanted = self.machine.evaluator.template(wanted, input, sight)?;
                let key = if key == "details" { "detail" } else { key };
                let same = match (key, wanted.as_str()) {
                    ("type", Some(kind)) => fault.is_of(kind),
                    _ => actual.get(key).unwrap_or(&Value::Null) == &wanted,
                };
                if !same {
                    return Ok(false);
                }
            }
        }
        self.guards(catch, input, sight)
    }

    fn guards(&self, rules: &Value, input: &Value, sight: &Sight<'_>) -> Result<bool, Stop> {
        let evaluator = &self.machine.evaluator;
        let when = rules
            .get("when")
            .map_or(Ok(true), |when| evaluator.holds(when, input, sight))?;
        Ok(when
            && !rules
                .get("exceptWhen")
                .map_or(Ok(false), |when| evaluator.holds(when, input, sight))?)
    }

    /// The next attempt, the delay before it and the jitter in that, if the policy allows one.
    fn again(
        &self,
        act: &str,
        catch: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Option<(u32, Span, Span)>, Stop> {
        let Some(policy) = catch
            .get("retry")
            .and_then(|retry| self.definition().resolve("retries", retry))
        else {
            return Ok(None);
        };
        let Some(Kind::Try { attempt, began, .. }) =
            self.state.frames.get(act).map(|frame| &frame.kind)
        else {
            return Ok(None);
        };
        // So many retries were there before; the count limits retries, not attempts (S24).
        let retries = u64::from(attempt.saturating_sub(1));
        let count = policy
            .pointer("/limit/attempt/count")
            .and_then(Value::as_u64);
        if count.is_some_and(|count| retries >= count) || !self.guards(policy, input, sight)? {
            return Ok(None);
        }
        let (delay, jitter) = self.delay(act, policy, *attempt, input, sight)?;
        if let Some(limit) = policy.pointer("/limit/duration") {
            let limit = self.span(limit, input, sight)?;
            if self.at.plus(delay).since(*began) > limit {
                return Ok(None);
            }
        }
        Ok(Some((attempt.saturating_add(1), delay, jitter)))
    }

    /// Constant d, linear d·n, exponential d·2ⁿ⁻¹, and a jitter; at most a day (S23).
    fn delay(
        &self,
        act: &str,
        policy: &Value,
        retry: u32,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<(Span, Span), Stop> {
        let span = |pointer: &str| match policy.pointer(pointer) {
            None => Ok(Span::ZERO),
            Some(duration) => self.span(duration, input, sight),
        };
        let first = span("/delay")?.millis();
        let has = |kind: &str| {
            policy
                .get("backoff")
                .is_some_and(|backoff| backoff.get(kind).is_some())
        };
        let base = if has("exponential") {
            first.saturating_mul(
                1_u64
                    .checked_shl(retry.saturating_sub(1).min(63))
                    .unwrap_or(u64::MAX),
            )
        } else if has("linear") {
            first.saturating_mul(u64::from(retry))
        } else {
            first
        };
        let (from, to) = (span("/jitter/from")?.millis(), span("/jitter/to")?.millis());
        let width = to.saturating_sub(from) as f64;
        let jitter =
            from.saturating_add((width * fraction(self.entropy, &format!("{act} {retry}"))) as u64);
        let delay = Span::from_millis(base.saturating_add(jitter)).min(LONGEST);
        Ok((delay, Span::from_millis(jitter)))
    }
}
