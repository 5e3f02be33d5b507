//! Sends requests.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use consort_model::secret::masked;
use consort_workflow::{Authentication, HttpAnswer, HttpRequest};
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use super::failure::{Failure, chain};
use super::names::Names;
use super::redirect::{HOPS, is_same_origin, join, next_method};
use super::secrets::{Form, Values};
use crate::engine::Engine;

/// One call, with all its redirections, may take so long; documents can ask for less.
const LIMIT: Duration = Duration::from_secs(60);
/// A connection may take so long.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed before most servers would.
const IDLE: Duration = Duration::from_secs(15);
const IDLE_PER_HOST: usize = 64;
/// So many calls are under way at once; the others wait for their turn.
const TOGETHER: usize = 1_024;
/// An answer may be so long.
const LARGEST: usize = 4 << 20;
/// The header of the key, with which receivers drop repetitions.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const AGENT: &str = concat!("consort/", env!("CARGO_PKG_VERSION"));

/// Sends requests of workflows.
pub(in crate::workflow) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    names: Names,
    turns: Semaphore,
}

/// A request with everything put in.
struct Outgoing {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Caller {
    pub(in crate::workflow) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            client,
            names: Names::default(),
            turns: Semaphore::new(TOGETHER),
        }
    }

    /// The deployment has changed: names may mean something else.
    pub(in crate::workflow) fn forget(&self, deployment: &str) {
        self.names.forget(deployment);
    }

    /// Sends a request; the answer is fit to be recorded.
    pub(in crate::workflow) async fn call(
        &self,
        engine: &Engine,
        deployment: &str,
        request: &HttpRequest,
    ) -> HttpAnswer {
        let _turn = self.turns.acquire().await;
        let answer = tokio::time::timeout(LIMIT, self.exchange(engine, deployment, request)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!(
                "{} {} was not answered within {} s",
                request.method,
                masked(&request.url),
                LIMIT.as_secs()
            );
            Err(Failure::late(message))
        });
        answer.unwrap_or_else(Failure::answer)
    }

    async fn exchange(
        &self,
        engine: &Engine,
        deployment: &str,
        request: &HttpRequest,
    ) -> Result<HttpAnswer, Failure> {
        let values = Values::fetch(engine, deployment, request).await?;
        let mut outgoing = outgoing(request, &values)?;
        for hop in 0.. {
            let response = self.send_safely(engine, deployment, &outgoing).await?;
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            let follow = request.redirect && response.status().is_redirection() && hop < HOPS;
            match location.filter(|_| follow) {
                Some(location) => outgoing = redirected(&outgoing, response.status(), location)?,
                None => return answer(response, &values).await,
            }
        }
        Err(Failure::wrong("too many redirections"))
    }

    /// A connection that was idle may have been closed by the other side just when it was used. What
    /// can be repeated is, once.
    async fn send_safely(
        &self,
        engine: &Engine,
        deployment: &str,
        outgoing: &Outgoing,
    ) -> Result<Response<Incoming>, Failure> {
        let first = self.send(engine, deployment, outgoing).await;
        let repeatable = [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
        ]
        .contains(&outgoing.method)
            || outgoing.headers.contains_key(IDEMPOTENCY_KEY);
        match first {
            Err(failure) if failure.is_ambiguous() && repeatable => {
                self.send(engine, deployment, outgoing).await
            }
            other => other,
        }
    }

    async fn send(
        &self,
        engine: &Engine,
        deployment: &str,
        outgoing: &Outgoing,
    ) -> Result<Response<Incoming>, Failure> {
        let (uri, host) = self.place(engine, deployment, &outgoing.uri).await?;
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.headers.clone();
        request.headers_mut().entry(HOST).or_insert(host);
        let named = outgoing.uri.host().unwrap_or_default();
        self.client.request(request).await.map_err(|error| {
            let text = chain(&error);
            if error.is_connect() {
                self.names.forget(deployment);
                return Failure::unreachable(format!("`{named}` cannot be reached: {text}"));
            }
            Failure::lost(format!("{} to `{named}` was lost: {text}", outgoing.method))
        })
    }

    /// The URI to connect to, and what `Host` says. Names of services are replaced by addresses, so
    /// that connections of different deployments are never mixed up.
    async fn place(
        &self,
        engine: &Engine,
        deployment: &str,
        uri: &Uri,
    ) -> Result<(Uri, HeaderValue), Failure> {
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| Failure::wrong("the URL names no host"))?;
        let port = uri.port_u16();
        let named = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let found = self
            .names
            .find(engine, deployment, host, port.unwrap_or(80))
            .await?;
        let authority = found.map_or_else(|| named.clone(), |address| address.to_string());
        let path = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let place = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(path)
            .build();
        let wrong = || Failure::wrong(format!("`{host}` is no host"));
        let place = place.map_err(|_| wrong())?;
        let header = HeaderValue::from_str(&named).map_err(|_| wrong())?;
        Ok((place, header))
    }
}

