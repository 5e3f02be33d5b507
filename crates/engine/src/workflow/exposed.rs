//! Exposed workflows: a request begins a run and is answered with its end.
//!
//! The input of the run is `{path, query, body}`: the parameters of the path by name, the query by
//! name, the body as JSON (null without one).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_journal::StartKey;
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::{Code, Digest, Problem, Value};
use consort_workflow::Ended;
use serde_json::json;
use tokio::sync::oneshot;

use super::begin::{Begin, begin};
use super::events::is_token_of;
use super::host::Host;
use super::registered::Registered;
use super::view;
use crate::control::{ExposedCall, ExposedReply};
use crate::engine::Engine;

/// A run that answers may take so long.
const LIMIT: Duration = Duration::from_secs(60);
/// The HTTP methods of `expose`.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The requests that a workflow answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exposure {
    /// Path templates by method in upper case.
    routes: BTreeMap<String, String>,
    /// Anybody may call.
    open: bool,
}

impl Exposure {
    /// Reads `expose` of a workflow.
    pub(super) fn read(expose: Option<&Value>) -> Self {
        let Some(expose) = expose else {
            return Self::default();
        };
        let text = |key: &str| expose.get(key).and_then(Value::as_str);
        let routes = METHODS
            .into_iter()
            .filter_map(|method| Some((method.to_uppercase(), text(method)?.to_owned())))
            .collect();
        Self {
            routes,
            open: text("auth") == Some("none"),
        }
    }
}

/// What a request finds.
enum Found {
    /// This workflow, with the parameters of the path.
    Workflow(Arc<Registered>, BTreeMap<String, String>),
    /// The path is there for other methods.
    Method(Vec<String>),
    Nothing,
}

/// Answers a call.
pub(super) async fn answer(
    engine: &Arc<Engine>,
    deployment: &str,
    call: ExposedCall,
) -> Result<ExposedReply, Problem> {
    engine.deployment(deployment).await?;
    let host = Host::of(engine);
    let known = host.registered(engine, deployment).await?;
    let found = find(known.usable(), &call.method, &call.path);
    let (workflow, parameters) = match found {
        Found::Workflow(workflow, parameters) => (workflow, parameters),
        Found::Method(methods) => {
            let message = format!(
                "`{}` is answered for {}, not for {}",
                call.path,
                methods.join(", "),
                call.method
            );
            return Ok(refusal(405, &message));
        }
        Found::Nothing => {
            return Ok(refusal(
                404,
                &format!("no workflow answers `{}`", call.path),
            ));
        }
    };
    if !workflow.exposed.open && !is_token_of(engine, deployment, call.token.as_deref()).await? {
        return Ok(refusal(401, "the request carries no valid token"));
    }
    let input = json!({"path": parameters, "query": call.query, "body": call.body});
    run(engine, &host, deployment, &workflow, input, call.key).await
}

async fn run(
    engine: &Arc<Engine>,
    host: &Arc<Host>,
    deployment: &str,
    workflow: &Registered,
    input: Value,
    key: Option<String>,
) -> Result<ExposedReply, Problem> {
    let (tell, ended) = oneshot::channel();
    let digest = Digest::of_value(&input);
    let mut begin_it =
        Begin::new(deployment, workflow, input, Principal("exposed".into())).tell(tell);
    if let Some(key) = key {
        let key = format!("exposed:{deployment}:{}:{key}", workflow.address);
        begin_it = begin_it.key(StartKey { key, digest });
    }
    let begun = match begin(engine, host, begin_it).await {
        Ok(begun) => begun,
        Err(problem) if problem.code == Code::REQUEST_CONFLICT => {
            return Ok(refusal(
                409,
                "this idempotency key was used for another request",
            ));
        }
        Err(problem) => return Err(problem),
    };
    let reply = match begun.existed {
        true => end_of(engine, host, begun.run).await?,
        false => within(ended).await,
    };
    host.forget_waiters(begun.run);
    let (status, body) = reply.map_or_else(
        || {
            let reply = refusal(504, "the workflow has not ended yet; its run goes on");
            (reply.status, reply.body)
        },
        |ended| ended.reply(),
    );
    Ok(ExposedReply {
        status,
        body: masked(body),
        run: Some(begun.run),
    })
}

