//! The workflows that a deployment has: entries of its recorded state, read once and kept until the
//! state changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use consort_model::{Address, Code, Kind, Problem, StateEntry, Timestamp, Value};
use consort_workflow::{Definition, Mistake};

use super::exposed::Exposure;
use super::host::{Host, hold};
use crate::engine::Engine;

/// A workflow that can be started.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) address: Address,
    pub(super) definition: Arc<Definition>,
    /// The secrets of `use.secrets`: name to token.
    pub(super) secrets: BTreeMap<String, String>,
    /// The requests that it answers.
    pub(super) exposed: Exposure,
    /// When it was registered as it is now.
    pub(super) changed: Timestamp,
}

/// The workflows of a deployment. What cannot be used is there with its problem.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Address, Result<Arc<Registered>, Problem>>);

impl Known {
    /// Those that can be started, by address.
    pub(super) fn usable(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.0.values().filter_map(|known| known.as_ref().ok())
    }

    /// One of them.
    pub(super) fn named(
        &self,
        deployment: &str,
        address: &Address,
    ) -> Result<Arc<Registered>, Problem> {
        let found = self.0.get(address).ok_or_else(|| {
            let message = format!("deployment `{deployment}` has no workflow of this name");
            Problem::new(Code::NODE_UNKNOWN, message).at(address)
        })?;
        found.clone()
    }
}

#[derive(Default)]
struct Kept {
    /// Raised when something is forgotten: what was read before must not be kept after.
    age: u64,
    known: HashMap<String, Arc<Known>>,
}

/// The workflows of all deployments that were asked for.
#[derive(Default)]
pub(super) struct Cache(Mutex<Kept>);

impl Cache {
    /// The state of this deployment has changed.
    pub(super) fn forget(&self, deployment: &str) {
        let mut kept = hold(&self.0);
        kept.age += 1;
        kept.known.remove(deployment);
    }
}

impl Host {
    /// The workflows of a deployment as they are recorded now.
    pub(super) async fn registered(
        &self,
        engine: &Engine,
        deployment: &str,
    ) -> Result<Arc<Known>, Problem> {
        let age = {
            let kept = hold(&self.definitions.0);
            if let Some(known) = kept.known.get(deployment) {
                return Ok(Arc::clone(known));
            }
            kept.age
        };
        let state = engine.store.state_list(deployment).await?;
        let read = state
            .into_iter()
            .filter(|entry| entry.address.kind() == Kind::Workflow)
            .filter_map(|entry| Some((entry.address.clone(), read(deployment, &entry)?)))
            .collect();
        let known = Arc::new(Known(read));
        let mut kept = hold(&self.definitions.0);
        if kept.age == age {
            kept.known.insert(deployment.to_owned(), Arc::clone(&known));
        }
        Ok(known)
    }
}

/// A workflow out of its entry; `None` while it is only half there.
fn read(deployment: &str, entry: &StateEntry) -> Option<Result<Arc<Registered>, Problem>> {
    let desired = &entry.object.as_ref()?.desired;
    let document = desired.get("definition").cloned().unwrap_or_default();
    let address = entry.address.clone();
    let registered = Definition::read(document, deployment, address.name())
        .map_err(|mistakes| invalid(&address, &mistakes))
        .and_then(|definition| {
            Ok(Registered {
                secrets: secrets(&address, &definition, desired)?,
                exposed: Exposure::read(desired.get("expose")),
                definition: Arc::new(definition),
                changed: entry.changed,
                address: address.clone(),
            })
        });
    if let Err(problem) = &registered {
        tracing::error!(%deployment, %problem, "a workflow cannot be used");
    }
    Some(registered.map(Arc::new))
}

fn invalid(address: &Address, mistakes: &[Mistake]) -> Problem {
    let mut texts = mistakes
        .iter()
        .map(|mistake| format!("{}: {}", mistake.pointer, mistake.message));
    let first = texts
        .next()
        .unwrap_or_else(|| "the definition cannot be read".to_owned());
    let mut problem = Problem::new(Code::WORKFLOW_INVALID, first).at(address);
    problem.causes.extend(texts);
    problem
}

fn secrets(
    address: &Address,
    definition: &Definition,
    desired: &Value,
) -> Result<BTreeMap<String, String>, Problem> {
    let token = |name: &str| {
        let token = desired
            .get("secrets")
            .and_then(|secrets| secrets.get(name))
            .and_then(Value::as_str);
        let token = token.ok_or_else(|| {
            let remedy =
                format!("Add `secrets: {{{name}: ${{ .resources.NAME.ATTRIBUTE }}}}` to it.");
            Problem::new(
                Code::WORKFLOW_INVALID,
                format!("secret `{name}` of `use.secrets` has no value"),
            )
            .at(address)
            .remedy(remedy)
        })?;
        Ok((name.to_owned(), token.to_owned()))
    };
    definition.secrets().into_iter().map(token).collect()
}
