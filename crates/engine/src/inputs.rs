//! Sensitive inputs: their values are sealed before a plan names them by handle.

use std::collections::BTreeMap;

use consort_journal::{Batch, NewSecret, Sensitive};
use consort_model::blueprint::Blueprint;
use consort_model::revision::Principal;
use consort_model::{Problem, SecretHandle, Value, secret};

use crate::clock;
use crate::engine::Engine;

impl Engine {
    /// The inputs with tokens in the place of sensitive values. The same value keeps its version.
    pub(crate) async fn seal_inputs(
        &self,
        deployment: &str,
        blueprint: &Blueprint,
        inputs: BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Value>, Problem> {
        let mut sealed = BTreeMap::new();
        for (name, value) in inputs {
            let sensitive = blueprint
                .inputs
                .get(&name)
                .is_some_and(|declaration| declaration.sensitive);
            let value = if sensitive {
                self.seal(deployment, &format!("inputs.{name}"), value)
                    .await?
            } else {
                value
            };
            sealed.insert(name, value);
        }
        Ok(sealed)
    }

    async fn seal(&self, deployment: &str, name: &str, value: Value) -> Result<Value, Problem> {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if !secret::handles(&Value::String(text.clone())).is_empty() {
            return Ok(Value::String(text)); // sealed before: the value of an earlier revision
        }
        let version = self.store.secret_version(deployment, name).await?;
        if version > 0 {
            let newest = SecretHandle {
                name: name.to_owned(),
                version,
            };
            let kept = self.store.secret_get(deployment, &newest).await?;
            if kept.is_some_and(|kept| kept.reveal() == text) {
                return Ok(Value::String(newest.token()));
            }
        }
        let handle = SecretHandle {
            name: name.to_owned(),
            version: version + 1,
        };
        let mut batch = Batch::new(Principal::system(), clock::now());
        let token = handle.token();
        batch.secrets.push(NewSecret {
            deployment: deployment.to_owned(),
            handle,
            value: Sensitive::new(text),
        });
        self.store.append(batch).await?;
        Ok(Value::String(token))
    }
}