async fn within(ended: oneshot::Receiver<Ended>) -> Option<Ended> {
    tokio::time::timeout(LIMIT, ended).await.ok()?.ok()
}

/// The end of a run that was begun before.
async fn end_of(engine: &Engine, host: &Host, run: RunId) -> Result<Option<Ended>, Problem> {
    let (tell, ended) = oneshot::channel();
    // Asked for first, so that an end between the two looks is not missed.
    host.wait_for(run, tell);
    let records = engine.all_records(run).await?;
    match view::ended(&records) {
        Some(ended) => Ok(Some(ended)),
        None => Ok(within(ended).await),
    }
}

/// Secrets do not leave as tokens either.
fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(consort_model::secret::masked(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(key, item)| (key, masked(item)))
                .collect(),
        ),
        scalar => scalar,
    }
}

/// A problem as RFC 7807 describes it.
fn refusal(status: u16, detail: &str) -> ExposedReply {
    let title = match status {
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        _ => "Gateway Timeout",
    };
    ExposedReply {
        status,
        body: json!({"title": title, "status": status, "detail": detail}),
        run: None,
    }
}

/// Literal segments win over parameters: `/customers/new` over `/customers/{id}`.
fn find<'a>(
    workflows: impl Iterator<Item = &'a Arc<Registered>>,
    method: &str,
    path: &str,
) -> Found {
    let mut best: Option<(Arc<Registered>, BTreeMap<String, String>)> = None;
    let mut methods = Vec::new();
    for workflow in workflows {
        for (known, template) in &workflow.exposed.routes {
            let Some(parameters) = parameters(template, path) else {
                continue;
            };
            if !known.eq_ignore_ascii_case(method) {
                methods.push(known.clone());
            } else if best
                .as_ref()
                .is_none_or(|(_, best)| parameters.len() < best.len())
            {
                best = Some((Arc::clone(workflow), parameters));
            }
        }
    }
    match best {
        Some((workflow, parameters)) => Found::Workflow(workflow, parameters),
        None if methods.is_empty() => Found::Nothing,
        None => {
            methods.sort();
            methods.dedup();
            Found::Method(methods)
        }
    }
}

/// The parameters of a path, if the template means it.
fn parameters(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let segments = |text: &str| -> Vec<String> {
        text.trim_matches('/')
            .split('/')
            .map(str::to_owned)
            .collect()
    };
    let (template, path) = (segments(template), segments(path));
    if template.len() != path.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (wanted, given) in template.iter().zip(path) {
        let name = wanted
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        match name {
            Some(name) if !given.is_empty() => {
                found.insert(name.to_owned(), given);
            }
            None if *wanted == given => {}
            Some(_) | None => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_whole_paths_and_name_their_parameters() {
        let id = parameters("/customers/{id}", "/customers/17");
        assert_eq!(id, Some(BTreeMap::from([("id".into(), "17".into())])));
        for path in ["/customers", "/customers/", "/customers/1/x", "/orders/1"] {
            assert_eq!(parameters("/customers/{id}", path), None, "{path}");
        }
        assert_eq!(parameters("/", "/"), Some(BTreeMap::new()));
    }

    #[test]
    fn without_a_word_on_it_a_token_is_needed() {
        assert!(!Exposure::read(Some(&json!({"get": "/x"}))).open);
        assert!(!Exposure::read(Some(&json!({"get": "/x", "auth": "oauth"}))).open);
        assert!(Exposure::read(Some(&json!({"get": "/x", "auth": "none"}))).open);
    }
}
