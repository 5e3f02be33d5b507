//! Calls: from the document to a planned request.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_expression::strict_expression;
use consort_model::{Digest, Value, secret};

use super::draft::Draft;
use super::input::WorkflowEffect;
use super::keys::step_key;
use super::record::Record;
use super::state::Kind;
use crate::error::{Fault, types};
use crate::expression::{Sight, Stop};
use crate::http::{Authentication, HttpOutput, HttpRequest, encode, expand, text};

fn wrong(message: impl Into<String>) -> Stop {
    Stop::Fault(Fault::standard(types::CONFIGURATION, message))
}

impl Draft<'_> {
    pub(super) fn call(&mut self, act: &str, task: &Value) -> Result<(), Stop> {
        let Some((sight, input)) = self.inner_sight(act) else {
            return Ok(());
        };
        let stem = self.state.stem(act);
        let mut request = self.request(task, &input, &sight)?;
        self.key(&stem, task, &input, &sight, &mut request)?;
        self.only_declared_secrets(&request)?;
        let attempt = self
            .state
            .ancestors(act)
            .find_map(|(_, frame)| match frame.kind {
                Kind::Try { attempt, .. } => Some(attempt),
                _ => None,
            })
            .unwrap_or(1);
        let digest = Digest::of_serialized(&request);
        let shared = Arc::new(request.clone());
        self.record(Record::StepPlanned {
            act: act.to_owned(),
            attempt,
            request: shared,
            digest,
            stem,
        });
        self.effect(WorkflowEffect::Http {
            act: act.to_owned(),
            attempt,
            request,
        });
        Ok(())
    }

    fn request(&self, task: &Value, input: &Value, sight: &Sight<'_>) -> Result<HttpRequest, Stop> {
        let with = &task["with"];
        let evaluate = |field: &str| match with.get(field) {
            None => Ok(Value::Null),
            Some(template) => self.machine.evaluator.template(template, input, sight),
        };
        let method = text(&evaluate("method")?).to_ascii_uppercase();
        if method.is_empty()
            || method.len() > 20
            || !method.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            return Err(wrong(format!("`{method}` is no HTTP method")));
        }
        let endpoint = with.get("endpoint").unwrap_or(&Value::Null);
        let uri = endpoint.get("uri").unwrap_or(endpoint);
        let mut url = match uri.as_str() {
            Some(plain) if strict_expression(plain).is_none() => expand(plain, input)?,
            _ => text(&self.machine.evaluator.template(uri, input, sight)?),
        };
        add_query(&mut url, &evaluate("query")?)?;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(wrong(format!(
                "`{}` is no http or https address",
                secret::masked(&url)
            )));
        }
        let mut headers = headers(&evaluate("headers")?)?;
        let body = body(&evaluate("body")?, &mut headers);
        let output = match with.get("output").and_then(Value::as_str) {
            Some("raw") => HttpOutput::Raw,
            Some("response") => HttpOutput::Response,
            _ => HttpOutput::Content,
        };
        Ok(HttpRequest {
            method,
            url,
            headers,
            body,
            authentication: self.authentication(endpoint, input, sight)?,
            redirect: with.get("redirect") == Some(&Value::Bool(true)),
            key: None,
            output,
            decode_xml: task
                .pointer("/metadata/decode")
                .is_some_and(|decode| decode == "xml"),
        })
    }

    fn authentication(
        &self,
        endpoint: &Value,
        input: &Value,
        sight: &Sight<'_>,
    ) -> Result<Option<Authentication>, Stop> {
        let Some(policy) = endpoint.get("authentication") else {
            return Ok(None);
        };
        let policy = self
            .definition()
            .resolve("authentications", policy.get("use").unwrap_or(policy))
            .ok_or_else(|| wrong("there is no such authentication in `use.authentications`"))?;
        let field = |kind: &str, name: &str| {
            let template = policy
                .pointer(&format!("/{kind}/{name}"))
                .unwrap_or(&Value::Null);
            self.machine
                .evaluator
                .template(template, input, sight)
                .map(|value| match value {
                    Value::Null => String::new(),
                    other => text(&other),
                })
        };
        if policy.get("basic").is_some() {
            return Ok(Some(Authentication::Basic {
                username: field("basic", "username")?,
                password: field("basic", "password")?,
            }));
        }
        if let Some(name) = policy.pointer("/bearer/use").and_then(Value::as_str) {
            let missing = || {
                Stop::Fault(Fault::standard(
                    types::AUTHORIZATION,
                    format!("there is no secret `{name}`"),
                ))
            };
            let token = self.run()?.secrets.get(name).cloned().ok_or_else(missing)?;
            return Ok(Some(Authentication::Bearer { token }));
        }
        if policy.get("bearer").is_some() {
            return Ok(Some(Authentication::Bearer {
                token: field("bearer", "token")?,
            }));
        }
        Err(wrong(
            "only authentication by `basic` and `bearer` is there yet",
        ))
    }

    /// The idempotency key of what changes something. It is the same for a repetition after a crash
    /// or an answer that never came, and another one after the service answered with an error, since
    /// services keep an error with its key.
    fn key(
        &self,
        stem: &str,
        task: &Value,
        input: &Value,
        sight: &Sight<'_>,
        request: &mut HttpRequest,
    ) -> Result<(), Stop> {
        if let Some(own) = task.pointer("/metadata/idempotency") {
            let key = text(&self.machine.evaluator.template(&own["key"], input, sight)?);
            let header = own
                .get("header")
                .and_then(Value::as_str)
                .unwrap_or("idempotency-key");
            let (name, value) = header_pair(header, &Value::String(key))?;
            request.headers.insert(name, value);
        } else if matches!(request.method.as_str(), "POST" | "PATCH")
            && !request.headers.contains_key("idempotency-key")
        {
            let key = step_key(self.run()?.id, stem);
            request.key = Some(match self.state.refused.get(stem) {
                Some(refused) => format!("{key}-{refused}"),
                None => key,
            });
        }
        Ok(())
    }

    /// A token that was made up by data or an expression is not a secret that the workflow may use.
    fn only_declared_secrets(&self, request: &HttpRequest) -> Result<(), Stop> {
        let declared = &self.run()?.secrets;
        let used = serde_json::to_value(request)
            .map(|value| secret::handles(&value))
            .unwrap_or_default();
        for handle in used {
            if !declared.values().any(|token| *token == handle.token()) {
                let message = format!(
                    "the secret `{}` is not one that this workflow may use",
                    handle.name
                );
                return Err(Stop::Fault(Fault::standard(types::AUTHORIZATION, message)));
            }
        }
        Ok(())
    }
}

