//! What drivers are given: secrets and runtime facts, out of the store.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use consort_driver::{Context, DriverError, Facts, SecretValue, Secrets};
use consort_journal::{Batch, RuntimeChange, Store, StoreError};
use consort_model::id::HomeId;
use consort_model::revision::Principal;
use consort_model::{Code, Digest, SecretHandle, Value};

use crate::clock;

/// Where this server's home is.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its id.
    pub id: HomeId,
    /// Its folder.
    pub directory: PathBuf,
    /// A short folder for sockets.
    pub sockets: PathBuf,
}

/// The secrets and facts of one deployment.
struct FromStore {
    store: Arc<dyn Store>,
    deployment: String,
}

fn failed(error: StoreError) -> DriverError {
    DriverError::new(error.code(), "the store does not answer").because(error)
}

#[async_trait]
impl Secrets for FromStore {
    async fn secret_value(&self, handle: &SecretHandle) -> Result<SecretValue, DriverError> {
        let found = self
            .store
            .secret_get(&self.deployment, handle)
            .await
            .map_err(failed)?;
        let missing = || {
            DriverError::new(
                Code::STORE_CORRUPT,
                format!("the value of secret {handle} is not kept"),
            )
        };
        found
            .map(|value| SecretValue::new(value.reveal().to_owned()))
            .ok_or_else(missing)
    }
}

#[async_trait]
impl Facts for FromStore {
    async fn fact_get(&self, scope: &str, key: &str) -> Result<Option<Value>, DriverError> {
        self.store.runtime_get(scope, key).await.map_err(failed)
    }

    async fn fact_list(&self, scope: &str) -> Result<Vec<(String, Value)>, DriverError> {
        self.store.runtime_list(scope).await.map_err(failed)
    }

    async fn fact_put(
        &self,
        scope: &str,
        key: &str,
        value: Option<Value>,
    ) -> Result<(), DriverError> {
        let mut batch = Batch::new(Principal::system(), clock::now());
        batch.runtime.push(RuntimeChange {
            scope: scope.to_owned(),
            key: key.to_owned(),
            value,
        });
        self.store.append(batch).await.map(|_| ()).map_err(failed)
    }

    async fn blob(&self, digest: Digest) -> Result<Vec<u8>, DriverError> {
        let found = self.store.blob_get(digest).await.map_err(failed)?;
        found.ok_or_else(|| {
            DriverError::new(Code::STORE_CORRUPT, format!("blob {digest} is not kept"))
        })
    }
}

/// The context of calls for one deployment.
pub(crate) fn context(
    store: &Arc<dyn Store>,
    home: &Home,
    deployment: &str,
    project: PathBuf,
) -> Context {
    let from = Arc::new(FromStore {
        store: Arc::clone(store),
        deployment: deployment.to_owned(),
    });
    Context {
        deployment: deployment.to_owned(),
        home: home.id,
        home_directory: home.directory.clone(),
        socket_directory: home.sockets.clone(),
        project_directory: project,
        now: clock::now(),
        secrets: Arc::clone(&from) as Arc<dyn Secrets>,
        facts: from,
    }
}
