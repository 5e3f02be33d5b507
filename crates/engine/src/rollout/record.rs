//! What is recorded of a roll-out: every arrow of `services.md` 8.4.

use std::collections::BTreeMap;

use consort_driver::Phase;
use consort_model::run::RunStatus;
use consort_model::service::RollOutPolicy;
use consort_model::{Address, Digest, Problem, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// A version of a service: everything that its instances run with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The digest of the rest.
    pub digest: Digest,
    /// The settings, evaluated; secrets as tokens.
    pub spec: Value,
    /// The attributes that the target has planned: addresses and ports.
    pub attributes: Value,
    /// The built program.
    pub program: Option<Digest>,
    /// How many instances.
    pub replicas: u32,
    /// Ready means healthy; without a health check it means running.
    pub has_health_check: bool,
}

/// What a roll-out is of. Immutable; a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The deployment's name.
    pub deployment: String,
    /// Which service.
    pub service: Address,
    /// What runs now, if anything.
    pub from: Option<Version>,
    /// What shall run; nothing, when the service goes.
    pub to: Option<Version>,
    /// How.
    pub policy: RollOutPolicy,
    /// How to go back.
    pub rollback: RollOutPolicy,
    /// Instances of the same version are replaced too (restart, `--replace`): those that were
    /// started before this roll-out.
    #[serde(default)]
    pub restart: bool,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the new version.
    #[default]
    Forward,
    /// Back to the one before.
    Back,
}

/// What the machine knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The number of the instance.
    pub slot: u32,
    /// Its version.
    pub version: Digest,
    /// How it stands.
    pub phase: SeenPhase,
    /// It was there before this roll-out began.
    pub before: bool,
    /// How it ended, for messages.
    #[serde(default)]
    pub ended: Option<String>,
}

/// [`Phase`] as far as a roll-out cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenPhase {
    /// Not there yet.
    Starting,
    /// Runs, not (yet) healthy.
    Running,
    /// Healthy.
    Ready,
    /// Ended with 0 and is not started again.
    Completed,
    /// Will not get well by itself.
    Failed,
    /// Gone.
    Gone,
}

impl SeenPhase {
    /// Reads the driver's phase. An instance that crashes again and again before it was ever ready
    /// has failed.
    pub fn of(phase: Phase, exit_code: Option<i32>, restarts: u32) -> Self {
        match phase {
            Phase::Starting => Self::Starting,
            Phase::Ready => Self::Ready,
            Phase::BackingOff if restarts >= 3 => Self::Failed,
            Phase::Running | Phase::Unhealthy | Phase::BackingOff | Phase::Stopping => {
                Self::Running
            }
            Phase::Exited if exit_code == Some(0) => Self::Completed,
            Phase::Exited | Phase::Failed => Self::Failed,
        }
    }
}

/// A record of a roll-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
pub enum RolloutRecord {
    /// The run begins.
    RunCreated {
        /// The digest of the definition.
        definition: Digest,
    },
    /// What was there at the beginning, and the generation of the route.
    Begun {
        /// By the runtime's own name.
        instances: BTreeMap<String, Seen>,
        /// The generation that the route has.
        generation: u64,
    },
    /// Intent: an instance is started.
    StartPlanned {
        /// Which number.
        slot: u32,
        /// The idempotency key; a new one for each try.
        key: String,
        /// Which way.
        direction: Direction,
        /// When it must be ready.
        deadline: Timestamp,
    },
    /// Outcome of a start.
    StartEnded {
        /// Which number.
        slot: u32,
        /// The runtime's own name of the instance, or why it could not be started.
        result: Result<String, Problem>,
        /// Its version.
        version: Digest,
    },
    /// An instance changed.
    InstanceSeen {
        /// Which.
        id: String,
        /// How it stands.
        seen: Seen,
    },
    /// A new instance is watched until then before it gets traffic.
    HoldBegun {
        /// Which.
        id: String,
        /// Until when.
        until: Timestamp,
    },
    /// Intent: traffic goes there from now on.
    RoutePlanned {
        /// Rises.
        generation: u64,
        /// Instance and whether it is draining.
        targets: BTreeMap<String, bool>,
    },
    /// Traffic goes there.
    RouteEnded {
        /// Which.
        generation: u64,
    },
    /// Intent: wait until no connection goes to this instance.
    DrainPlanned {
        /// Which.
        id: String,
    },
    /// No connection goes to this instance any more, or the drain time is over.
    Drained {
        /// Which.
        id: String,
        /// Connections that were cut.
        left: u64,
    },
    /// Intent: an instance is stopped.
    StopPlanned {
        /// Which.
        id: String,
    },
    /// It is stopped and gone.
    StopEnded {
        /// Which.
        id: String,
    },
    /// An instance number could not be brought to its version.
    SlotFailed {
        /// Which.
        slot: u32,
        /// Why.
        problem: Problem,
    },
    /// A number runs its version and nothing else.
    SlotDone {
        /// Which.
        slot: u32,
        /// The next batch begins not before then.
        next: Timestamp,
    },
    /// It goes back.
    RollbackBegun {
        /// Why.
        problem: Problem,
    },
    /// It is stopped by a person.
    CancelAsked {
        /// Who.
        by: String,
    },
    /// It is over.
    RunEnded {
        /// How.
        status: RunStatus,
    },
}