fn outgoing(request: &HttpRequest, values: &Values) -> Result<Outgoing, Failure> {
    let shown = masked(&request.url);
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| Failure::wrong(format!("`{}` is no HTTP method", request.method)))?;
    let uri: Uri = values
        .reveal(&request.url, Form::Url)
        .parse()
        .map_err(|_| Failure::wrong(format!("`{shown}` is no URL")))?;
    check_scheme(&uri, &shown)?;
    let headers = headers(request, &method, values)?;
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|media| media.contains("json"));
    let form = if is_json { Form::Json } else { Form::Plain };
    let body = request
        .body
        .as_ref()
        .map(|body| Bytes::from(values.reveal(body, form)))
        .unwrap_or_default();
    Ok(Outgoing {
        method,
        uri,
        headers,
        body,
    })
}

fn check_scheme(uri: &Uri, shown: &str) -> Result<(), Failure> {
    match uri.scheme_str() {
        Some("http") => Ok(()),
        Some("https") => Err(Failure::wrong(format!(
            "`https` is not there yet, so `{shown}` cannot be called; use `http`"
        ))),
        _ => Err(Failure::wrong(format!(
            "`{shown}` is no URL of a scheme that can be called; use `http`"
        ))),
    }
}

fn headers(request: &HttpRequest, method: &Method, values: &Values) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, text) in &request.headers {
        let wrong = || Failure::wrong(format!("header `{name}` cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.insert(
            key,
            header(&values.reveal(text, Form::Plain)).ok_or_else(wrong)?,
        );
    }
    if let Some(authentication) = &request.authentication {
        let text = match authentication {
            Authentication::Basic { username, password } => {
                let pair = format!(
                    "{}:{}",
                    values.reveal(username, Form::Plain),
                    values.reveal(password, Form::Plain)
                );
                format!("Basic {}", STANDARD.encode(pair))
            }
            Authentication::Bearer { token } => {
                format!("Bearer {}", values.reveal(token, Form::Plain))
            }
        };
        let wrong = || Failure::wrong("the credentials cannot be sent in a header");
        headers.insert(AUTHORIZATION, header(&text).ok_or_else(wrong)?);
    }
    if request.body.is_some() {
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
    }
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(AGENT));
    if let Some(key) = &request.key
        && [Method::POST, Method::PATCH].contains(method)
        && let Some(value) = header(key)
    {
        headers.entry(IDEMPOTENCY_KEY).or_insert(value);
    }
    Ok(headers)
}

fn header(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

fn redirected(
    before: &Outgoing,
    status: http::StatusCode,
    location: &str,
) -> Result<Outgoing, Failure> {
    let uri = join(&before.uri, location)
        .ok_or_else(|| Failure::wrong(format!("the redirection to `{location}` is no URL")))?;
    check_scheme(&uri, location)?;
    let (method, with_body) = next_method(status, &before.method);
    let mut headers = before.headers.clone();
    headers.remove(HOST);
    if !is_same_origin(&before.uri, &uri) {
        for name in [
            AUTHORIZATION,
            COOKIE,
            PROXY_AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
        ] {
            headers.remove(name);
        }
    }
    if !with_body {
        headers.remove(CONTENT_TYPE);
        headers.remove(http::header::CONTENT_LENGTH);
    }
    let body = if with_body {
        before.body.clone()
    } else {
        Bytes::new()
    };
    Ok(Outgoing {
        method,
        uri,
        headers,
        body,
    })
}

async fn answer(response: Response<Incoming>, values: &Values) -> Result<HttpAnswer, Failure> {
    let (parts, body) = response.into_parts();
    let collected = Limited::new(body, LARGEST).collect().await;
    let bytes = collected.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            return Failure::lost(format!("the answer is longer than {LARGEST} bytes"));
        }
        Failure::lost(format!("the answer broke off: {}", chain(error.as_ref())))
    })?;
    let body = values.scrub(bytes.to_bytes().to_vec());
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = values.scrub(value.as_bytes().to_vec());
        let value = String::from_utf8_lossy(&value).into_owned();
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|text| {
                text.push_str(", ");
                text.push_str(&value);
            })
            .or_insert(value);
    }
    Ok(HttpAnswer::Answered {
        status: parts.status.as_u16(),
        headers,
        body: STANDARD.encode(body),
    })
}
