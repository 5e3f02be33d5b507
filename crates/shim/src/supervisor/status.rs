//! What is told about the instance.

use super::{Phase, Supervisor};
use crate::protocol::{Event, Health, State, Status};
use crate::record::Exit;

impl Supervisor {
    /// Tells all who watch, if anything changed.
    pub(super) fn publish(&mut self) {
        let mut now = self.describe();
        now.seq = self.status.seq;
        if now == self.status {
            return;
        }
        now.seq += 1;
        self.status = now;
        self.control.status_changed(&self.status);
    }

    /// Tells of the end before this process leaves at once.
    pub(super) fn publish_end(&mut self, exit: Exit) {
        let state = if exit.failed {
            State::Failed
        } else {
            State::Exited
        };
        let seq = self.status.seq + 1;
        self.status = Status {
            seq,
            state,
            ready: false,
            pid: None,
            last_exit: Some(exit.clone()),
            exit: Some(exit),
            ..self.describe()
        };
        self.control.status_changed(&self.status);
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    fn describe(&self) -> Status {
        let health = self.health();
        let (state, exit, next_start_at) = match &self.phase {
            Phase::Starting { .. } => (State::Starting, None, None),
            Phase::Running => (State::Running, None, None),
            Phase::Stopping { .. } | Phase::Clearing { .. } => (State::Stopping, None, None),
            Phase::Backoff { at, .. } => (State::Backoff, None, Some(at.clone())),
            Phase::Over { exit, .. } if exit.failed => (State::Failed, Some(exit.clone()), None),
            Phase::Over { exit, .. } => (State::Exited, Some(exit.clone()), None),
            Phase::Leaving => (self.status.state, self.status.exit.clone(), None),
        };
        let healthy = matches!(health, Health::None | Health::Healthy);
        Status {
            seq: 0,
            id: self.spec.id.clone(),
            address: self.spec.address.clone(),
            state,
            ready: state == State::Running && healthy && !self.draining,
            draining: self.draining,
            health,
            probes: self
                .probes
                .iter()
                .map(super::probes::Runner::status)
                .collect(),
            pid: self.main.as_ref().map(|main| main.pid),
            started_at: self.main.as_ref().map(|main| main.started_at.clone()),
            restarts: self.counters.restarts,
            next_start_at,
            last_exit: self.counters.last_exit.clone(),
            exit,
            rescued: self.rescued,
            cgroup: self.groups.level,
            not_enforced: self.groups.not_enforced.clone(),
            warnings: self.warnings.clone(),
            log_dropped: self.output.dropped(),
            fds: self.fds.names(),
        }
    }

    /// All checks that gate, together: the worst one.
    fn health(&self) -> Health {
        let each: Vec<Health> = self
            .probes
            .iter()
            .filter(|probe| probe.gates())
            .map(|probe| probe.status().health)
            .collect();
        [Health::Unhealthy, Health::Starting, Health::Healthy]
            .into_iter()
            .find(|health| each.contains(health))
            .unwrap_or(Health::None)
    }

    pub(super) fn state_event(&self) -> Event {
        Event::State(Box::new(self.status.clone()))
    }
}
