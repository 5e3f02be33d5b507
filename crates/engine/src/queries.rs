//! Questions about what is recorded and what is there. Nothing here changes anything.

use std::path::PathBuf;
use std::sync::Arc;

use consort_driver::{InstanceStatus, LogLine, LogQuery, Phase};
use consort_journal::{Change, RunFilter, Seq};
use consort_model::id::RunId;
use consort_model::plan::Difference;
use consort_model::revision::Deployment;
use consort_model::run::{RunKind, RunStatus, RunSummary};
use consort_model::service::ServiceSpec;
use consort_model::{Address, Code, Kind, Partial, Problem, StateEntry, Value};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::control::{
    Description, DriftReport, Feed, FeedEvent, InstanceView, RunDetail, RunEvent, ServiceView,
    StepView,
};
use crate::engine::Engine;
use crate::plan_run::{self, PlanRecord};
use crate::rollout::RolloutRecord;
use crate::tasks::TaskKind;

/// Records of a run are read in pages of this size.
const PAGE: u32 = 1_000;

impl Engine {
    pub(crate) async fn list_runs(
        &self,
        deployment: Option<String>,
        limit: u32,
    ) -> Result<Vec<RunSummary>, Problem> {
        let filter = RunFilter {
            deployment,
            limit: Some(limit),
            ..RunFilter::default()
        };
        Ok(self
            .store
            .run_list(filter)
            .await?
            .into_iter()
            .map(|row| row.summary)
            .collect())
    }

    pub(crate) async fn summary(&self, run: RunId) -> Result<RunSummary, Problem> {
        let found = self.store.run_get(run).await?;
        found
            .map(|row| row.summary)
            .ok_or_else(|| Problem::new(Code::RUN_UNKNOWN, format!("there is no run {run}")))
    }

    pub(crate) async fn all_records(
        &self,
        run: RunId,
    ) -> Result<Vec<(Seq, consort_journal::Envelope)>, Problem> {
        let mut records = Vec::new();
        loop {
            let after = records.last().map_or(Seq(0), |(seq, _): &(Seq, _)| *seq);
            let page = self.store.run_records(run, after, PAGE).await?;
            let full = page.len() == PAGE as usize;
            records.extend(page);
            if !full {
                return Ok(records);
            }
        }
    }

    pub(crate) async fn detail(&self, run: RunId) -> Result<RunDetail, Problem> {
        let summary = self.summary(run).await?;
        let records = self.all_records(run).await?;
        let (steps, problems) = match summary.kind {
            RunKind::Plan => plan_run::steps(&records),
            RunKind::RollOut => (rollout_steps(&records), Vec::new()),
            RunKind::Job | RunKind::Workload => crate::workload::steps(&records),
            RunKind::Workflow => crate::workflow::steps(&records),
        };
        let output = match summary.kind {
            RunKind::Workflow => crate::workflow::output(&records),
            RunKind::Plan | RunKind::RollOut | RunKind::Job | RunKind::Workload => None,
        };
        let last = records.last().map_or(0, |(seq, _)| seq.0);
        Ok(RunDetail {
            summary,
            steps,
            output,
            problems,
            last,
        })
    }

    /// Records of a run as events, from the store first and then as they are committed; ends after
    /// the run's end.
    pub(crate) async fn watch_run(
        self: &Arc<Self>,
        run: RunId,
        after: u64,
    ) -> Result<Feed<RunEvent>, Problem> {
        self.summary(run).await?;
        let mut changes = self.changes.subscribe();
        let (send, receive) = mpsc::channel(64);
        let engine = Arc::clone(self);
        self.tasks.start(TaskKind::Feed, async move {
            let mut last = Seq(after);
            loop {
                match engine.pass_records(run, last, &send).await {
                    Ok(Some(seq)) => last = seq,
                    Ok(None) => return,
                    Err(problem) => {
                        let _ = send.send(Err(problem)).await;
                        return;
                    }
                }
                loop {
                    // Cancel-safe: a lost notice only means another look at the store.
                    tokio::select! {
                        () = send.closed() => return,
                        change = changes.recv() => match change {
                            Ok(Change::Run(changed, seq)) if changed == run && seq > last => break,
                            Ok(_) => {}
                            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => break,
                            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                        },
                    }
                }
            }
        });
        Ok(ReceiverStream::new(receive).boxed())
    }

