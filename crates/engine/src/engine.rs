//! The engine: everything that a server needs to answer [`Control`](crate::control::Control).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use consort_driver::{Context, Driver, Target, TypeSchema};
use consort_journal::{Change, Store};
use consort_model::blueprint::TargetKind;
use consort_model::bundle::Bundle;
use consort_model::id::RunId;
use consort_model::revision::Deployment;
use consort_model::{Code, Digest, Problem};
use tokio::sync::{broadcast, mpsc};

use crate::context::{Home, context};
use crate::plan_run::Command;
use crate::tasks::Tasks;

/// What an engine is made of.
pub struct Options {
    /// Where the home is.
    pub home: Home,
    /// State and journal.
    pub store: Arc<dyn Store>,
    /// Drivers of resources, beside those of the targets.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// Where services, jobs and tasks run.
    pub targets: Vec<Arc<dyn Target>>,
    /// Starts the killable helper that evaluates what the fast path refuses; the program and its
    /// arguments.
    pub helper: Option<(PathBuf, Vec<String>)>,
}

/// Carries out what it is asked, durably.
pub struct Engine {
    pub(crate) home: Home,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) drivers: BTreeMap<String, Arc<dyn Driver>>,
    pub(crate) targets: BTreeMap<TargetKind, Arc<dyn Target>>,
    pub(crate) tasks: Tasks,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) helper: crate::helper::Helper,
    /// The inboxes of runs that are being driven.
    pub(crate) driven: Mutex<BTreeMap<RunId, mpsc::Sender<Command>>>,
}

impl Engine {
    /// Puts an engine together. Nothing is taken up until [`Self::recover`].
    pub fn new(options: Options) -> Arc<Self> {
        let (changes, _) = broadcast::channel(1024);
        let told = changes.clone();
        options.store.watch(Box::new(move |change| {
            // Nobody listening is no error.
            let _ = told.send(change.clone());
        }));
        Arc::new(Self {
            home: options.home,
            store: options.store,
            drivers: options
                .drivers
                .into_iter()
                .map(|driver| (driver.name().to_owned(), driver))
                .collect(),
            targets: options
                .targets
                .into_iter()
                .map(|target| (target.kind(), target))
                .collect(),
            tasks: Tasks::default(),
            changes,
            helper: crate::helper::Helper::new(options.helper),
            driven: Mutex::new(BTreeMap::new()),
        })
    }

    /// The target of this kind.
    pub(crate) fn target(&self, kind: TargetKind) -> Result<&Arc<dyn Target>, Problem> {
        self.targets.get(&kind).ok_or_else(|| {
            let kind = target_word(kind);
            Problem::new(
                Code::TARGET_UNAVAILABLE,
                format!("target `{kind}` is not there yet"),
            )
        })
    }

    /// The driver of this name: a resource driver, or the resources of a target.
    pub(crate) fn driver(&self, name: &str) -> Result<&dyn Driver, Problem> {
        if let Some(driver) = self.drivers.get(name) {
            return Ok(driver.as_ref());
        }
        let of_target = self
            .targets
            .iter()
            .find(|(kind, _)| target_word(**kind) == name);
        of_target
            .map(|(_, target)| target.resources())
            .ok_or_else(|| {
                let message = format!("there is no driver `{name}` here");
                Problem::new(Code::TARGET_UNAVAILABLE, message)
                    .remedy("Providers come later; built-in types need no prefix.")
            })
    }

    /// The types that all drivers know.
    pub(crate) fn schemas(&self) -> Vec<TypeSchema> {
        let resources = self.drivers.values().flat_map(|driver| driver.types());
        let targets = self
            .targets
            .values()
            .flat_map(|target| target.resources().types());
        resources.chain(targets).collect()
    }

    /// The context of calls for one deployment.
    pub(crate) fn context(&self, deployment: &str, project: PathBuf) -> Context {
        context(&self.store, &self.home, deployment, project)
    }

    /// The context of calls for a deployment as it was last asked for.
    pub(crate) async fn context_of(&self, deployment: &Deployment) -> Result<Context, Problem> {
        let project = match self.newest_bundle(deployment).await? {
            Some(bundle) => PathBuf::from(&bundle.project_directory),
            None => self.home.directory.clone(),
        };
        Ok(self.context(&deployment.name, project))
    }

    /// The deployment of this name.
    pub(crate) async fn deployment(&self, name: &str) -> Result<Deployment, Problem> {
        let found = self.store.deployment_get(name).await?;
        found.ok_or_else(|| {
            Problem::new(
                Code::DEPLOYMENT_UNKNOWN,
                format!("there is no deployment `{name}` in this home"),
            )
        })
    }

    /// A bundle that is kept.
    pub(crate) async fn bundle(&self, digest: Digest) -> Result<Bundle, Problem> {
        self.kept(digest, "bundle").await
    }

    /// Something that is kept as JSON under its digest.
    pub(crate) async fn kept<T: serde::de::DeserializeOwned>(
        &self,
        digest: Digest,
        what: &str,
    ) -> Result<T, Problem> {
        let missing = || {
            Problem::new(
                Code::STORE_CORRUPT,
                format!("{what} {} is not kept", digest.short()),
            )
        };
        let bytes = self.store.blob_get(digest).await?.ok_or_else(missing)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(
                Code::STORE_CORRUPT,
                format!("{what} {} cannot be read", digest.short()),
            )
            .caused_by(&error)
        })
    }

    /// The bundle of the newest revision.
    pub(crate) async fn newest_bundle(
        &self,
        deployment: &Deployment,
    ) -> Result<Option<Bundle>, Problem> {
        let Some(number) = deployment.revision else {
            return Ok(None);
        };
        let Some(revision) = self.store.revision_get(&deployment.name, number).await? else {
            return Ok(None);
        };
        self.bundle(revision.bundle).await.map(Some)
    }

    /// The inbox of a run that is being driven here.
    pub(crate) fn inbox(&self, run: RunId) -> Option<mpsc::Sender<Command>> {
        self.driven
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&run)
            .cloned()
    }

    pub(crate) fn note_driven(&self, run: RunId, inbox: Option<mpsc::Sender<Command>>) {
        let mut driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
        match inbox {
            Some(inbox) => driven.insert(run, inbox),
            None => driven.remove(&run),
        };
    }
}

/// The word of a target, which is also the name of its driver.
pub(crate) const fn target_word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Process => "process",
        TargetKind::Docker => "docker",
        TargetKind::Kubernetes => "kubernetes",
    }
}
