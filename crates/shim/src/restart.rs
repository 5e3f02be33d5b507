//! When an ended instance is started again. Pure: time and chance come from outside.

use std::time::Duration;

use crate::record::{Counters, Exit};
use crate::spec::{Restart, RestartPolicy};

/// Attempts are remembered up to here; a budget cannot be larger.
const MAX_ATTEMPTS_KEPT: usize = 1024;

/// What follows an exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is over.
    End,
    /// It is over because the budget is used up.
    Failed,
    /// Start again after the delay.
    After(Duration),
}

/// Decides, and counts a restart. `ran` is how long the run was, `chance` a number in 0..2^32 for the jitter.
pub(crate) fn decide(
    policy: &Restart,
    counters: &mut Counters,
    exit: &Exit,
    ran: Duration,
    now_ms: u64,
    chance: u32,
) -> Next {
    let again = match policy.policy {
        RestartPolicy::No => false,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        RestartPolicy::OnFailure => !exit.is_success(),
    };
    if !again {
        return Next::End;
    }
    if ran >= Duration::from_millis(policy.reset_after_ms) {
        counters.step = 0;
    }
    if policy.window_ms > 0 {
        let since = now_ms.saturating_sub(policy.window_ms);
        counters.attempts.retain(|at| *at >= since);
    }
    if policy.max_attempts > 0 && counters.attempts.len() >= policy.max_attempts as usize {
        return Next::Failed;
    }
    let bound = policy
        .initial_ms
        .saturating_mul(1 << counters.step.min(32))
        .min(policy.cap_ms);
    let delay = u64::try_from((u128::from(bound) * u128::from(chance)) >> 32).unwrap_or(bound);
    counters.step = counters.step.saturating_add(1);
    counters.restarts += 1;
    if counters.attempts.len() >= MAX_ATTEMPTS_KEPT {
        counters.attempts.remove(0);
    }
    counters.attempts.push(now_ms);
    Next::After(Duration::from_millis(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Exit {
        Exit {
            code: Some(1),
            ..Exit::default()
        }
    }

    fn policy(policy: RestartPolicy) -> Restart {
        Restart {
            policy,
            ..Restart::default()
        }
    }

    #[test]
    fn follows_the_policy() {
        let fine = Exit {
            code: Some(0),
            ..Exit::default()
        };
        for (name, exit, again) in [
            (RestartPolicy::No, failing(), false),
            (RestartPolicy::Always, fine.clone(), true),
            (RestartPolicy::UnlessStopped, fine.clone(), true),
            (RestartPolicy::OnFailure, fine, false),
            (RestartPolicy::OnFailure, failing(), true),
        ] {
            let next = decide(
                &policy(name),
                &mut Counters::default(),
                &exit,
                Duration::ZERO,
                0,
                0,
            );
            assert_eq!(next != Next::End, again, "{name:?}");
        }
    }

    #[test]
    fn doubles_the_bound_up_to_the_cap_and_begins_anew_after_a_long_run() {
        let (policy, mut counters) = (policy(RestartPolicy::Always), Counters::default());
        let mut bound = |ran| match decide(&policy, &mut counters, &failing(), ran, 0, u32::MAX) {
            Next::After(delay) => delay.as_millis() + 1,
            other => panic!("{other:?}"),
        };
        let bounds: Vec<u128> = (0..12).map(|_| bound(Duration::ZERO)).collect();
        assert_eq!(
            bounds,
            [
                100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000
            ]
        );
        assert_eq!(bound(Duration::from_secs(10)), 100);
    }

    #[test]
    fn fails_when_the_budget_of_the_window_is_used_up() {
        let policy = Restart {
            max_attempts: 2,
            window_ms: 1000,
            ..policy(RestartPolicy::OnFailure)
        };
        let mut counters = Counters::default();
        let mut at = |now| decide(&policy, &mut counters, &failing(), Duration::ZERO, now, 0);
        assert_eq!(at(0), Next::After(Duration::ZERO));
        assert_eq!(at(10), Next::After(Duration::ZERO));
        assert_eq!(at(20), Next::Failed);
        assert_eq!(
            at(1005),
            Next::After(Duration::ZERO),
            "the first attempt has left the window"
        );
    }

    proptest::proptest! {
        #[test]
        fn the_delay_is_never_over_its_bound(step in 0u32..100, chance: u32) {
            let policy = policy(RestartPolicy::Always);
            let mut counters = Counters { step, ..Counters::default() };
            let next = decide(&policy, &mut counters, &failing(), Duration::ZERO, 0, chance);
            proptest::prop_assert!(matches!(next, Next::After(delay) if delay.as_millis() <= 60_000));
        }
    }
}