    /// Passes on what is recorded after a place. `None` when nothing more will come.
    async fn pass_records(
        &self,
        run: RunId,
        after: Seq,
        send: &mpsc::Sender<Result<RunEvent, Problem>>,
    ) -> Result<Option<Seq>, Problem> {
        let mut last = after;
        loop {
            // The status is read before the records: an ended run has all of them.
            let status = self.summary(run).await?.status;
            let page = self.store.run_records(run, last, PAGE).await?;
            let full = page.len() == PAGE as usize;
            for (seq, envelope) in page {
                let ends = envelope.kind == "RunEnded";
                let shown = if ends { status } else { RunStatus::Running };
                if send
                    .send(Ok(run_event(seq, &envelope, shown)))
                    .await
                    .is_err()
                {
                    return Ok(None);
                }
                last = seq;
            }
            if full {
                continue;
            }
            // An ended run is over only when nothing was recorded since the page was read.
            if !self.summary(run).await?.status.is_ended() {
                return Ok(Some(last));
            }
            if self.store.run_records(run, last, 1).await?.is_empty() {
                return Ok(None);
            }
        }
    }

    pub(crate) async fn describe_node(
        &self,
        deployment: &str,
        address: &Address,
    ) -> Result<Description, Problem> {
        let found = self.deployment(deployment).await?;
        let state = self.store.state_list(deployment).await?;
        let node = address.node();
        let recorded = state.iter().find(|entry| entry.address == node).cloned();
        if recorded.is_none() {
            let names: Vec<String> = state
                .iter()
                .map(|entry| entry.address.to_string())
                .collect();
            let near =
                consort_model::text::nearest(&node.to_string(), names.iter().map(String::as_str));
            let problem = Problem::new(
                Code::NODE_UNKNOWN,
                format!("nothing is recorded of `{node}`"),
            );
            return Err(match near {
                Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
                None => problem,
            });
        }
        let services = if node.kind() == Kind::Service {
            self.service_views(&found).await?
        } else {
            Vec::new()
        };
        let filter = RunFilter {
            deployment: Some(deployment.to_owned()),
            subject: Some(node.clone()),
            limit: Some(10),
            ..RunFilter::default()
        };
        let runs = self
            .store
            .run_list(filter)
            .await?
            .into_iter()
            .map(|row| row.summary)
            .collect();
        Ok(Description {
            service: services
                .into_iter()
                .find(|service| service.name == node.name()),
            depends_on: recorded
                .as_ref()
                .map(|entry| entry.depends_on.clone())
                .unwrap_or_default(),
            dependents: state
                .iter()
                .filter(|entry| entry.depends_on.iter().any(|on| on.covers(&node)))
                .map(|entry| entry.address.clone())
                .collect(),
            recorded,
            runs,
            warnings: Vec::new(),
            address: node,
        })
    }

    pub(crate) async fn service_views(
        &self,
        deployment: &Deployment,
    ) -> Result<Vec<ServiceView>, Problem> {
        let state = self.store.state_list(&deployment.name).await?;
        let context = self.context_of(deployment).await?;
        let target = self.target(deployment.target)?;
        let instances = target
            .instances()
            .instance_list(&context, None)
            .await
            .map_err(|error| error.problem())?;
        let services = state
            .iter()
            .filter(|entry| entry.address.kind() == Kind::Service);
        Ok(services
            .map(|entry| service_view(entry, &instances))
            .collect())
    }

    pub(crate) async fn find_drift(
        &self,
        deployment: &str,
        only: Vec<Address>,
    ) -> Result<DriftReport, Problem> {
        let found = self.deployment(deployment).await?;
        let context = self.context_of(&found).await?;
        let mut report = DriftReport {
            drifted: Default::default(),
            gone: Vec::new(),
            unreachable: Vec::new(),
            checked: 0,
        };
        for entry in self.store.state_list(deployment).await? {
            let chosen =
                only.is_empty() || only.iter().any(|address| address.covers(&entry.address));
            let Some(object) = entry.object.as_ref().filter(|_| chosen) else {
                continue;
            };
            let Ok(driver) = self.driver(&entry.driver) else {
                continue;
            };
            report.checked += 1;
            match driver.read(&context, &entry.type_name, object).await {
                Ok(consort_driver::Observed::Present(actual)) => {
                    let differences = differences(&object.attributes, &actual);
                    if !differences.is_empty() {
                        report.drifted.insert(entry.address.clone(), differences);
                    }
                }
                Ok(consort_driver::Observed::Gone) => report.gone.push(entry.address.clone()),
                Ok(consort_driver::Observed::Unreachable(why)) => {
                    report.unreachable.push((entry.address.clone(), why))
                }
                Err(error) => report
                    .unreachable
                    .push((entry.address.clone(), error.problem().to_string())),
            }
        }
        Ok(report)
    }

