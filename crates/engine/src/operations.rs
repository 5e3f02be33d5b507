//! What people ask of running services: stop, start, restart, scale. Each is a plan like any other,
//! with what was asked beside the recorded settings, so that it is carried out, recorded and taken
//! up after a crash in the same way.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_model::id::RunId;
use consort_model::plan::{
    Action, ActionId, Estimate, FORMAT, Mandate, Mode, Operation, Plan, ServiceChange, Verdict,
    VerdictKind,
};
use consort_model::revision::{Deployment, Principal};
use consort_model::service::ServiceSpec;
use consort_model::time::Span;
use consort_model::{Code, Kind, Partial, Problem, StateEntry, text};

use crate::clock;
use crate::control::{ApplyRequest, Approval, ServiceAction};
use crate::engine::Engine;

impl Engine {
    pub(crate) async fn act_on_services(
        self: &Arc<Self>,
        deployment: &str,
        action: ServiceAction,
        services: Vec<String>,
        by: Principal,
    ) -> Result<RunId, Problem> {
        let found = self.deployment(deployment).await?;
        let state = self.store.state_list(deployment).await?;
        let chosen = choose(&state, &services)?;
        let changes = chosen.into_iter().map(|entry| {
            let replicas = match action {
                ServiceAction::Stop => Some(0),
                ServiceAction::Start => None,
                ServiceAction::Restart | ServiceAction::Repair => recorded_replicas(entry),
            };
            (
                entry,
                ServiceChange {
                    restart: action == ServiceAction::Restart,
                    replicas,
                },
            )
        });
        let word = match action {
            ServiceAction::Stop => "stop",
            ServiceAction::Start => "start",
            ServiceAction::Restart => "restart",
            ServiceAction::Repair => "repair",
        };
        // Stopping goes against the order of starting.
        self.operate(
            &found,
            &state,
            changes.collect(),
            word,
            action == ServiceAction::Stop,
            by,
        )
        .await
    }

    pub(crate) async fn scale_services(
        self: &Arc<Self>,
        deployment: &str,
        replicas: BTreeMap<String, u32>,
        by: Principal,
    ) -> Result<RunId, Problem> {
        let found = self.deployment(deployment).await?;
        let state = self.store.state_list(deployment).await?;
        let names: Vec<String> = replicas.keys().cloned().collect();
        if names.is_empty() {
            return Err(Problem::new(
                Code::USAGE,
                "no service is named; say for example `api=3`",
            ));
        }
        let chosen = choose(&state, &names)?;
        let changes = chosen.into_iter().map(|entry| {
            let replicas = replicas.get(entry.address.name()).copied();
            (
                entry,
                ServiceChange {
                    restart: false,
                    replicas,
                },
            )
        });
        self.operate(&found, &state, changes.collect(), "scale", false, by)
            .await
    }

    async fn operate(
        self: &Arc<Self>,
        deployment: &Deployment,
        state: &[StateEntry],
        changes: Vec<(&StateEntry, ServiceChange)>,
        word: &str,
        reversed: bool,
        by: Principal,
    ) -> Result<RunId, Problem> {
        let mut actions: Vec<Action> = changes
            .iter()
            .map(|(entry, change)| action(entry, change.clone()))
            .collect::<Result<_, _>>()?;
        order(&mut actions, reversed);
        let verdicts = changes.iter().map(|(entry, _)| {
            (
                entry.address.clone(),
                Verdict {
                    what: VerdictKind::Update,
                    reason: format!("asked to {word}"),
                },
            )
        });
        let plan = Plan {
            format: FORMAT,
            deployment: deployment.name.clone(),
            target: deployment.target,
            mode: Mode::Apply,
            parent: deployment.revision,
            bundle: None,
            inputs: BTreeMap::new(),
            only: changes
                .iter()
                .map(|(entry, _)| entry.address.clone())
                .collect(),
            read: state
                .iter()
                .map(|entry| (entry.address.clone(), entry.generation))
                .collect(),
            verdicts: verdicts.collect(),
            actions,
            outputs: Default::default(),
            planned_outputs: Default::default(),
            drift: Default::default(),
            estimate: Estimate::default(),
            warnings: Vec::new(),
            questions: Vec::new(),
            created: clock::now(),
        };
        let kept = self.keep_plan(plan).await?;
        let key = format!("operation-{}", RunId::new(clock::now(), clock::random()));
        self.begin_plan(
            ApplyRequest {
                plan: kept.digest,
                approval: Approval::NotAsked,
                key,
            },
            by,
        )
        .await
    }
}

