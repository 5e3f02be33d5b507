//! Restarts and health checks.

use consort_model::service::{
    HealthCheck, HealthTest, RestartPolicy as ServiceRestart, RestartWhen, ServiceSpec,
};
use consort_shim::spec::{Check, Probe, Restart, RestartPolicy};

/// What follows an exit of an instance.
pub(crate) fn restart(policy: &ServiceRestart) -> Restart {
    let usual = Restart::default();
    let kind = match policy.when {
        RestartWhen::No => RestartPolicy::No,
        RestartWhen::OnFailure => RestartPolicy::OnFailure,
        RestartWhen::Always => RestartPolicy::Always,
        RestartWhen::UnlessStopped => RestartPolicy::UnlessStopped,
    };
    let delay = policy.delay.map(|delay| delay.millis());
    Restart {
        policy: kind,
        max_attempts: policy.max_attempts.unwrap_or(0),
        window_ms: policy.window.map_or(0, |window| window.millis()),
        initial_ms: delay.unwrap_or(usual.initial_ms),
        cap_ms: delay.map_or(usual.cap_ms, |delay| delay.max(1)),
        ..usual
    }
}

/// Compose's health check; without one, whether the first port is listened on, which says when the
/// port holder may send clients and never that the instance is unhealthy.
pub(crate) fn probes(spec: &ServiceSpec, listens: Option<std::net::SocketAddr>) -> Vec<Probe> {
    match (&spec.healthcheck, listens) {
        (Some(check), _) => probe(check).into_iter().collect(),
        (None, Some(address)) => vec![Probe {
            name: "port".into(),
            interval_ms: 30_000,
            start_interval_ms: 100,
            start_period_ms: 60_000,
            timeout_ms: 5_000,
            retries: u32::MAX,
            ..Probe::new(Check::Tcp {
                address: address.to_string(),
            })
        }],
        (None, None) => Vec::new(),
    }
}

fn probe(check: &HealthCheck) -> Option<Probe> {
    let argv = match &check.test {
        HealthTest::Command(argv) => argv.clone(),
        HealthTest::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        HealthTest::None => return None,
    };
    Some(Probe {
        name: "healthcheck".into(),
        interval_ms: check.interval.millis().max(1),
        timeout_ms: check.timeout.millis().max(1),
        retries: check.retries.max(1),
        start_period_ms: check.start_period.millis(),
        start_interval_ms: check.start_interval.millis().max(1),
        ..Probe::new(Check::Exec { argv })
    })
}
