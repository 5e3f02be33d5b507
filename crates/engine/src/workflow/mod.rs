//! Workflows as durable runs; events that start and wake them; exposed workflows.
//!
//! - [`driver`]: drives one run. It lives only while something is under way in it: a run that waits
//!   for a timer or an event costs nothing but its rows.
//! - [`begin`]: begins a run: its creation and its first intents are one batch.
//! - [`registered`]: the definitions that a deployment has, out of its recorded state.
//! - [`events`], [`timers`], [`schedules`], [`outbox`]: the dispatchers.
//! - [`exposed`]: requests that a workflow answers.
//! - [`http`]: the calls.

mod begin;
mod driver;
mod enrich;
mod events;
mod exposed;
mod host;
mod http;
mod outbox;
mod registered;
mod schedules;
mod subscriptions;
mod timers;
mod view;

use std::sync::Arc;

use consort_journal::{RunRow, StartKey};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::{Code, Digest, Problem};
use consort_workflow::Input;
use serde_json::json;

use crate::control::{CloudEvent, ExposedCall, ExposedReply, StartAnswer, StartRequest};
use crate::engine::Engine;
use crate::plan_run::Command;
use crate::tasks::TaskKind;
use begin::Begin;
use host::Host;

pub(crate) use view::{output, steps};

impl Engine {
    /// Takes a run up after a restart. One that waits is left where it is: its timer or event wakes
    /// it.
    pub(crate) async fn drive_workflow(self: &Arc<Self>, row: RunRow) {
        use consort_model::run::RunStatus;
        match row.summary.status {
            RunStatus::Pending | RunStatus::Running => {
                Host::of(self).wake(self, row.summary.id);
            }
            RunStatus::Waiting
            | RunStatus::Suspended
            | RunStatus::Completed
            | RunStatus::Faulted
            | RunStatus::Cancelled => {}
        }
    }

    /// Starts a run of a workflow, or finds the one that was begun under the same key.
    ///
    /// # Errors
    /// When there is no such workflow, or it cannot be started.
    pub(crate) async fn start_workflow(
        self: &Arc<Self>,
        request: StartRequest,
        by: Principal,
    ) -> Result<StartAnswer, Problem> {
        if request.estimate_only || request.deadline.is_some() {
            let message = "only workloads are estimated and have deadlines";
            return Err(Problem::new(Code::USAGE, message).at(&request.address));
        }
        self.deployment(&request.deployment).await?;
        let host = Host::of(self);
        let known = host.registered(self, &request.deployment).await?;
        let workflow = known.named(&request.deployment, &request.address)?;
        let digest = Digest::of_value(
            &json!({"start": request.address.to_string(), "input": request.input}),
        );
        let key = StartKey {
            key: request.key,
            digest,
        };
        let begin = Begin::new(&request.deployment, &workflow, request.input, by).key(key);
        let run = begin::begin(self, &host, begin).await?.run;
        Ok(StartAnswer {
            run: Some(run),
            workload: None,
        })
    }

    /// Takes an event in; answers after it is durable whether it is new.
    ///
    /// # Errors
    /// When the token is not the deployment's, or the event cannot be kept.
    pub(crate) async fn take_event(
        self: &Arc<Self>,
        deployment: &str,
        token: Option<&str>,
        event: CloudEvent,
    ) -> Result<bool, Problem> {
        events::take(self, deployment, token, event).await
    }

    /// Answers a call of an exposed workflow with the end of its run.
    ///
    /// # Errors
    /// When the store fails; what is wrong with the call is a reply.
    pub(crate) async fn answer_exposed(
        self: &Arc<Self>,
        deployment: &str,
        call: ExposedCall,
    ) -> Result<ExposedReply, Problem> {
        exposed::answer(self, deployment, call).await
    }

    /// Passes what a person asks for on to a run of a workflow, also to one that only waits.
    ///
    /// # Errors
    /// When it cannot be told that.
    pub(crate) async fn command_workflow(
        self: &Arc<Self>,
        run: RunId,
        command: Command,
    ) -> Result<(), Problem> {
        match command {
            Command::Cancel { by, .. } => {
                let input = Input::Cancel {
                    by: Principal(by),
                    reason: None,
                };
                Host::of(self).deliver(self, run, input).await
            }
            Command::Resolve { .. } => {
                let message = format!(
                    "run {run} has no step in doubt: calls of workflows are repeated with their key"
                );
                Err(Problem::new(Code::RUN_UNKNOWN, message))
            }
        }
    }

    /// Starts what fires timers, takes events to those who wait for them, starts what is scheduled,
    /// and sends what is in the outbox.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn start_dispatchers(self: &Arc<Self>) -> Result<(), Problem> {
        let host = Host::of(self);
        host.listeners.load(self.store.subscription_list().await?);
        let after = self.store.inbox_mark(events::CONSUMER).await?;
        host.set_position(after);
        let stop = self.tasks.stopping();
        let kind = TaskKind::Dispatcher;
        self.tasks.start(
            kind,
            events::dispatch(Arc::clone(self), Arc::clone(&host), stop.clone()),
        );
        self.tasks.start(
            kind,
            timers::dispatch(Arc::clone(self), Arc::clone(&host), stop.clone()),
        );
        self.tasks.start(
            kind,
            schedules::dispatch(Arc::clone(self), Arc::clone(&host), stop.clone()),
        );
        self.tasks.start(
            TaskKind::Sender,
            outbox::dispatch(Arc::clone(self), host, stop.clone()),
        );
        self.tasks
            .start(kind, crate::workload::run_schedules(Arc::clone(self), stop));
        Ok(())
    }
}