fn choose<'a>(state: &'a [StateEntry], names: &[String]) -> Result<Vec<&'a StateEntry>, Problem> {
    let services: Vec<&StateEntry> = state
        .iter()
        .filter(|entry| entry.address.kind() == Kind::Service && entry.object.is_some())
        .collect();
    for name in names {
        if !services.iter().any(|entry| entry.address.name() == name) {
            let known = services.iter().map(|entry| entry.address.name());
            let problem = Problem::new(Code::NODE_UNKNOWN, format!("there is no service `{name}`"));
            return Err(match text::nearest(name, known) {
                Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
                None => problem,
            });
        }
    }
    let chosen = |entry: &&StateEntry| {
        names.is_empty() || names.iter().any(|name| entry.address.name() == name)
    };
    Ok(services.into_iter().filter(chosen).collect())
}

fn recorded_replicas(entry: &StateEntry) -> Option<u32> {
    let attributes = entry.attributes()?;
    attributes
        .get("replicas")?
        .as_u64()
        .and_then(|replicas| u32::try_from(replicas).ok())
}

fn action(entry: &StateEntry, change: ServiceChange) -> Result<Action, Problem> {
    let unrecorded = || {
        Problem::new(Code::NODE_UNKNOWN, "nothing runs that could be changed").at(&entry.address)
    };
    let object = entry.object.clone().ok_or_else(unrecorded)?;
    let unreadable =
        |problem: String| Problem::new(Code::STORE_CORRUPT, problem).at(&entry.address);
    let spec =
        ServiceSpec::from_value(&object.desired).map_err(|error| unreadable(error.to_string()))?;
    let (order, reason) = spec.default_order();
    let policy = spec
        .deploy
        .update_config
        .clone()
        .unwrap_or_default()
        .policy(order)
        .map_err(unreadable)?;
    Ok(Action {
        id: ActionId::new(&Operation::Update, &entry.address),
        address: entry.address.clone(),
        operation: Operation::Update,
        driver: entry.driver.clone(),
        type_name: entry.type_name.clone(),
        site: entry.site.clone(),
        template: None,
        each: None,
        desired: Partial::from(object.desired.clone()),
        planned: Partial::from(object.attributes.clone()),
        prior: Some(object),
        differences: Vec::new(),
        after: Vec::new(),
        waits_for: Vec::new(),
        depends_on: entry.depends_on.clone(),
        lifecycle: entry.lifecycle.clone(),
        mandates: vec![Mandate::RollOut {
            policy,
            replicas: change.replicas.unwrap_or_else(|| spec.replicas()),
            reason: reason.to_owned(),
        }],
        service_change: Some(change),
        time_limit: Span::from_secs(1_800),
    })
}

/// What depends on another waits for it; the other way round when stopping.
fn order(actions: &mut [Action], reversed: bool) {
    let ids: Vec<(consort_model::Address, ActionId)> = actions
        .iter()
        .map(|action| (action.address.clone(), action.id.clone()))
        .collect();
    let edges: Vec<(usize, ActionId)> = actions
        .iter()
        .enumerate()
        .flat_map(|(index, action)| {
            let on = action.depends_on.clone();
            let own = action.id.clone();
            ids.iter()
                .enumerate()
                .filter_map(move |(other, (address, id))| {
                    let depends = other != index && on.iter().any(|on| on.covers(address));
                    depends.then(|| {
                        if reversed {
                            (other, own.clone())
                        } else {
                            (index, id.clone())
                        }
                    })
                })
        })
        .collect();
    for (index, before) in edges {
        if !actions[index].after.contains(&before) {
            actions[index].after.push(before);
        }
    }
}