/// A list repeats the key, null drops it.
fn add_query(url: &mut String, query: &Value) -> Result<(), Stop> {
    let parameters = match query {
        Value::Null => return Ok(()),
        Value::Object(parameters) => parameters,
        _ => return Err(wrong("the query must be an object")),
    };
    let (path, fragment) = match url.split_once('#') {
        Some((path, fragment)) => (path.to_owned(), Some(fragment.to_owned())),
        None => (url.clone(), None),
    };
    *url = path;
    for (name, value) in parameters {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        for value in values.iter().filter(|value| !value.is_null()) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{}={}", encode(name), encode(&text(value))));
        }
    }
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(&fragment);
    }
    Ok(())
}

fn headers(value: &Value) -> Result<BTreeMap<String, String>, Stop> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(headers) => headers
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| header_pair(name, value))
            .collect(),
        _ => Err(wrong("the headers must be an object")),
    }
}

fn header_pair(name: &str, value: &Value) -> Result<(String, String), Stop> {
    let value = text(value);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(wrong(format!(
            "`{}` is no name of a header",
            name.escape_debug()
        )));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(wrong(format!(
            "the header `{name}` has control characters in it"
        )));
    }
    Ok((name.to_ascii_lowercase(), value))
}

/// Text is sent as it is, everything else as JSON, or as a form where the content type says so.
fn body(value: &Value, headers: &mut BTreeMap<String, String>) -> Option<String> {
    let kind = headers.get("content-type").map(|kind| {
        kind.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    let default = match value {
        Value::Null => return None,
        Value::String(_) => "text/plain; charset=utf-8",
        _ => "application/json",
    };
    headers
        .entry("content-type".into())
        .or_insert_with(|| default.into());
    if kind.as_deref() == Some("application/x-www-form-urlencoded")
        && let Value::Object(fields) = value
    {
        let pairs: Vec<String> = fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{}={}", encode(name), encode(&text(value))))
            .collect();
        return Some(pairs.join("&"));
    }
    Some(text(value))
}