    pub(crate) async fn log_lines(
        &self,
        deployment: &str,
        query: LogQuery,
    ) -> Result<Feed<LogLine>, Problem> {
        let found = self.deployment(deployment).await?;
        let context = self.context_of(&found).await?;
        let lines = self
            .target(found.target)?
            .logs(&context, query)
            .await
            .map_err(|error| error.problem())?;
        Ok(lines
            .map(|line| line.map_err(|error| error.problem()))
            .boxed())
    }

    /// What happens from now on: records of runs, one line each.
    pub(crate) fn follow(self: &Arc<Self>, deployment: Option<String>) -> Feed<FeedEvent> {
        let mut changes = self.changes.subscribe();
        let (send, receive) = mpsc::channel(64);
        let engine = Arc::clone(self);
        self.tasks.start(TaskKind::Feed, async move {
            let mut seen = std::collections::BTreeMap::new();
            loop {
                // Cancel-safe: notices are only hints to look at the store.
                let change = tokio::select! {
                    () = send.closed() => return,
                    change = changes.recv() => change,
                };
                match change {
                    Ok(Change::Run(run, seq)) => {
                        let after: Seq = seen
                            .insert(run, seq)
                            .unwrap_or(Seq(seq.0.saturating_sub(1)));
                        if engine
                            .pass_feed(run, after, deployment.as_deref(), &send)
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        ReceiverStream::new(receive).boxed()
    }

    async fn pass_feed(
        &self,
        run: RunId,
        after: Seq,
        deployment: Option<&str>,
        send: &mpsc::Sender<Result<FeedEvent, Problem>>,
    ) -> Result<(), ()> {
        let Ok(summary) = self.summary(run).await else {
            return Ok(());
        };
        if deployment.is_some_and(|name| name != summary.deployment) {
            return Ok(());
        }
        for (seq, envelope) in self
            .store
            .run_records(run, after, PAGE)
            .await
            .unwrap_or_default()
        {
            let event = run_event(seq, &envelope, summary.status);
            let subject = summary
                .subject
                .as_ref()
                .map_or_else(|| run.to_string(), Address::to_string);
            let event = FeedEvent {
                at: envelope.at,
                deployment: summary.deployment.clone(),
                subject,
                kind: summary.kind.word().into(),
                text: event.text,
            };
            send.send(Ok(event)).await.map_err(|_| ())?;
        }
        Ok(())
    }

    /// Is nothing under way and nothing deployed?
    pub(crate) async fn nothing_to_do(&self) -> Result<bool, Problem> {
        Ok(self.store.run_open().await?.is_empty()
            && self.store.deployment_list().await?.is_empty())
    }

    pub(crate) async fn machine_capabilities(&self) -> Vec<consort_driver::Capability> {
        let context = self.context("", PathBuf::from("."));
        let mut found = Vec::new();
        for target in self.targets.values() {
            found.extend(target.capabilities(&context).await);
        }
        found
    }
}

/// A record as an event for people and programs.
pub(crate) fn run_event(
    seq: Seq,
    envelope: &consort_journal::Envelope,
    status: RunStatus,
) -> RunEvent {
    let plan = envelope.unwrap::<PlanRecord>().ok();
    let step = plan
        .as_ref()
        .and_then(|record| plan_run::step_of(record).map(str::to_owned));
    let text = match &plan {
        Some(record) => plan_run::describe(record),
        None => plain_text(envelope),
    };
    RunEvent {
        seq: seq.0,
        at: envelope.at,
        kind: envelope.kind.clone(),
        step,
        status,
        text,
        body: envelope.body.clone(),
    }
}

/// One line for a record of which only the fields are known.
fn plain_text(envelope: &consort_journal::Envelope) -> String {
    let field = |name: &str| {
        envelope
            .body
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let about = ["act", "task", "id", "step", "slot"]
        .iter()
        .find_map(|name| field(name));
    match about {
        Some(about) => format!("{}: {about}", envelope.kind),
        None => envelope.kind.clone(),
    }
}

fn rollout_steps(records: &[(Seq, consort_journal::Envelope)]) -> Vec<StepView> {
    let mut views = Vec::new();
    for (_, envelope) in records {
        let Ok(record) = envelope.unwrap::<RolloutRecord>() else {
            continue;
        };
        let step = match record {
            RolloutRecord::StartPlanned { slot, .. } => format!("start instance {slot}"),
            RolloutRecord::StartEnded {
                slot,
                result: Err(_),
                ..
            } => format!("instance {slot} did not start"),
            RolloutRecord::HoldBegun { id, .. } => format!("{id} is up"),
            RolloutRecord::RoutePlanned { generation, .. } => {
                format!("traffic changes (generation {generation})")
            }
            RolloutRecord::Drained { id, .. } => format!("{id} is drained"),
            RolloutRecord::StopEnded { id } => format!("{id} is stopped"),
            RolloutRecord::SlotFailed { slot, problem } => {
                format!("instance {slot} failed: {problem}")
            }
            RolloutRecord::RollbackBegun { .. } => "goes back".to_owned(),
            _ => continue,
        };
        views.push(StepView {
            step,
            status: "succeeded".into(),
            attempt: 1,
            started: Some(envelope.at),
            ended: Some(envelope.at),
            detail: None,
        });
    }
    views
}

fn service_view(entry: &StateEntry, instances: &[InstanceStatus]) -> ServiceView {
    let object = entry.object.as_ref();
    let spec = object
        .and_then(|object| ServiceSpec::from_value(&object.desired).ok())
        .unwrap_or_default();
    let attribute = |name: &str| object.and_then(|object| object.attributes.get(name));
    let own: Vec<&InstanceStatus> = instances
        .iter()
        .filter(|status| status.address.node() == entry.address)
        .collect();
    let replicas = attribute("replicas")
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok());
    let replicas = replicas.unwrap_or_else(|| spec.replicas());
    let command = spec
        .process
        .as_ref()
        .and_then(|process| process.command.clone());
    let command = command
        .or_else(|| spec.command.clone())
        .map(|line| line.0.join(" "));
    let ready = |status: &&&InstanceStatus| {
        status.phase == Phase::Ready
            || (status.phase == Phase::Running && spec.healthcheck.is_none())
    };
    ServiceView {
        name: entry.address.name().to_owned(),
        replicas,
        ready: u32::try_from(own.iter().filter(ready).count()).unwrap_or(u32::MAX),
        command: consort_model::secret::masked(
            &command.or_else(|| spec.image.clone()).unwrap_or_default(),
        ),
        ports: port_texts(attribute("ports")),
        stopped: replicas == 0,
        instances: own.into_iter().map(instance_view).collect(),
    }
}

fn port_texts(ports: Option<&Value>) -> Vec<String> {
    let list = ports.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|port| {
        let target = port.get("target")?.as_u64()?;
        let protocol = port
            .get("protocol")
            .and_then(Value::as_str)
            .unwrap_or("tcp");
        match port
            .get("published")
            .map(|value| value.to_string().trim_matches('"').to_owned())
        {
            Some(published) if published != "null" => {
                let host = port
                    .get("host_ip")
                    .and_then(Value::as_str)
                    .unwrap_or("0.0.0.0");
                Some(format!("{host}:{published}->{target}/{protocol}"))
            }
            _ => Some(format!("{target}/{protocol}")),
        }
    })
    .collect()
}

fn instance_view(status: &InstanceStatus) -> InstanceView {
    InstanceView {
        address: status.address.clone(),
        id: status.id.clone(),
        version: status.version.short(),
        phase: status.phase.word().into(),
        pid: status.pid,
        restarts: status.restarts,
        ip: status.ip.map(|ip| ip.to_string()),
        started: status.started,
        ended: status.ended.clone(),
    }
}

/// Where what is there differs from what is recorded. Null in what is there means that it is not
/// compared.
fn differences(recorded: &Value, actual: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    collect_differences(recorded, actual, String::new(), &mut found);
    found
}

fn collect_differences(
    recorded: &Value,
    actual: &Value,
    path: String,
    found: &mut Vec<Difference>,
) {
    match (recorded, actual) {
        (_, Value::Null) => {}
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in after {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                collect_differences(before.get(key).unwrap_or(&Value::Null), value, path, found);
            }
        }
        (before, after) if before != after => found.push(Difference {
            path,
            before: before.clone(),
            after: Partial::from(after.clone()),
            sensitive: before
                .as_str()
                .is_some_and(|text| text.contains(consort_model::secret::OPEN)),
            forces_replacement: false,
        }),
        _ => {}
    }
}
