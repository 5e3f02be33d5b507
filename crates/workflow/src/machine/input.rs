//! What comes from outside, what is to be done there, and the end.

use std::collections::BTreeMap;

use consort_expression::{HelperAnswer, HelperJob};
use consort_model::id::{RunId, SubscriptionId, TimerId};
use consort_model::revision::Principal;
use consort_model::run::RunStatus;
use consort_model::{Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Fault;
use crate::expression::job_name;
use crate::http::{HttpAnswer, HttpRequest};

/// Something that happened, with all that the machine may know of time and chance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When; the only clock.
    pub at: Timestamp,
    /// A random number, new for each event; jitter is drawn from it.
    pub entropy: u64,
    /// What.
    pub input: Input,
}

/// What can come from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The run begins. Only the first one counts.
    Started {
        /// Which run.
        run: RunId,
        /// Its raw input; null if there is none.
        input: Value,
        /// The secrets of `use.secrets`: name to token ([`consort_model::SecretHandle::token`]).
        secrets: BTreeMap<String, String>,
        /// `$runtime`: `name`, `version`, `metadata`.
        runtime: Value,
    },
    /// A call was answered, or could not be.
    Http {
        /// Of which activation.
        act: String,
        /// As in the effect.
        attempt: u32,
        /// The answer; secret values have been taken out of it.
        answer: HttpAnswer,
    },
    /// A timer is due.
    TimerFired {
        /// Which.
        timer: TimerId,
    },
    /// An event came that the filter of a subscription means.
    Received {
        /// Which subscription.
        subscription: SubscriptionId,
        /// A CloudEvent in structured form.
        event: Value,
    },
    /// The helper has answered.
    Evaluated {
        /// As in the effect.
        name: String,
        /// What.
        answer: HelperAnswer,
    },
    /// Go on with what was put off to keep batches small.
    Continue,
    /// End it now.
    Cancel {
        /// Who asked.
        by: Principal,
        /// Why.
        reason: Option<String>,
    },
    /// Stop until it is resumed; what comes meanwhile is kept.
    Suspend {
        /// Who asked.
        by: Principal,
    },
    /// Go on.
    Resume {
        /// Who asked.
        by: Principal,
    },
    /// The server was away. Comes after the fold of all records; then all of
    /// [`consort_journal::Machine::open_effects`] is begun again.
    Recovered,
}

/// What is to be done in the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowEffect {
    /// Send a request; answered by [`Input::Http`] with the same `act` and `attempt`.
    Http {
        /// The activation: unique in the run.
        act: String,
        /// Which try.
        attempt: u32,
        /// The request.
        request: HttpRequest,
    },
    /// Let the helper evaluate; answered by [`Input::Evaluated`] with the same name.
    Evaluate {
        /// The digest of the job.
        name: String,
        /// The job.
        job: HelperJob,
    },
    /// Send [`Input::Continue`].
    Continue,
}

impl WorkflowEffect {
    pub(super) fn evaluate(job: &HelperJob) -> Self {
        Self::Evaluate {
            name: job_name(job),
            job: job.clone(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Completed, faulted or cancelled.
    pub status: RunStatus,
    /// When completed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub output: Option<Value>,
    /// When faulted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

impl Ended {
    /// The answer of an exposed workflow: HTTP status and body. A fault is a problem (RFC 7807) with
    /// its own status.
    pub fn reply(&self) -> (u16, Value) {
        match (&self.output, &self.error) {
            (Some(output), _) => (200, output.clone()),
            (None, Some(fault)) => {
                let status = if (400..600).contains(&fault.status) {
                    fault.status
                } else {
                    500
                };
                (status, fault.to_value())
            }
            (None, None) => (
                503,
                json!({"title": "The run was cancelled", "status": 503}),
            ),
        }
    }
}

/// Reads a value that is there: null is one, and not the lack of one.
pub(super) fn present<'de, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reader).map(Some)
}
